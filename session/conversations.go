package session

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/session/replica"
)

// Journal keeps the logs. What it has answered is on the disk. It is safe for
// concurrent use; node/store implements it.
type Journal interface {
	// Runs returns what is held of every log.
	Runs() map[replica.Key]replica.Run
	// Adopt begins to hold a log of which another device holds run, and returns
	// what is held. An empty run begins lower where it is Useless.
	Adopt(key replica.Key, run replica.Run) (replica.Run, error)
	// Append holds entries of other devices, and decides about each. Bodies are
	// not kept.
	Append(ctx context.Context, entries []replica.Entry) ([]replica.Verdict, error)
	// Write adds entries to this device's own log of a conversation. sent is Unix
	// milliseconds.
	Write(ctx context.Context, with identity.Principal, sent uint64, drafts ...replica.Draft) ([]replica.Entry, error)
	// Read returns entries from a counter upwards or downwards, about limit bytes,
	// at least one if it is held.
	Read(ctx context.Context, key replica.Key, from uint64, down bool, limit int) ([]replica.Entry, error)
	// Page returns at most n texts with the highest places before the given one,
	// the newest first.
	Page(ctx context.Context, with identity.Principal, before replica.ID, n int) ([]replica.Shown, error)
	// Marks returns the highest marks of every device of a conversation.
	Marks(ctx context.Context, with identity.Principal) ([]replica.Marked, error)
	// State returns the entry that is a conversation's state, false if it has none.
	State(ctx context.Context, with identity.Principal) (replica.Entry, bool, error)
	// Renew begins a new epoch of this device in a conversation, if key is of the
	// present one.
	Renew(ctx context.Context, key replica.Key) error
	// Watch says who hears of every commit, in their order and before those who
	// wait for it: what is new, and the runs then held. Entries are not kept by f.
	Watch(f func(added []replica.Entry, runs map[replica.Key]replica.Run))
}

// Observer hears what happens. Its methods are not to block, nor to call back.
type Observer interface {
	// Added tells of entries that are new here, of this and other devices.
	Added(entries []replica.Entry)
	// Held tells that a far device holds a run of a log durably.
	Held(far identity.Principal, key replica.Key, run replica.Run)
	// Stopped tells that a log goes no further in the session with a far device,
	// though the session does. Taken: the log has different entries here and there,
	// since its author's store was restored from a backup, or runs twice. Limit:
	// one side has no room for more of the conversation.
	Stopped(far identity.Principal, key replica.Key, why error)
}

// Config is of one device. All is needed.
type Config struct {
	Device   identity.Principal // this one
	Account  identity.Principal // whose it is
	Journal  Journal
	Observer Observer
	Now      func() time.Time
}

// Conversations are those of one account on one device.
type Conversations struct {
	cfg    Config
	tail   tail
	counts struct{ repeated, stopped, refused atomic.Uint64 }

	mu       sync.Mutex
	sessions map[*session]bool
}

// Stats counts what has arrived since the start. None of it was held.
type Stats struct {
	Repeated uint64 // entries that were held already
	Stopped  uint64 // logs that went no further in a session
	Refused  uint64 // sessions ended because the far side broke the protocol
}

// New returns the conversations that the journal holds, of which it then is the
// only watcher.
func New(cfg Config) *Conversations {
	c := &Conversations{cfg: cfg, sessions: map[*session]bool{}}
	cfg.Journal.Watch(c.committed)
	return c
}

// Write adds entries to the conversation with an account. They are durable when
// it returns, and on their way to every device that has a session. After an
// error, the text is still the caller's: see Journal.
func (c *Conversations) Write(ctx context.Context, with identity.Principal, drafts ...replica.Draft) ([]replica.Entry, error) {
	return c.cfg.Journal.Write(ctx, with, uint64(max(c.cfg.Now().UnixMilli(), 0)), drafts...)
}

// Page returns at most n texts of a conversation before a place, the newest
// first; the zero place is the end.
func (c *Conversations) Page(ctx context.Context, with identity.Principal, before replica.ID, n int) ([]replica.Shown, error) {
	return c.cfg.Journal.Page(ctx, with, before, n)
}

// Marks returns up to where the devices that has names have marked, with the
// given kind, the log of every author of a conversation. With all devices of an
// account it is what the account has read, or received; with one, what that has.
func (c *Conversations) Marks(ctx context.Context, with identity.Principal, kind replica.Kind, has func(device identity.Principal) bool) (map[replica.Author]uint64, error) {
	marks, err := c.cfg.Journal.Marks(ctx, with)
	return replica.Highest(marks, kind, has), err
}

// State returns the application's bytes that were last written to a conversation,
// by whichever device, and nil if none were.
func (c *Conversations) State(ctx context.Context, with identity.Principal) ([]byte, error) {
	e, _, err := c.cfg.Journal.State(ctx, with)
	return e.Body, err
}

// Show sends this account's device log, which has grown, in all sessions with
// other accounts.
func (c *Conversations) Show(log []byte) {
	for _, s := range c.all() {
		if s.far.Account != c.cfg.Account {
			s.tell(func(m *replica.Machine) { m.Show(log) })
		}
	}
}

// Stats returns what was counted.
func (c *Conversations) Stats() Stats {
	return Stats{Repeated: c.counts.repeated.Load(), Stopped: c.counts.stopped.Load(), Refused: c.counts.refused.Load()}
}

// committed tells all sessions what the journal has come to hold.
func (c *Conversations) committed(added []replica.Entry, runs map[replica.Key]replica.Run) {
	c.tail.add(added)
	c.grown(runs)
	c.cfg.Observer.Added(added)
}

func (c *Conversations) grown(runs map[replica.Key]replica.Run) {
	for _, s := range c.all() {
		s.tell(func(m *replica.Machine) {
			for key, run := range runs {
				m.Mine(key, run)
			}
		})
	}
}

func (c *Conversations) all() []*session {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]*session, 0, len(c.sessions))
	for s := range c.sessions {
		all = append(all, s)
	}
	return all
}

// read returns the entries of a part, from memory or from the journal.
func (c *Conversations) read(ctx context.Context, p replica.Part) ([]replica.Entry, error) {
	if part := c.tail.read(p); len(part) > 0 {
		return part, nil
	}
	return c.cfg.Journal.Read(ctx, p.Key, p.From, p.Down, p.Limit)
}
