package reach_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// overEach runs a test on a path over each transport; b is its far end.
func overEach(t *testing.T, f func(t *testing.T, p reach.Path, b node)) {
	for _, tr := range everyTransport {
		t.Run(string(tr), func(t *testing.T) {
			a, b := newNode(t, []reach.Transport{tr}), newNode(t, []reach.Transport{tr})
			f(t, a.path(t, reach.Want{Peer: b.ID(), Addrs: b.on(tr), Transport: tr}), b)
		})
	}
}

func TestDeadlineThatPassedCanBeMoved(t *testing.T) {
	overEach(t, func(t *testing.T, p reach.Path, _ node) {
		s := open(t, p)
		past := time.Now().Add(-time.Second)
		for _, when := range []string{"before the protocol is agreed on", "after"} {
			if err := s.SetReadDeadline(past); err != nil {
				t.Fatal(err)
			}
			_, err := s.Read(make([]byte, 1))
			var ne net.Error
			if err != os.ErrDeadlineExceeded || !errors.As(err, &ne) || !ne.Timeout() || wire.CodeOf(err) != wire.Timeout {
				t.Fatalf("%s: %v", when, err)
			}
			if err := s.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			say(t, s, when)
		}
		if err := s.SetWriteDeadline(past); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Write(make([]byte, 4<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("write: %v", err)
		}
	})
}

func TestHalfCloseStillReads(t *testing.T) {
	overEach(t, func(t *testing.T, p reach.Path, _ node) {
		s := open(t, p)
		big := bytes.Repeat([]byte("0123456789abcdef"), 64<<10/16) // more than leaves with the proposal
		if n, err := s.Write(big); n != len(big) || err != nil {
			t.Fatalf("wrote %d: %v", n, err)
		}
		if err := s.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("write after CloseWrite: %v", err)
		}
		back, err := io.ReadAll(s)
		if err != nil || !bytes.Equal(back, big) {
			t.Errorf("%d bytes back, %v", len(back), err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if _, err := s.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("read after Close: %v", err)
		}
	})
}

func TestResetOfTheFarSideIsAReset(t *testing.T) {
	overEach(t, func(t *testing.T, p reach.Path, b node) {
		b.Handle(echoID, func(s network.Stream) {
			_, _ = s.Read(make([]byte, 1))
			_ = s.Reset()
		})
		s := open(t, p)
		if _, err := s.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		_, err := io.ReadAll(s)
		if !errors.Is(err, network.ErrReset) || wire.CodeOf(err) == wire.Unreachable {
			t.Errorf("%v", err)
		}
		if _, err := open(t, p).Write([]byte("x")); err != nil {
			t.Errorf("the path is gone with the stream: %v", err)
		}
	})
}

func TestForeignProtocolIsUnsupported(t *testing.T) {
	overEach(t, func(t *testing.T, p reach.Path, b node) {
		b.Unhandle(echoID)
		s := open(t, p)
		if _, err := s.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Read(make([]byte, 1)); wire.CodeOf(err) != wire.Unsupported {
			t.Errorf("%v", err)
		}
	})
}

func TestLostPathIsUnreachable(t *testing.T) {
	for _, tr := range everyTransport {
		t.Run(string(tr), func(t *testing.T) {
			a, b := newNode(t, []reach.Transport{tr}), newNode(t, []reach.Transport{tr})
			p := a.path(t, reach.Want{Peer: b.ID(), Addrs: b.on(tr), Transport: tr})
			s := open(t, p)
			say(t, s, "hello")
			for _, q := range b.Paths(a.ID()) {
				if err := q.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := io.ReadAll(s); wire.CodeOf(err) != wire.Unreachable {
				t.Errorf("stream: %v", err)
			}
			if _, err := p.OpenStream(within(t), echoID); wire.CodeOf(err) != wire.Unreachable {
				t.Errorf("open: %v", err)
			}
			if again := a.Paths(b.ID()); len(again) > 0 {
				t.Errorf("the lost path is given again: %v", again)
			}
		})
	}
}

func TestUnusedStreamClosesAtOnce(t *testing.T) {
	overEach(t, func(t *testing.T, p reach.Path, b node) {
		b.Handle(echoID, func(s network.Stream) { t.Error("the far side was told of it") })
		s := open(t, p)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if _, err := s.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("write: %v", err)
		}
	})
}

func TestOpeningEndsWithItsContext(t *testing.T) {
	a, b := newNode(t, []reach.Transport{reach.QUIC}), newNode(t, []reach.Transport{reach.QUIC})
	p := a.path(t, reach.Want{Peer: b.ID(), Addrs: b.on(reach.QUIC)})
	b.Handle(echoID, func(s network.Stream) { <-t.Context().Done(); _ = s.Reset() })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for { // until the far side grants no more streams
		s, err := p.OpenStream(ctx, echoID)
		if err != nil {
			if wire.CodeOf(err) != wire.Closed || !p.Live() {
				t.Errorf("%v, live %v", err, p.Live())
			}
			return
		}
		defer func() { _ = s.Reset() }()
	}
}
