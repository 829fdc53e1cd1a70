package store

import (
	"context"
	"slices"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/session/replica"
)

const (
	// maxGroup caps the entries that one commit takes from those who wait.
	maxGroup = 4096
	// maxGroupBytes caps their bodies, but for the first one's.
	maxGroupBytes = 4 << 20
)

// waiting is a write that waits for its sync. Its owner has it again when wake
// says so; until then whoever leads may change it.
type waiting struct {
	entries  []replica.Entry // drafts have no counter
	verdicts []replica.Verdict
	err      error
	wake     chan bool // true: lead the next commit; false: done
}

// Append holds entries of other devices, each of its log's next counter up or
// down. Where it returns no error, what its verdicts call Stored and Repeated is
// on the disk. Bodies are not kept.
func (j *Journal) Append(ctx context.Context, entries []replica.Entry) ([]replica.Verdict, error) {
	w := &waiting{entries: entries}
	err := j.submit(ctx, w)
	return w.verdicts, err
}

// Write adds entries to this device's own log of a conversation and returns
// them, on the disk. sent is Unix milliseconds. Errors are those of
// replica.CheckBody, Limit, and those of the disk; then nothing was written, and
// the text is still the caller's.
func (j *Journal) Write(ctx context.Context, with identity.Principal, sent uint64, drafts ...replica.Draft) ([]replica.Entry, error) {
	w := &waiting{entries: make([]replica.Entry, len(drafts))}
	for i, d := range drafts {
		if err := replica.CheckBody(d.Kind, d.Body); err != nil {
			return nil, err
		}
		w.entries[i] = replica.Entry{Key: replica.Key{With: with}, Kind: d.Kind, Sent: sent, Body: d.Body}
	}
	if err := j.submit(ctx, w); err != nil {
		return nil, err
	}
	return w.entries, nil
}

// submit returns when w is committed, or cannot be. When ctx ends w is dropped,
// if it has not been taken into a commit yet.
func (j *Journal) submit(ctx context.Context, w *waiting) error {
	if len(w.entries) == 0 {
		return nil
	}
	w.wake = make(chan bool, 1)
	j.mu.Lock()
	j.queue = append(j.queue, w)
	lead := !j.leading
	j.leading = true
	j.mu.Unlock()
	if !lead {
		select {
		case lead = <-w.wake:
		case <-ctx.Done():
			if j.withdraw(w) {
				return j.s.fail("append", ctx.Err())
			}
			lead = <-w.wake
		}
	}
	if lead {
		j.lead(context.WithoutCancel(ctx))
	}
	return w.err
}

// withdraw takes w from the queue, and reports false if somebody has it, or has
// made it the leader.
func (j *Journal) withdraw(w *waiting) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	i := slices.Index(j.queue, w)
	if i < 0 || len(w.wake) > 0 {
		return false
	}
	j.queue = slices.Delete(j.queue, i, i+1)
	return true
}

// lead commits what waits, the leader's own among it, and makes the first of
// those who have come meanwhile the next leader.
func (j *Journal) lead(ctx context.Context) {
	group := j.takeGroup()
	t := newTransaction(j)
	err := t.run(ctx, group)
	if err == nil {
		j.apply(t)
		if j.watch != nil && len(t.added) > 0 {
			j.watch(t.added, t.runs())
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for i, w := range group {
		if w.err == nil {
			w.err = err
		}
		if i > 0 { // the first is the leader's own
			w.wake <- false
		}
	}
	if j.leading = len(j.queue) > 0; j.leading {
		j.queue[0].wake <- true
	}
}

func (j *Journal) takeGroup() []*waiting {
	j.mu.Lock()
	defer j.mu.Unlock()
	n, count, bytes := 0, 0, 0
	for ; n < len(j.queue); n++ {
		for i := range j.queue[n].entries {
			bytes += len(j.queue[n].entries[i].Body)
		}
		if count += len(j.queue[n].entries); n > 0 && (count > maxGroup || bytes > maxGroupBytes) {
			break
		}
	}
	group := slices.Clone(j.queue[:n])
	j.queue = slices.Delete(j.queue, 0, n)
	return group
}

// apply makes true in memory what the transaction has brought to the disk.
func (j *Journal) apply(t *transaction) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for key, l := range t.logs {
		if _, known := j.logs[key]; !known {
			c := j.conversations[key.With]
			c.authors++
			j.conversations[key.With] = c
		}
		j.logs[key] = l
	}
	for with, changed := range t.touched {
		c := j.conversations[with]
		c.number, c.bytes = changed.number, c.bytes+changed.bytes
		if changed.begun {
			c.epoch, c.written = changed.epoch, true
		}
		j.conversations[with] = c
	}
	j.stats.Entries += uint64(len(t.added))
	if t.wrote {
		j.stats.Syncs++
	}
}
