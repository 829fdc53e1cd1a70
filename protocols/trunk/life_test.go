package trunk_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/trunk"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// player is an owner for tests: it sends what it is given and keeps what comes.
type player struct {
	mu        sync.Mutex
	leg       *trunk.Leg
	out       []byte
	got       []byte
	datagrams []string
	lost      []error
	changed   *sync.Cond
}

func newPlayer() *player {
	p := new(player)
	p.changed = sync.NewCond(&p.mu)
	return p
}

func (p *player) Pull(_ *trunk.Leg, out *trunk.Outbox) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.out) > 0 && out.Room() > 0 {
		n := min(len(p.out), out.Room())
		copy(out.Frame(kindData, n), p.out)
		p.out = p.out[n:]
	}
	return len(p.out) > 0
}

func (p *player) Receive(_ *trunk.Leg, _ trunk.Kind, in *trunk.Inbox) error {
	b := make([]byte, in.Len())
	if err := in.Full(b); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.got = append(p.got, b...)
	p.changed.Broadcast()
	return nil
}

func (p *player) Datagram(_ *trunk.Leg, b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.datagrams = append(p.datagrams, string(b))
	p.changed.Broadcast()
}

func (p *player) Lost(_ *trunk.Leg, cause error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lost = append(p.lost, cause)
	p.changed.Broadcast()
}

// on makes l the player's leg.
func (p *player) on(l *trunk.Leg) *player {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leg = l
	return p
}

// play sends b.
func (p *player) play(b []byte) {
	p.mu.Lock()
	p.out = append(p.out, b...)
	p.mu.Unlock()
	p.leg.Ready()
}

// until waits for what the owner is told.
func (p *player) until(f func() bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for !f() {
		p.changed.Wait()
	}
}

// cause waits for the end of the leg.
func (p *player) cause() error {
	p.until(func() bool { return len(p.lost) > 0 })
	return p.lost[0]
}

// hears waits for bytes, and forgets them.
func (p *player) hears(t testing.TB, want []byte) {
	t.Helper()
	p.until(func() bool { return len(p.got) >= len(want) || len(p.lost) > 0 })
	p.mu.Lock()
	defer p.mu.Unlock()
	if !bytes.Equal(p.got, want) {
		t.Errorf("%d bytes came where %d were sent, or others; %v", len(p.got), len(want), p.lost)
	}
	p.got = nil
}

// guests accepts all legs, and hands them out.
type guests chan *player

func (g guests) accept(l *trunk.Leg, k trunk.Kind, in *trunk.Inbox) (trunk.Owner, error) {
	p := newPlayer().on(l)
	err := p.Receive(l, k, in)
	g <- p
	return p, err
}

// pair are two nodes of one transport, and the guests of the second.
func pair(t testing.TB, name string, cfg trunk.Config) (a, b node, g guests) {
	t.Helper()
	g = make(guests, 100_000)
	a = newNode(t, trunk.Config{Limits: cfg.Limits}, loopback[name]...)
	if cfg.Accept == nil {
		cfg.Accept = g.accept
	}
	b = newNode(t, cfg, loopback[name]...)
	return a, b, g
}

// TestLegsCarryWhatIsSent is run on real transports; all the rest is on one.
func TestLegsCarryWhatIsSent(t *testing.T) {
	for name := range loopback {
		t.Run(name, func(t *testing.T) {
			a, b, g := pair(t, name, trunk.Config{})
			p := path(t, a, b)
			var all sync.WaitGroup
			for i := range 50 {
				all.Go(func() {
					here := newPlayer()
					here.on(attach(t, a, p, here, i%10 == 0))
					data := make([]byte, 1<<rand.N(20))
					for k := range data {
						data[k] = byte(i + k)
					}
					here.play(data[:1])
					here.play(data[1:])
					there := <-g
					// Whose guest it is the bytes tell: each goes back to its sender.
					there.until(func() bool { return len(there.got) > 0 })
					all.Go(func() { echo(there) })
					here.hears(t, data)
					here.leg.Release()
				})
			}
			all.Wait()
			if s := b.trunks.Stats(); s.Violations+s.Late > 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// echo plays what it hears until the leg is lost.
func echo(p *player) {
	for {
		p.until(func() bool { return len(p.got) > 0 || len(p.lost) > 0 })
		p.mu.Lock()
		b := p.got
		p.got = nil
		over := len(p.lost) > 0
		p.mu.Unlock()
		if over {
			return
		}
		p.play(b)
	}
}

func TestLegsShareACarrierUntilOneWantsItsOwn(t *testing.T) {
	a, b, g := pair(t, "tcp-tls", trunk.Config{})
	p := path(t, a, b)
	for i := range 10 {
		here := newPlayer()
		here.on(attach(t, a, p, here, i == 9))
		here.play([]byte("x"))
		there := <-g
		if there.leg.Outgoing() || there.leg.Peer() != a.host.ID() || !here.leg.Outgoing() || here.leg.Own() != (i == 9) {
			t.Error("a leg is told wrong")
		}
	}
	all := a.trunks.Carriers()
	if len(all) != 2 || all[0].Legs+all[1].Legs != 10 || a.trunks.Stats().Legs != 10 {
		t.Errorf("%+v", all)
	}
}

func TestBothSidesOpenLegsAndCarriersAtOnce(t *testing.T) {
	g, h := make(guests, 100), make(guests, 100)
	a := newNode(t, trunk.Config{Accept: g.accept}, loopback["quic"]...)
	b := newNode(t, trunk.Config{Accept: h.accept}, loopback["quic"]...)
	p := path(t, a, b)
	var all sync.WaitGroup
	for range 20 {
		for _, n := range []struct {
			node
			guests
		}{{a, h}, {b, g}} {
			all.Go(func() {
				way := p
				if n.node == b {
					way = <-b.reach.Watch(within(t), reach.Want{Peer: a.host.ID(), AllowRelay: true})
				}
				here := newPlayer()
				here.on(attach(t, n.node, way, here, false))
				here.play([]byte("hello"))
				(<-n.guests).play([]byte("welcome"))
				here.hears(t, []byte("welcome"))
			})
		}
	}
	all.Wait()
	if n := len(a.trunks.Carriers()); n > 2 {
		t.Errorf("%d carriers", n)
	}
}

func TestReleaseIsToldToTheFarSide(t *testing.T) {
	a, b, g := pair(t, "tcp-tls", trunk.Config{})
	here := newPlayer()
	here.on(attach(t, a, path(t, a, b), here, false))
	here.play([]byte("last words"))
	there := <-g
	here.leg.Release()
	here.leg.Release()
	here.leg.Ready()
	if err := there.cause(); wire.CodeOf(err) != wire.Closed {
		t.Errorf("%v", err)
	}
	there.leg.Release()
	// The leg is forgotten at both sides once this one comes through.
	again := newPlayer()
	again.on(attach(t, a, path(t, a, b), again, false))
	again.play([]byte("x"))
	(<-g).play([]byte("y"))
	again.hears(t, []byte("y"))
	if n, m := a.trunks.Stats().Legs, b.trunks.Stats().Legs; n != 1 || m != 1 {
		t.Errorf("%d and %d legs", n, m)
	}
	if len(here.lost) != 0 || len(there.lost) != 1 {
		t.Errorf("lost %v, %v", here.lost, there.lost)
	}
}

func TestRefusalComesWithItsReason(t *testing.T) {
	refuse := func(l *trunk.Leg, _ trunk.Kind, in *trunk.Inbox) (trunk.Owner, error) {
		if why, err := in.Small(100); len(why) > 0 || err != nil {
			l.Refuse(99, why)
		}
		return nil, nil
	}
	a, b, _ := pair(t, "tcp-tls", trunk.Config{Accept: refuse})
	p := path(t, a, b)
	here := newPlayer()
	here.on(attach(t, a, p, here, false))
	here.play([]byte("because"))
	if err := here.cause(); wire.CodeOf(err) != wire.Closed || string(here.got) != "because" {
		t.Errorf("%q, %v", here.got, err)
	}
	silent := &empty{newPlayer()}
	silent.on(attach(t, a, p, silent, false))
	silent.leg.Ready()
	if err := silent.cause(); wire.CodeOf(err) != wire.Unsupported {
		t.Errorf("%v", err)
	}
}

// empty sends an empty frame whenever it is asked.
type empty struct{ *player }

func (*empty) Pull(_ *trunk.Leg, out *trunk.Outbox) bool {
	out.Frame(kindData, 0)
	return false
}

func TestEndOfThePathIsToldOnce(t *testing.T) {
	for _, name := range []string{"tcp-tls", "quic"} {
		a, b, g := pair(t, name, trunk.Config{})
		p := path(t, a, b)
		var all []*player
		for range 20 {
			here := newPlayer()
			here.on(attach(t, a, p, here, false))
			here.play([]byte("x"))
			all = append(all, here, <-g)
		}
		unopened := newPlayer()
		unopened.on(attach(t, a, p, unopened, false))
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		for i, o := range append(all, unopened) {
			if err := o.cause(); err == nil {
				t.Errorf("%s: owner %d: %v", name, i, err)
			}
			o.leg.Ready()
			o.leg.Release()
		}
		if err := a.trunks.Close(); err != nil {
			t.Error(err)
		}
		for i, o := range append(all, unopened) {
			o.mu.Lock()
			if len(o.lost) != 1 {
				t.Errorf("%s: owner %d was told %d times", name, i, len(o.lost))
			}
			o.mu.Unlock()
		}
		if _, err := a.trunks.Attach(within(t), p, newPlayer(), false); wire.CodeOf(err) != wire.Closed {
			t.Errorf("%s: after Close: %v", name, err)
		}
	}
}

func TestLimitsAreNamed(t *testing.T) {
	limits := trunk.Limits{Carriers: 2, Legs: 3, LegsPerPeer: 5}
	a, b, g := pair(t, "tcp-tls", trunk.Config{Limits: limits})
	p := path(t, a, b)
	for i := range 5 { // three on the first carrier, two on the second
		here := newPlayer()
		here.on(attach(t, a, p, here, false))
		here.play([]byte(fmt.Sprint(i)))
		<-g
	}
	_, err := a.trunks.Attach(within(t), p, newPlayer(), false)
	if !errors.Is(err, wire.Limit) {
		t.Errorf("a sixth leg: %v", err)
	}
	if _, err = a.trunks.Attach(within(t), p, newPlayer(), true); !errors.Is(err, wire.Limit) {
		t.Errorf("a third carrier: %v", err)
	}
}
