package reach

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/transport"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// fakeConn is a connection that can only be closed.
type fakeConn struct {
	transport.CapableConn
	closed chan struct{}
}

func (c *fakeConn) Close() error { close(c.closed); return nil }

// plan says how the dial of one address goes.
type plan struct {
	after    time.Duration // from the start of the race, when it begins
	takes    time.Duration // 0 is for ever
	err      error         // nil gives a connection
	stubborn bool          // takes its time though it is cancelled
}

// runRace runs a race in virtual time and returns the winner's index (-1 for
// none), the attempts, how long it took, and the connections made.
func runRace(ctx context.Context, plans []plan) (int, []Attempt, time.Duration, []*fakeConn) {
	conns := make([]*fakeConn, len(plans))
	var order []network.AddrDelay
	index := make(map[string]int)
	for i, p := range plans {
		a := ma.StringCast("/ip4/1.2.3.4/tcp/" + string(rune('1'+i)))
		index[a.String()] = i
		order = append(order, network.AddrDelay{Addr: a, Delay: p.after})
	}
	var wg sync.WaitGroup
	x := &race{
		goes: func(_ bool, f func()) { wg.Go(f) },
		dial: func(ctx context.Context, a ma.Multiaddr) (transport.CapableConn, error) {
			i := index[a.String()]
			p := plans[i]
			var took <-chan time.Time
			cancelled := ctx.Done()
			if p.takes > 0 {
				took = time.After(p.takes)
			}
			if p.stubborn {
				cancelled = nil
			}
			select {
			case <-took:
			case <-cancelled:
				return nil, ctx.Err()
			}
			if p.err != nil {
				return nil, p.err
			}
			conns[i] = &fakeConn{closed: make(chan struct{})}
			return conns[i], nil
		},
	}
	start, won := time.Now(), -1
	winner := x.run(ctx, order)
	took := time.Since(start)
	wg.Wait()
	for i, c := range conns {
		if c != nil && winner == transport.CapableConn(c) {
			won = i
		}
	}
	return won, x.noted(nil), took, conns
}

func TestRaceStartsEachDialWhenItIsDue(t *testing.T) {
	bad := errors.New("bad")
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		plans []plan
		won   int
		took  time.Duration
		tried int
	}{
		"the first answers in time":      {[]plan{{0, 100 * ms, nil, false}, {250 * ms, 1 * ms, nil, false}}, 0, 100 * ms, 1},
		"the second overtakes":           {[]plan{{0, 900 * ms, nil, false}, {250 * ms, 100 * ms, nil, false}}, 1, 350 * ms, 2},
		"a failure calls the next":       {[]plan{{0, 10 * ms, bad, false}, {250 * ms, 100 * ms, nil, false}}, 1, 110 * ms, 2},
		"but not while one is in flight": {[]plan{{0, 500 * ms, nil, false}, {0, 10 * ms, bad, false}, {250 * ms, 400 * ms, nil, false}}, 0, 500 * ms, 3},
		"all fail":                       {[]plan{{0, 10 * ms, bad, false}, {250 * ms, 20 * ms, bad, false}}, -1, 30 * ms, 2},
		"all silent":                     {[]plan{{0, 0, nil, false}, {250 * ms, 0, nil, false}}, -1, 5 * time.Second, 2},
		"a loser that comes late":        {[]plan{{0, 900 * ms, nil, true}, {250 * ms, 100 * ms, nil, false}}, 1, 350 * ms, 2},
		"two at once":                    {[]plan{{0, 100 * ms, nil, true}, {0, 100 * ms, nil, true}}, -2, 100 * ms, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				won, attempts, took, conns := runRace(ctx, c.plans)
				if won != c.won && !(c.won == -2 && won >= 0) || took != c.took || len(attempts) != c.tried {
					t.Errorf("%d won after %v in %d dials; want %d, %v, %d", won, took, len(attempts), c.won, c.took, c.tried)
				}
				for i, conn := range conns {
					if conn == nil {
						continue
					}
					select {
					case <-conn.closed:
						if i == won {
							t.Error("the winner was closed")
						}
					default:
						if i != won {
							t.Errorf("loser %d was left open", i)
						}
					}
				}
				checkAttempts(t, attempts, won >= 0)
			})
		})
	}
}

// checkAttempts wants exactly one attempt without an error, if any won.
func checkAttempts(t *testing.T, attempts []Attempt, won bool) {
	t.Helper()
	good := 0
	for _, a := range attempts {
		if a.Beaten() && (!won || a.Err == nil) {
			t.Errorf("beaten by nobody: %+v", a)
		}
		switch {
		case a.Err == nil:
			good++
		case wire.CodeOf(a.Err) == wire.Internal:
			t.Errorf("attempt ended with %v, outside the vocabulary", a.Err)
		}
	}
	if won != (good == 1) || good > 1 {
		t.Errorf("%d attempts without an error", good)
	}
}
