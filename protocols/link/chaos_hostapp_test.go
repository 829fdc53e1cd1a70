package link

import (
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"time"
)

// hostApp is what uses an end on real hosts, and goes with it from one to
// another. While an end is frozen its application stands still.
type hostApp struct {
	w       *chaosWorld
	at      int
	rng     *rand.Rand // the writer's
	size    int        // of reads
	pausing time.Duration
	running sync.WaitGroup

	mu    sync.Mutex // guards what follows
	n     *chaosHost
	l     *Link
	out   outcome
	wrong string
}

// use has the application go on with an end.
func (a *hostApp) use(n *chaosHost, l *Link) {
	a.mu.Lock()
	a.n, a.l = n, l
	a.mu.Unlock()
	a.running.Go(func() { a.writes(l) })
	a.running.Go(func() { a.reads(l) })
}

func (a *hostApp) writes(l *Link) {
	for {
		a.mu.Lock()
		off, left, all := a.out.written, a.out.toWrite-a.out.written, a.out.toWrite
		a.mu.Unlock()
		if left == 0 {
			_ = l.CloseWrite()
			return
		}
		b := make([]byte, min(left, uint64(1+a.rng.IntN(int(all/50+1)))))
		for i := range b {
			b[i] = streamByte(a.at, off+uint64(i))
		}
		n, err := l.Write(b)
		a.mu.Lock()
		a.out.written += uint64(n)
		a.mu.Unlock()
		if errors.Is(err, errFarClosed) {
			_ = l.CloseWrite()
		}
		if err != nil {
			return
		}
		<-time.After(time.Duration(a.rng.Int64N(int64(a.pausing) + 1)))
	}
}

func (a *hostApp) reads(l *Link) {
	b := make([]byte, a.size)
	for {
		n, err := l.Read(b)
		if a.takes(b[:n], err); err != nil {
			return
		}
	}
}

// takes checks what was read.
func (a *hostApp) takes(b []byte, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range b {
		if off := a.out.read + uint64(i); b[i] != streamByte(1-a.at, off) && a.wrong == "" {
			a.wrong = "a byte differs"
		}
	}
	a.out.read += uint64(len(b))
	a.out.sawEOF = a.out.sawEOF || err == io.EOF
}

// ended is what became of the end, once nothing of it runs.
func (a *hostApp) ended() outcome {
	a.mu.Lock()
	defer a.mu.Unlock()
	o := a.out
	if a.l == nil {
		o.never = true
		return o
	}
	o.err = a.l.Err()
	a.l.mu.Lock()
	o.over = a.l.m.overAt
	a.l.mu.Unlock()
	return o
}

// where is the host that has the end, and the end; nil before there is one.
func (a *hostApp) where() (*chaosHost, *Link) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.n, a.l
}

// is reads, and set sets, a part of the outcome.
func (a *hostApp) is(what *bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return *what
}

func (a *hostApp) set(what *bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	*what = true
}

// step is where the end stands.
func (a *hostApp) step() step {
	_, l := a.where()
	if l == nil {
		return stepNone
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return stepOf(l.m)
}
