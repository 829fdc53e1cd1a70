package call

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"go.uber.org/goleak"

	"github.com/panpipe-net/panpipe/protocols/buddy"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	alice = identity.PeerPrincipal("alice") // no keys are needed here
	bob   = identity.PeerPrincipal("bob")
)

// line is one in memory.
type line struct{ net.Conn }

func (line) CloseWrite() error             { return nil }
func (line) Direct() bool                  { return true }
func (l line) ResetWith(wire.Code, string) { l.Close() }

// town is a caller and the devices of whom it calls.
type town struct {
	caller  *Calls
	devices map[peer.ID]*Calls
	order   []peer.ID

	mu     sync.Mutex
	events map[peer.ID][]Event
	lines  sync.WaitGroup
}

// inTown runs a test with so many devices of bob, in virtual time.
func inTown(t *testing.T, devices int, f func(t *testing.T, w *town)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &town{devices: make(map[peer.ID]*Calls), events: make(map[peer.ID][]Event)}
		for i := range devices {
			id := peer.ID(rune('A' + i))
			w.order = append(w.order, id)
			w.devices[id] = New(Config{Now: time.Now, Tell: func(e Event) {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.events[id] = append(w.events[id], e)
			}})
		}
		w.caller = New(Config{Now: time.Now, Reach: w.reach, Dial: w.dial})
		f(t, w)
		for _, c := range w.devices {
			c.Close()
		}
		w.caller.Close()
		w.lines.Wait()
	})
}

func (w *town) reach(identity.Principal) ([]peer.ID, error) {
	if len(w.order) == 0 {
		return nil, wire.Errorf(wire.Unreachable, "nobody is there")
	}
	return w.order, nil
}

func (w *town) dial(_ context.Context, _ identity.Principal, device peer.ID) (Line, error) {
	near, far := net.Pipe()
	w.lines.Go(func() { w.devices[device].Take(alice, "alice's", line{far}) })
	return line{near}, nil
}

// rings waits until a call rings on a device.
func (w *town) rings(t *testing.T, device peer.ID) buddy.SessionID {
	t.Helper()
	synctest.Wait()
	all := w.devices[device].Ringing()
	if len(all) != 1 {
		t.Fatalf("%d calls ring", len(all))
	}
	return all[0].ID
}

// last is how the last ring of a device ended.
func (w *town) last(device peer.ID) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := len(w.events[device]) - 1; i >= 0; i-- {
		if e := w.events[device][i]; e.Kind == Stopped {
			return e.Err
		}
	}
	return errors.New("it did not stop")
}

type called struct {
	s   *Session
	err error
}

func (w *town) call(ctx context.Context, o Options) chan called {
	got := make(chan called, 1)
	go func() {
		s, err := w.caller.Call(ctx, bob, o)
		got <- called{s, err}
	}()
	return got
}

func TestTheFirstAnswerWins(t *testing.T) {
	inTown(t, 3, func(t *testing.T, w *town) {
		var rung []peer.ID
		var mu sync.Mutex
		got := w.call(t.Context(), Options{Kind: buddy.Voice, Ringing: func(d peer.ID) {
			mu.Lock()
			defer mu.Unlock()
			rung = append(rung, d)
		}})
		id := w.rings(t, "A")
		if w.rings(t, "B") != id || w.rings(t, "C") != id || len(rung) != 3 {
			t.Fatalf("it rings on %v", rung)
		}
		far, err := w.devices["B"].Answer(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		near := <-got
		if near.err != nil || near.s.Device != "B" || near.s.ID != id || far.ID != id || far.Account != alice {
			t.Fatalf("called %+v, answered %+v", near, far)
		}
		synctest.Wait()
		for _, d := range []peer.ID{"A", "C"} {
			if err := w.last(d); wire.CodeOf(err) != wire.Taken {
				t.Errorf("%s stopped ringing by %v", d, err)
			}
			if _, err := w.devices[d].Answer(t.Context(), id); wire.CodeOf(err) != wire.Unknown {
				t.Errorf("%s answers late: %v", d, err)
			}
		}
		go func() { _, _ = near.s.Write([]byte("hello")) }()
		b := make([]byte, 5)
		if _, err := io.ReadFull(far, b); err != nil || string(b) != "hello" {
			t.Errorf("%q, %v", b, err)
		}
		if len(w.caller.Sessions()) != 1 || len(w.devices["B"].Sessions()) != 1 {
			t.Error("the session is not listed")
		}
		near.s.Close()
		far.Close()
		if len(w.caller.Sessions())+len(w.devices["B"].Sessions()) != 0 {
			t.Error("a session is listed that is over")
		}
	})
}

func TestTwoAnswerAtOnce(t *testing.T) {
	for range 50 {
		inTown(t, 2, func(t *testing.T, w *town) {
			got := w.call(t.Context(), Options{Kind: buddy.Voice})
			id := w.rings(t, "A")
			answers := make(chan called, 2)
			for _, d := range w.order {
				go func() {
					s, err := w.devices[d].Answer(t.Context(), id)
					answers <- called{s, err}
				}()
			}
			near := <-got
			one, other := <-answers, <-answers
			if near.err != nil || (one.err == nil) == (other.err == nil) {
				t.Fatalf("%v, %v, %v", near.err, one.err, other.err)
			}
			if code := wire.CodeOf(errors.Join(one.err, other.err)); code != wire.Taken && code != wire.Unknown {
				t.Errorf("who came second is told %s", code)
			}
		})
	}
}

func TestACallThatIsNotAnswered(t *testing.T) {
	t.Run("declined", func(t *testing.T) {
		inTown(t, 2, func(t *testing.T, w *town) {
			got := w.call(t.Context(), Options{Kind: buddy.Voice})
			id := w.rings(t, "A")
			if err := w.devices["A"].Decline(id); err != nil {
				t.Fatal(err)
			}
			if c := <-got; wire.CodeOf(c.err) != wire.Refused {
				t.Errorf("the caller hears %v", c.err)
			}
			synctest.Wait()
			if err := w.last("B"); err != errCancel {
				t.Errorf("B stopped ringing by %v", err)
			}
		})
	})
	t.Run("missed", func(t *testing.T) {
		inTown(t, 2, func(t *testing.T, w *town) {
			began := time.Now()
			c := <-w.call(t.Context(), Options{Kind: buddy.Voice})
			if took := time.Since(began); wire.CodeOf(c.err) != wire.Timeout || took != RingTime {
				t.Errorf("after %s: %v", took, c.err)
			}
		})
	})
	t.Run("taken back", func(t *testing.T) {
		inTown(t, 2, func(t *testing.T, w *town) {
			ctx, cancel := context.WithCancel(t.Context())
			got := w.call(ctx, Options{Kind: buddy.Voice})
			w.rings(t, "A")
			cancel()
			if c := <-got; !errors.Is(c.err, context.Canceled) {
				t.Errorf("the caller hears %v", c.err)
			}
			synctest.Wait()
			if err := w.last("B"); err != errCancel {
				t.Errorf("B stopped ringing by %v", err)
			}
		})
	})
	t.Run("nobody there", func(t *testing.T) {
		inTown(t, 0, func(t *testing.T, w *town) {
			if c := <-w.call(t.Context(), Options{Kind: buddy.Voice}); wire.CodeOf(c.err) != wire.Unreachable {
				t.Errorf("the caller hears %v", c.err)
			}
		})
	})
}

func TestDataIsAnsweredByWhoServesTheTopic(t *testing.T) {
	inTown(t, 2, func(t *testing.T, w *town) {
		if c := <-w.call(t.Context(), Options{Kind: buddy.Data, Topic: "echo"}); wire.CodeOf(c.err) != wire.Unsupported {
			t.Fatalf("nobody serves it, and the caller hears %v", c.err)
		}
		w.devices["B"].Handle("echo", func(s *Session) {
			defer s.Close()
			_, _ = io.CopyN(s, s, 4)
		})
		c := <-w.call(t.Context(), Options{Kind: buddy.Data, Topic: "echo"})
		if c.err != nil || c.s.Device != "B" || c.s.Topic != "echo" {
			t.Fatalf("%+v", c)
		}
		defer c.s.Close()
		go func() { _, _ = c.s.Write([]byte("ping")) }()
		b := make([]byte, 4)
		if _, err := io.ReadFull(c.s, b); err != nil || string(b) != "ping" {
			t.Errorf("%q, %v", b, err)
		}
	})
}

func TestOnlySoManyCallsRing(t *testing.T) {
	inTown(t, 1, func(t *testing.T, w *town) {
		ctx, cancel := context.WithCancel(t.Context())
		var all []chan called
		for range maxRingsOf {
			all = append(all, w.call(ctx, Options{Kind: buddy.Voice}))
		}
		synctest.Wait()
		if c := <-w.call(ctx, Options{Kind: buddy.Voice}); wire.CodeOf(c.err) != wire.Busy {
			t.Errorf("one more: %v", c.err)
		}
		if n := len(w.devices["A"].Ringing()); n != maxRingsOf {
			t.Errorf("%d calls ring", n)
		}
		cancel()
		for _, c := range all {
			<-c
		}
	})
}

func TestWhoSpeaksOutOfTurn(t *testing.T) {
	offer := buddy.Offer{Session: buddy.NewSessionID(), Kind: buddy.Voice}
	for name, talk := range map[string]func(l net.Conn){
		"nothing":    func(net.Conn) {},
		"garbage":    func(l net.Conn) { _, _ = l.Write([]byte{5, 1, 2, 3, 4, 5}) },
		"half offer": func(l net.Conn) { _, _ = l.Write([]byte{200, 1, 1}) },
		"go unasked": func(l net.Conn) { _ = buddy.WriteOffer(l, offer); _ = buddy.WriteSay(l, buddy.Say{Word: buddy.Go}) },
		"answers": func(l net.Conn) {
			_ = buddy.WriteOffer(l, offer)
			_ = buddy.WriteSay(l, buddy.Say{Word: buddy.Answered})
		},
		"goes away":    func(l net.Conn) { _ = buddy.WriteOffer(l, offer); l.Close() },
		"no room left": func(l net.Conn) { _, _ = l.Write([]byte{255, 255, 3}) },
	} {
		t.Run(name, func(t *testing.T) {
			inTown(t, 1, func(t *testing.T, w *town) {
				near, far := net.Pipe()
				w.lines.Go(func() { w.devices["A"].Take(alice, "alice's", line{far}) })
				go func() { _, _ = io.Copy(io.Discard, near) }()
				talk(near)
				time.Sleep(sayTime)
				synctest.Wait()
				if n := len(w.devices["A"].Ringing()); n != 0 {
					t.Errorf("%d calls ring", n)
				}
				near.Close()
			})
		})
	}
}

func TestCloseEndsAll(t *testing.T) {
	inTown(t, 1, func(t *testing.T, w *town) {
		talk := w.call(t.Context(), Options{Kind: buddy.Voice})
		far, err := w.devices["A"].Answer(t.Context(), w.rings(t, "A"))
		if err != nil {
			t.Fatal(err)
		}
		<-talk
		waiting := w.call(t.Context(), Options{Kind: buddy.Voice})
		w.rings(t, "A")
		w.caller.Close()
		if c := <-waiting; wire.CodeOf(c.err) != wire.Closed {
			t.Errorf("a call under way ends with %v", c.err)
		}
		if _, err := far.Read(make([]byte, 1)); err == nil {
			t.Error("the session goes on")
		}
		if _, err := w.caller.Call(t.Context(), bob, Options{Kind: buddy.Voice}); wire.CodeOf(err) != wire.Closed {
			t.Errorf("a call after the end: %v", err)
		}
		far.Close()
	})
}
