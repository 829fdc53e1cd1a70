package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/replica"
)

// transaction is one commit. What it changes of the journal in memory it keeps
// to itself until it is on the disk.
type transaction struct {
	j       *Journal
	tx      *sql.Tx
	now     time.Time
	logs    map[replica.Key]held
	touched map[identity.Principal]touched
	rows    []any // of entries that are not inserted yet
	added   []replica.Entry
	wrote   bool
}

// touched is what changes of a conversation.
type touched struct {
	number int64
	bytes  int64 // that are new
	epoch  uint64
	begun  bool // the epoch is new
}

func newTransaction(j *Journal) *transaction {
	return &transaction{j: j, now: j.Now(), logs: map[replica.Key]held{}, touched: map[identity.Principal]touched{}}
}

func (t *transaction) runs() map[replica.Key]replica.Run {
	runs := make(map[replica.Key]replica.Run, len(t.logs))
	for key, l := range t.logs {
		runs[key] = l.Run()
	}
	return runs
}

// run decides about the entries of a group and brings to the disk what is new.
func (t *transaction) run(ctx context.Context, group []*waiting) error {
	return t.j.s.tx(ctx, "append", func(tx *sql.Tx) error {
		t.tx = tx
		for _, w := range group {
			w.verdicts = make([]replica.Verdict, len(w.entries))
			for i := range w.entries {
				var err error
				if w.verdicts[i], err = t.entry(ctx, &w.entries[i]); wire.CodeOf(err) == wire.Limit {
					w.err = err // its own fault, not the group's
				} else if err != nil {
					return err
				}
			}
		}
		if err := t.flush(ctx); err != nil {
			return err
		}
		return t.saveLogs(ctx)
	})
}

// entry decides about one entry.
func (t *transaction) entry(ctx context.Context, e *replica.Entry) (replica.Verdict, error) {
	draft := e.Counter == 0
	if draft {
		if err := t.draw(ctx, e); err != nil {
			return 0, err
		}
	}
	l, known := t.log(e.Key)
	if !known {
		return replica.Apart, nil
	}
	switch v := l.Admit(e); v {
	case replica.Stored:
		record := seal(e)
		if c, _ := t.conversation(e.With); !draft && c.bytes+int64(len(record)) > t.j.ConversationBytes {
			return replica.Full, nil
		}
		return v, t.add(ctx, l, e, record)
	case replica.Repeated:
		return t.compare(ctx, l, e)
	default:
		return v, nil
	}
}

// log returns the log as it is after what came before in this transaction.
func (t *transaction) log(key replica.Key) (held, bool) {
	if l, ok := t.logs[key]; ok {
		return l, true
	}
	t.j.mu.Lock()
	defer t.j.mu.Unlock()
	l, ok := t.j.logs[key]
	return l, ok
}

// conversation returns what is known of a conversation, and whether this device
// may begin another log in it.
func (t *transaction) conversation(with identity.Principal) (c conversation, room bool) {
	t.j.mu.Lock()
	c, known := t.j.conversations[with]
	room = c.authors < replica.MaxAuthors+ownEpochs && (known || len(t.j.conversations) < replica.MaxConversations)
	t.j.mu.Unlock()
	if changed, ok := t.touched[with]; ok {
		c.number, c.bytes = changed.number, c.bytes+changed.bytes
		if changed.begun {
			c.epoch, c.written = changed.epoch, true
		}
	}
	return c, room
}

// number returns a conversation's number, and brings it to the disk if it is new.
func (t *transaction) number(ctx context.Context, with identity.Principal) (int64, error) {
	if c, _ := t.conversation(with); c.number != 0 {
		return c.number, nil
	}
	r, err := t.tx.ExecContext(ctx, "INSERT INTO conversations (account) VALUES (?)", with.Bytes())
	if err != nil {
		return 0, err
	}
	changed := t.touched[with]
	changed.number, err = r.LastInsertId()
	t.touched[with] = changed
	return changed.number, err
}

// add takes an entry into the log.
func (t *transaction) add(ctx context.Context, l held, e *replica.Entry, record []byte) (err error) {
	conversation, err := t.number(ctx, e.With)
	if err != nil {
		return err
	}
	if l.number == 0 {
		if l.number, err = t.insertAuthor(ctx, conversation, e.Author); err != nil {
			return err
		}
	}
	var place replica.ID
	l.Log, place = l.Extend(e, t.now)
	t.logs[e.Key] = l
	t.j.clock.Observe(e.ID.Stamp(), t.now)
	var shown []byte
	switch e.Kind {
	case replica.Text:
		shown = place[:]
	case replica.Delivered, replica.Read:
		err = t.mark(ctx, conversation, l.number, e)
	case replica.State:
		_, err = t.tx.ExecContext(ctx, `INSERT INTO states (conversation, place, author, counter) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE
			SET place = excluded.place, author = excluded.author, counter = excluded.counter WHERE excluded.place > place`,
			conversation, place[:], l.number, int64(e.Counter))
	}
	if err != nil {
		return err
	}
	t.rows = append(t.rows, l.number, int64(e.Counter), conversation, shown, record)
	t.added = append(t.added, *e)
	changed := t.touched[e.With]
	changed.number, changed.bytes = conversation, changed.bytes+int64(len(record))
	t.touched[e.With] = changed
	if len(t.rows) == columns*rowsAtOnce[0] {
		return t.flush(ctx)
	}
	return nil
}

func (t *transaction) insertAuthor(ctx context.Context, conversation int64, a replica.Author) (int64, error) {
	r, err := t.tx.ExecContext(ctx, `INSERT INTO authors (conversation, device, epoch, low, high, low_id, high_id, low_place, high_place)
		VALUES (?, ?, ?, 0, 0, x'', x'', 0, 0)`, conversation, a.Device.Bytes(), epochBytes(a.Epoch))
	if err != nil {
		return 0, err
	}
	return r.LastInsertId()
}

// saveLogs writes what is held of the logs that have grown.
func (t *transaction) saveLogs(ctx context.Context) error {
	for _, l := range t.logs {
		if l.number == 0 {
			continue
		}
		if _, err := t.tx.ExecContext(ctx, `UPDATE authors SET low = ?, high = ?, low_id = ?, high_id = ?, low_place = ?, high_place = ? WHERE number = ?`,
			int64(l.Low), int64(l.High), l.LowID[:], l.HighID[:], int64(l.LowPlace), int64(l.HighPlace), l.number); err != nil {
			return err
		}
	}
	for _, c := range t.touched {
		if _, err := t.tx.ExecContext(ctx, "UPDATE conversations SET bytes = bytes + ? WHERE number = ?", c.bytes, c.number); err != nil {
			return err
		}
	}
	t.wrote = len(t.added) > 0
	return nil
}

// mark raises what the author has marked.
func (t *transaction) mark(ctx context.Context, conversation, reader int64, e *replica.Entry) error {
	marks, err := replica.ParseMarks(e.Body)
	if err != nil {
		return err
	}
	for _, m := range marks {
		if _, err := t.tx.ExecContext(ctx, `INSERT INTO marks (conversation, kind, reader, device, epoch, counter) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET counter = max(counter, excluded.counter)`,
			conversation, int64(e.Kind), reader, m.Author.Device.Bytes(), epochBytes(m.Author.Epoch), int64(m.Counter)); err != nil {
			return err
		}
	}
	return nil
}

// compare decides about an entry whose counter is held.
func (t *transaction) compare(ctx context.Context, l held, e *replica.Entry) (replica.Verdict, error) {
	if err := t.flush(ctx); err != nil {
		return 0, err
	}
	var record []byte
	if err := t.tx.QueryRowContext(ctx, "SELECT record FROM entries WHERE author = ? AND counter = ?", l.number, int64(e.Counter)).Scan(&record); err != nil {
		return 0, t.j.s.damaged(err)
	}
	kept, err := t.j.s.unseal(e.Key, e.Counter, record)
	switch {
	case err != nil:
		return 0, err
	case kept.ID != e.ID:
		return replica.Forked, nil
	case !kept.Same(e):
		return replica.Altered, nil
	}
	return replica.Repeated, nil
}
