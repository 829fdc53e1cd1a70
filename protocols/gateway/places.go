package gateway

import (
	"sync"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// places counts channels against a cap, and those of each client against
// another. Where they are shared nobody can take them all: unless each is set, a
// client may have as many as are still free. Alone, one gets half of them, of
// two each gets a third, and whoever comes next finds some free.
type places struct {
	shared                bool
	what, setting         string // of the whole, for the error
	eachWhat, eachSetting string // of one client

	mu    sync.Mutex // guards what follows
	most  int        // 0: no end
	each  int        // of one client; 0: as many as are free
	taken int
	by    map[string]int // clients that have some
}

// set changes the caps; who has more keeps it.
func (p *places) set(most, each int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.most, p.each = most, each
}

// full is why there is no place: a cap of this node's own, which a setting moves.
type full struct {
	err            *wire.Error
	limit, setting string
}

func (f full) Error() string { return f.err.Error() }
func (f full) Unwrap() error { return f.err }

func fullError(limit string, value int, setting string) error {
	return full{wire.LimitError(limit, int64(value), setting), limit, setting}
}

// take takes a place for a client. It fails with the cap that is in the way.
func (p *places) take(client string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	free, has := p.most-p.taken, p.by[client]
	switch {
	case p.most > 0 && free <= 0:
		return fullError(p.what, p.most, p.setting)
	case p.each > 0 && has >= p.each:
		return fullError(p.eachWhat, p.each, p.eachSetting)
	case p.shared && p.each == 0 && p.most > 0 && has >= free:
		return fullError(p.eachWhat+", as many as are free", free, p.setting)
	}
	if p.by == nil {
		p.by = make(map[string]int)
	}
	p.taken++
	p.by[client]++
	return nil
}

// give gives a place back.
func (p *places) give(client string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	if p.by[client]--; p.by[client] <= 0 {
		delete(p.by, client)
	}
}
