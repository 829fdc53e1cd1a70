package reach_test

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/test"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

const rtt = 50 * time.Millisecond

// world runs a test with two nodes on a virtual network in virtual time.
func world(t *testing.T, cfg reach.Config, f func(t *testing.T, a, b node)) {
	inVirtualTime(t, func(t *testing.T, c *cable) {
		f(t, c.node(t, "1.0.0.1", cfg), c.node(t, "1.0.0.2", cfg))
	})
}

func TestSilentAddressEndsAtTheDialTimeout(t *testing.T) {
	silent := []ma.Multiaddr{ma.StringCast("/ip4/1.0.0.9/udp/8000/quic-v1"), ma.StringCast("/ip4/1.0.0.8/udp/8000/quic-v1")}
	// QUIC itself gives up after 5 s, and the second address is dialled 250 ms
	// after the first.
	for limit, want := range map[time.Duration]time.Duration{3 * time.Second: 3 * time.Second, 0: 5250 * time.Millisecond} {
		for _, w := range []reach.Want{{}, {Transport: reach.QUIC}, {Only: true}} {
			world(t, reach.Config{DialTimeout: limit}, func(t *testing.T, a, _ node) {
				w.Peer, w.Addrs = test.RandPeerIDFatal(t), silent
				start := time.Now()
				_, attempts, err := a.Path(t.Context(), w)
				var d *reach.DialError
				if !errors.As(err, &d) || wire.CodeOf(err) != wire.Timeout {
					t.Errorf("%+v: %v", w, err)
				}
				if took := time.Since(start); took != want {
					t.Errorf("%+v: took %v, want %v", w, took, want)
				}
				if len(attempts) != 2 || wire.CodeOf(attempts[0].Err) != wire.Timeout || wire.CodeOf(attempts[1].Err) != wire.Timeout {
					t.Errorf("attempts %+v", attempts)
				}
			})
		}
	}
}

func TestCallerThatLeavesDoesNotEndTheDialOfOthers(t *testing.T) {
	world(t, reach.Config{}, func(t *testing.T, a, b node) {
		w := reach.Want{Peer: b.ID(), Addrs: b.Addrs(), Transport: reach.QUIC}
		impatient := make(chan error, 1)
		go func() {
			ctx, cancel := contextFor(t, rtt/2)
			defer cancel()
			_, _, err := a.Path(ctx, w)
			impatient <- err
		}()
		synctest.Wait() // it has begun the dial
		start := time.Now()
		if _, _, err := a.Path(t.Context(), w); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took < rtt || took > 3*rtt {
			t.Errorf("dial took %v", took)
		}
		if err := <-impatient; wire.CodeOf(err) != wire.Timeout {
			t.Errorf("the impatient caller was told %v", err)
		}
	})
}

func TestFirstAnswerOnAStreamTakesOneRoundTrip(t *testing.T) {
	world(t, reach.Config{}, func(t *testing.T, a, b node) {
		p, _, err := a.Path(t.Context(), reach.Want{Peer: b.ID(), Addrs: b.Addrs()})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second) // identify is over
		start := time.Now()
		s, err := p.OpenStream(t.Context(), echoID)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(s, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < rtt || took > rtt+rtt/10 {
			t.Errorf("first answer after %v, want one round trip", took)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestClosingAStreamNobodyAnswersIsBounded(t *testing.T) {
	world(t, reach.Config{}, func(t *testing.T, a, b node) {
		p, _, err := a.Path(t.Context(), reach.Want{Peer: b.ID(), Addrs: b.Addrs()})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		b.Network().SetStreamHandler(func(s network.Stream) { <-t.Context().Done(); _ = s.Reset() })
		s, err := p.OpenStream(t.Context(), echoID)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("Close took %v", took)
		}
	})
}

func TestTwoUnprovenAddressesAreInFlightAtATime(t *testing.T) {
	var silent []ma.Multiaddr
	for i := range 8 {
		silent = append(silent, ma.StringCast(fmt.Sprintf("/ip4/1.0.%d.9/udp/8000/quic-v1", i)))
	}
	world(t, reach.Config{}, func(t *testing.T, a, b node) {
		w := reach.Want{Peer: test.RandPeerIDFatal(t), Addrs: silent, Unproven: silent}
		_, attempts, err := a.Path(t.Context(), w)
		if wire.CodeOf(err) != wire.Timeout || len(attempts) < 5 {
			t.Errorf("%v after %d attempts, want at least 5: two, each for 4 s of 10", err, len(attempts))
		}
		for _, x := range attempts {
			inFlight := 0
			for _, y := range attempts {
				if !y.Started.After(x.Started) && y.Started.Add(y.Took).After(x.Started) {
					inFlight++
				}
			}
			if inFlight > 2 {
				t.Errorf("%d were in flight when %s was dialled", inFlight, x.Addr)
			}
		}
		// One that was seen does not wait for them.
		w = reach.Want{Peer: b.ID(), Addrs: append(silent, b.Addrs()...), Unproven: silent}
		start := time.Now()
		if _, _, err := a.Path(t.Context(), w); err != nil || time.Since(start) > time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}
