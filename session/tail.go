package session

import (
	"slices"
	"sync"

	"github.com/panpipe-net/panpipe/session/replica"
)

const (
	// tailBytes caps what is kept in memory of what was just committed.
	tailBytes = 4 << 20
	// entryOverhead is what an entry takes besides its body, about.
	entryOverhead = 160
)

// tail keeps the newest entries for the sessions that are about to send them.
// When it is full it is emptied: who is late reads from the journal.
type tail struct {
	mu    sync.Mutex
	bytes int
	logs  map[replica.Key][]replica.Entry // each without gaps, upwards
}

func (t *tail) add(entries []replica.Entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range entries {
		size := len(e.Body) + entryOverhead
		if t.logs == nil || t.bytes+size > tailBytes {
			t.logs, t.bytes = map[replica.Key][]replica.Entry{}, 0
		}
		log := t.logs[e.Key]
		if len(log) > 0 && log[len(log)-1].Counter+1 != e.Counter {
			continue // older than what is here
		}
		e.Body = slices.Clone(e.Body)
		t.logs[e.Key] = append(log, e)
		t.bytes += size
	}
}

// read returns what there is of a part, which may be nothing.
func (t *tail) read(p replica.Part) []replica.Entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	log := t.logs[p.Key]
	if p.Down || len(log) == 0 || p.From < log[0].Counter || p.From > log[len(log)-1].Counter {
		return nil
	}
	log = log[p.From-log[0].Counter:]
	n := 0
	for size := 0; n < len(log) && size < p.Limit; n++ {
		size += len(log[n].Body) + entryOverhead/2
	}
	return log[:n:n]
}
