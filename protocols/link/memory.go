package link

import (
	"sync"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// pool is a node's memory for links, in bytes. Every link has its two first
// windows of it from the beginning, so that nobody has to ask before the first
// bytes. Half may be had beyond that: what has grown leaves room for new links.
type pool struct {
	size int64

	mu     sync.Mutex // guards what follows
	firsts int64
	grown  int64
}

// firsts is what each link has from the beginning.
const firsts = 2 * firstWindow

// admit takes the first windows of one more link.
func (p *pool) admit() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.firsts+p.grown+firsts > p.size {
		return wire.LimitError("memory of links", p.size, "limits.link_memory")
	}
	p.firsts += firsts
	return nil
}

// dismiss gives back what admit took.
func (p *pool) dismiss() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.firsts -= firsts
}

// reserve gives what is asked for, as long as it is no more than an eighth of
// what is left: many links share, and the last find something.
func (p *pool) reserve(n uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	left := min(p.size/2-p.grown, p.size-p.firsts-p.grown)
	if left <= 0 || n > uint64(left)/8 {
		return false
	}
	p.grown += int64(n)
	return true
}

func (p *pool) release(n uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.grown -= int64(n)
}

// used is what is taken.
func (p *pool) used() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.firsts + p.grown
}
