package reach_test

import (
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// blocked has a Read and a Write wait on p, the latter for room.
func blocked(t *testing.T, p reach.Path) (reads, writes <-chan error) {
	t.Helper()
	read, write := make(chan error, 1), make(chan error, 1)
	reading, writing := open(t, p), open(t, p)
	say(t, reading, "hello")
	say(t, writing, "hello")
	go func() {
		_, err := reading.Read(make([]byte, 1))
		read <- err
	}()
	go func() {
		for { // nobody reads what comes back, or nothing gets through
			if _, err := writing.Write(make([]byte, 1<<20)); err != nil {
				write <- err
				return
			}
		}
	}()
	return read, write
}

// wakes checks that both return at once with the word for a lost path.
func wakes(t *testing.T, what string, most time.Duration, began time.Time, calls ...<-chan error) {
	t.Helper()
	for i, c := range calls {
		err := <-c
		if took := time.Since(began); took > most || wire.CodeOf(err) != wire.Unreachable {
			t.Errorf("%s: call %d returned %v after %v", what, i, err, took)
		}
	}
}

// TestClosingAPathWakesItsStreams closes a path on which nothing gets through
// any more, as a probe does that found it dead.
func TestClosingAPathWakesItsStreams(t *testing.T) {
	for _, tr := range []reach.Transport{reach.TCP, reach.WS} {
		a, b := newNode(t, nil), newNode(t, []reach.Transport{tr})
		b.Handle(echoID, func(s network.Stream) {
			_, _ = s.Write([]byte("hello"))
			<-t.Context().Done()
			_ = s.Reset()
		})
		at, cut := throttled(t, b.on(tr)[0])
		if tr == reach.WS {
			at = at.Encapsulate(ma.StringCast("/ws"))
		}
		p := a.path(t, reach.Want{Peer: b.ID(), Addrs: []ma.Multiaddr{at}, Transport: tr})
		reads, writes := blocked(t, p)
		cut()
		began := time.Now()
		_ = p.Close()
		wakes(t, string(tr), time.Second, began, reads, writes)
	}
}

func TestClosingAQUICPathWakesItsStreams(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, c *cable) {
		a, b := c.node(t, "1.0.0.1", reach.Config{}), c.node(t, "1.0.0.2", reach.Config{})
		p := a.path(t, reach.Want{Peer: b.ID(), Addrs: b.Addrs()})
		b.Handle(echoID, func(s network.Stream) {
			_, _ = s.Write([]byte("hello"))
			<-t.Context().Done()
			_ = s.Reset()
		})
		reads, writes := blocked(t, p)
		time.Sleep(5 * time.Second)
		c.dropping(between("1.0.0.1", "1.0.0.2"))
		time.Sleep(time.Second)
		began := time.Now()
		<-a.Doubt(p)
		wakes(t, "QUIC", 4*time.Second, began, reads, writes)
	})
}
