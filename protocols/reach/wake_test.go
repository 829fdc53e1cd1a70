package reach_test

import (
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// quiet greets on each stream, and has no more to say.
func quiet(t *testing.T, n node) {
	n.Handle(echoID, func(s network.Stream) {
		_, _ = s.Write([]byte("hello"))
		_, _ = io.Copy(io.Discard, s)
		<-t.Context().Done()
		_ = s.Reset()
	})
}

// blocked cuts p, and has a Read wait on it and so many Writes, each on a stream
// of its own.
func blocked(t *testing.T, p reach.Path, writers int, cut func()) <-chan error {
	t.Helper()
	ended := make(chan error, 1+writers)
	var streams []network.Stream
	for range 1 + writers {
		s := open(t, p)
		say(t, s, "hello")
		_ = s.SetDeadline(time.Time{})
		streams = append(streams, s)
	}
	cut()
	for i, s := range streams {
		go func() {
			var err error
			for err == nil {
				if i == 0 {
					_, err = s.Read(make([]byte, 1))
				} else {
					_, err = s.Write(make([]byte, 1<<20))
				}
			}
			ended <- err
		}()
	}
	return ended
}

// wakes checks that so many calls return at once with the word for a lost path.
func wakes(t *testing.T, what string, ended <-chan error, calls int, began time.Time, most time.Duration) {
	t.Helper()
	for range calls {
		if err := <-ended; wire.CodeOf(err) != wire.Unreachable {
			t.Errorf("%s: %v", what, err)
		}
	}
	if took := time.Since(began); took > most {
		t.Errorf("%s: awake after %v", what, took)
	}
}

// TestClosingAPathWakesItsStreams closes paths on which nothing gets through
// any more, as a probe does that finds them dead. WebSocket takes 100 ms to say
// good-bye where there is no room.
func TestClosingAPathWakesItsStreams(t *testing.T) {
	const writers = 40 // more than the kernel has room for
	for _, tr := range []reach.Transport{reach.TCP, reach.WS} {
		for what, swallows := range map[string]bool{"lost on the way": true, "no room on the way": false} {
			a, b := newNode(t, nil), newNode(t, []reach.Transport{tr})
			quiet(t, b)
			at, cut := throttled(t, b.on(tr)[0], swallows)
			if tr == reach.WS {
				at = at.Encapsulate(ma.StringCast("/ws"))
			}
			p := a.path(t, reach.Want{Peer: b.ID(), Addrs: []ma.Multiaddr{at}, Transport: tr})
			room := open(t, p)
			say(t, room, "hello")
			ended := blocked(t, p, writers, cut)
			for !swallows {
				_ = room.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
				if _, err := room.Write(make([]byte, 100)); errors.Is(err, os.ErrDeadlineExceeded) {
					break
				}
			}
			began := time.Now()
			_ = p.Close()
			wakes(t, string(tr)+", "+what, ended, 1+writers, began, 5*time.Second) // on a busy machine
		}
	}
}

func TestClosingAQUICPathWakesItsStreams(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, c *cable) {
		a, b := c.node(t, "1.0.0.1", reach.Config{}), c.node(t, "1.0.0.2", reach.Config{})
		quiet(t, b)
		p := a.path(t, reach.Want{Peer: b.ID(), Addrs: b.Addrs()})
		ended := blocked(t, p, 4, func() { c.dropping(between("1.0.0.1", "1.0.0.2")) })
		time.Sleep(time.Second)
		began := time.Now()
		_ = p.Close()
		wakes(t, "QUIC", ended, 5, began, 0)
	})
}
