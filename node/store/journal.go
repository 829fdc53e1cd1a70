package store

import (
	"context"
	"sync"
	"time"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/replica"
)

// JournalName is the journal's file in a node's state directory.
const JournalName = "journal.db"

// Journal keeps conversations: every log that this device holds of, in one file.
// What it has acknowledged is on the disk. Whoever writes while another's write
// is being synced waits for the next sync, together with all others who wait. It
// is safe for concurrent use.
type Journal struct {
	// fixed after OpenJournal
	JournalConfig
	s       *Store
	inserts inserts

	// owned by whoever leads a commit
	clock replica.Clock
	watch func([]replica.Entry, map[replica.Key]replica.Run)

	mu            sync.Mutex
	conversations map[identity.Principal]conversation
	logs          map[replica.Key]held
	queue         []*waiting
	leading       bool
	stats         JournalStats
}

// JournalStats counts since the journal was opened.
type JournalStats struct {
	Entries uint64 // held anew
	Syncs   uint64 // transactions that brought them to the disk
}

// JournalConfig says whose journal it is.
type JournalConfig struct {
	Path string             // of the file, made if it is not there; empty for one in memory
	Self identity.Principal // the device whose own logs are written
	Now  func() time.Time   // its clock
	// ConversationBytes caps what the records of one conversation take. Above it
	// nothing is held that comes from other devices. 0 is 1 GiB.
	ConversationBytes int64
}

type conversation struct {
	number  int64 // 0 before it is on the disk
	bytes   int64 // of records
	epoch   uint64
	written bool // epoch is set
	authors int
}

type held struct {
	replica.Log
	number int64 // of the author, 0 before it is on the disk
}

// OpenJournal opens a journal. Errors are those of Open.
func OpenJournal(ctx context.Context, cfg JournalConfig) (*Journal, error) {
	if cfg.ConversationBytes == 0 {
		cfg.ConversationBytes = 1 << 30
	}
	s, err := openFile(ctx, cfg.Path, journalSchema, "")
	if err != nil {
		return nil, err
	}
	j := &Journal{JournalConfig: cfg, s: s, conversations: map[identity.Principal]conversation{}, logs: map[replica.Key]held{}}
	if err = j.load(ctx); err == nil {
		err = j.inserts.prepare(ctx, s.db)
	}
	if err != nil {
		s.db.Close()
		return nil, s.fail("open journal", err)
	}
	return j, nil
}

// Close closes the file. What waits for a sync is waited for by its caller: nobody
// is to write any more.
func (j *Journal) Close() error {
	j.inserts.close()
	return j.s.Close()
}

// Watch says who hears of every commit, before those who wait for it: what is new
// in the order of the commits, and the runs that are then held. It is called once,
// before the first write.
func (j *Journal) Watch(f func(added []replica.Entry, runs map[replica.Key]replica.Run)) { j.watch = f }

// Stats returns what was counted.
func (j *Journal) Stats() JournalStats {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.stats
}

// Runs returns what is held of every log.
func (j *Journal) Runs() map[replica.Key]replica.Run {
	j.mu.Lock()
	defer j.mu.Unlock()
	runs := make(map[replica.Key]replica.Run, len(j.logs))
	for key, l := range j.logs {
		runs[key] = l.Run()
	}
	return runs
}

// Adopt begins to hold a log of which another device holds run, unless it is
// held already, and returns what is held. Where that is nothing yet, and the other
// device has nothing of what is to come first, it begins lower. It comes to the disk with the log's
// first entry. Its error is Limit.
func (j *Journal) Adopt(key replica.Key, run replica.Run) (replica.Run, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	l, adopted := j.logs[key]
	if adopted && !l.Run().Useless(run) {
		return l.Run(), nil
	}
	c, known := j.conversations[key.With]
	switch {
	case adopted:
		c.authors-- // counted before
	case !known && len(j.conversations) == replica.MaxConversations:
		return run, wire.LimitError("conversations", replica.MaxConversations, "")
	case c.authors >= replica.MaxAuthors:
		return run, wire.LimitError("authors of a conversation", replica.MaxAuthors, "")
	}
	c.authors++
	j.conversations[key.With] = c
	begin := run.Begin()
	j.logs[key] = held{Log: replica.Log{Low: begin.Low, High: begin.High}}
	return begin, nil
}

// Renew begins a new epoch of this device in a conversation, at its next write, if
// key is of the present one. Where a conversation has too many authors the epoch
// stays.
func (j *Journal) Renew(ctx context.Context, key replica.Key) error {
	j.mu.Lock()
	c := j.conversations[key.With]
	mine := key.Author.Device == j.Self && c.written && c.epoch == key.Author.Epoch && c.authors < replica.MaxAuthors+ownEpochs
	if mine {
		c.written = false
		j.conversations[key.With] = c
	}
	j.mu.Unlock()
	if !mine {
		return nil
	}
	return j.s.exec(ctx, "renew epoch", "UPDATE conversations SET epoch = NULL WHERE account = ? AND epoch = ?",
		key.With.Bytes(), epochBytes(key.Author.Epoch))
}
