package integration

import (
	"io"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/integration/world"
	"github.com/panpipe-net/panpipe/protocols/buddy"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/call"
)

func (p *person) calls() *call.Calls {
	p.t.Helper()
	c, err := p.Calls()
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

func TestCallsRingEverywhereAndDataGoesOnOverAMove(t *testing.T) {
	world.Run(t, world.Config{Nodes: 12}, func(t *testing.T, w *world.World) {
		laptop, phone, bob := buddies(t, w)
		defer bob.roster().Attend(laptop.id())()
		w.Pass(10 * time.Second)

		stopped := make(chan call.Event, 4)
		laptop.WatchCalls(func(e call.Event) {
			if e.Kind == call.Stopped {
				stopped <- e
			}
		})
		rings := make(chan call.Event, 1)
		phone.WatchCalls(func(e call.Event) {
			if e.Kind == call.Rings {
				rings <- e
			}
		})
		type made struct {
			s   *call.Session
			err error
		}
		got := make(chan made, 1)
		go func() {
			s, err := bob.calls().Call(t.Context(), laptop.id(), call.Options{Kind: buddy.Voice})
			got <- made{s, err}
		}()
		ringing := <-rings
		w.Pass(3 * time.Second)
		if ringing.Info.Account != bob.id() || len(laptop.calls().Ringing()) != 1 {
			t.Errorf("%+v rings, and %d calls on the laptop", ringing.Info, len(laptop.calls().Ringing()))
		}
		far, err := phone.calls().Answer(t.Context(), ringing.Info.ID)
		if err != nil {
			t.Fatal(err)
		}
		near := <-got
		if near.err != nil || near.s.Device != phone.ID() {
			t.Fatalf("%+v", near)
		}
		if e := <-stopped; wire.CodeOf(e.Err) != wire.Taken {
			t.Errorf("the laptop stops ringing by %v", e.Err)
		}
		near.s.Close()
		far.Close()

		laptop.calls().Handle("echo", func(s *call.Session) {
			defer s.Close()
			_, _ = io.Copy(s, s)
		})
		s, err := bob.calls().Call(t.Context(), laptop.id(), call.Options{Kind: buddy.Data, Topic: "echo"})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for _, text := range []string{"before", "behind"} {
			b := make([]byte, len(text))
			if _, err := s.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(s, b); err != nil || string(b) != text {
				t.Fatalf("%q comes back as %q, %v", text, b, err)
			}
			w.Move(t, bob.Node)
		}
	})
}
