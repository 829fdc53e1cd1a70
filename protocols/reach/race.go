package reach

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/transport"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// race dials several addresses, each somewhat after the one before it or as
// soon as nothing is in flight, until one gives a connection (RFC 8305). Of
// those that are wary only two are in flight at a time.
type race struct {
	dial func(context.Context, ma.Multiaddr) (transport.CapableConn, error)
	goes func(relayed bool, f func()) // runs f on a goroutine that somebody owns
	wary map[string]bool              // binary addresses that nobody has seen the peer at

	mu       sync.Mutex
	attempts []Attempt             // in the order of their start
	ended    []bool                // beside attempts
	over     bool                  // whoever comes now is closed
	winner   transport.CapableConn // set once
	settled  chan ma.Multiaddr     // each whose dial ended before the race did
}

// run dials the addresses of order until the first success, the last failure
// or the end of ctx. Dials that lost are cancelled, and closed when they
// succeed all the same; run does not wait for them.
func (x *race) run(ctx context.Context, order []network.AddrDelay) transport.CapableConn {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	slices.SortStableFunc(order, func(a, b network.AddrDelay) int { return int(a.Delay - b.Delay) })
	x.settled = make(chan ma.Multiaddr, len(order))
	l := line{wary: x.wary, waiting: order}
	start := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		next, again := l.next(time.Since(start))
		for ; next != nil; next, again = l.next(time.Since(start)) {
			x.start(ctx, next, l.impatient(next))
		}
		if len(l.flying) == 0 {
			return x.end(wire.Unreachable)
		}
		if again > 0 {
			timer.Reset(again)
		}
		select {
		case a := <-x.settled:
			if l.landed(a); x.won() {
				return x.end(errSlower)
			}
		case <-timer.C:
		case <-ctx.Done():
			return x.end(cause(context.Cause(ctx)))
		}
	}
}

// start begins one dial. An impatient one has a short time, since others wait
// for its end.
func (x *race) start(ctx context.Context, addr ma.Multiaddr, impatient bool) {
	x.mu.Lock()
	i := len(x.attempts)
	t := TransportOf(addr)
	x.attempts = append(x.attempts, Attempt{Addr: addr, Transport: t, Started: time.Now()})
	x.ended = append(x.ended, false)
	x.mu.Unlock()
	x.goes(t == Relay, func() {
		if impatient {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, waryTime)
			defer cancel()
		}
		conn, err := x.dial(ctx, addr)
		x.settle(i, conn, err)
	})
}

// settle takes in how a dial ended.
func (x *race) settle(i int, conn transport.CapableConn, err error) {
	x.mu.Lock()
	if x.over || (conn != nil && x.winner != nil) {
		x.mu.Unlock()
		if conn != nil {
			_ = conn.Close() // nobody is to hear of it
		}
		return
	}
	a := &x.attempts[i]
	a.Took, a.Err = time.Since(a.Started), cause(err)
	x.ended[i] = true
	if conn != nil {
		x.winner = conn
	}
	x.mu.Unlock()
	x.settled <- a.Addr
}

func (x *race) won() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.winner != nil
}

// end closes the race and returns the winner, if any. Dials that have not
// ended are noted to have failed with why.
func (x *race) end(why error) transport.CapableConn {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.over = true
	if x.winner != nil {
		why = errSlower
	}
	x.attempts = x.notedLocked(why)
	return x.winner
}

// noted returns the attempts so far; those that have not ended are given why.
func (x *race) noted(why error) []Attempt {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.notedLocked(why)
}

func (x *race) notedLocked(why error) []Attempt {
	noted := slices.Clone(x.attempts)
	for i := range noted {
		if !x.ended[i] && noted[i].Err == nil {
			noted[i].Took, noted[i].Err = time.Since(noted[i].Started), why
		}
	}
	return noted
}

// errSlower is told of dials that another one beat.
var errSlower = wire.Errorf(wire.Closed, "given up: another address answered first")

// Beaten reports that the try was given up because another one had succeeded:
// nothing is known to be wrong with the address.
func (a Attempt) Beaten() bool { return errors.Is(a.Err, errSlower) }
