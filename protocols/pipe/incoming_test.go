package pipe

import (
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe/pb"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestHandlersRefusalArrivesAsItIs(t *testing.T) {
	for name, c := range map[string]struct {
		handler func(*Incoming)
		want    wire.Code
	}{
		"refused":        {func(i *Incoming) { i.Refuse(wire.Errorf(wire.Refused, "nobody listens there")) }, wire.Refused},
		"no answer":      {func(*Incoming) {}, wire.Internal},
		"no reason":      {func(i *Incoming) { i.Refuse(nil) }, wire.Internal},
		"the first word": {func(i *Incoming) { i.Refuse(wire.Busy); i.Accept(); i.Refuse(wire.Gone) }, wire.Busy},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, 2, func(t *testing.T, w *sim) {
				binder, dialer := w.nodes[0], w.nodes[1]
				id := binder.create(t, CreateOptions{})
				binder.listen(t, id, ListenOptions{Handler: c.handler})
				for _, from := range []*node{dialer, binder} {
					if e := from.Explain(within(t), id, DialOptions{}); e.Accepted || e.Code != c.want.String() {
						t.Errorf("explanation %+v", e)
					}
					k := from.keep(t, id, KeepOptions{})
					for _, dial := range []func() (*Conn, error){
						func() (*Conn, error) { return from.Dial(within(t), id, DialOptions{}) },
						func() (*Conn, error) { return from.Dial(within(t), id, DialOptions{Raw: true}) },
						func() (*Conn, error) { return k.Dial(within(t), ChannelOptions{}) },
					} {
						conn, err := dial()
						must(t, err)
						_, err = io.WriteString(conn, "hello")
						must(t, err)
						_, err = conn.Read(make([]byte, 1))
						wantCode(t, err, c.want)
						conn.Close()
					}
				}
				pass(time.Second)
				if left := binder.Usage().Conns + dialer.Usage().Conns; left != 2 { // the watches
					t.Errorf("%d connections are counted at the end", left)
				}
			})
		})
	}
}

func TestProbeAsksTheHandler(t *testing.T) {
	virtual(t, 2, func(t *testing.T, w *sim) {
		id := w.nodes[0].create(t, CreateOptions{})
		var probes []bool
		w.nodes[0].listen(t, id, ListenOptions{Handler: func(i *Incoming) {
			probes = append(probes, i.Probe())
			if c, err := i.Accept(); c != nil || err != ErrProbe {
				t.Errorf("accept gives %v, %v", c, err)
			}
		}})
		if e := w.nodes[1].Explain(within(t), id, DialOptions{}); !e.Accepted || len(probes) != 1 || !probes[0] {
			t.Errorf("explanation %+v, probes %v", e, probes)
		}
		if n := w.nodes[0].Usage().Conns; n != 0 {
			t.Errorf("%d connections are counted at the end", n)
		}
	})
}

func TestHandlerOfASecurePipeKnowsWhoDials(t *testing.T) {
	virtual(t, 2, func(t *testing.T, w *sim) {
		binder, dialer := w.nodes[0], w.nodes[1]
		id := binder.create(t, CreateOptions{Type: TypeSecure})
		refuse := false
		binder.listen(t, id, ListenOptions{Handler: func(i *Incoming) {
			if i.Principal() != dialer.principal() {
				t.Errorf("%s dials", i.Principal())
			}
			if refuse {
				i.Refuse(wire.Refused)
				return
			}
			echoing(t)(i)
		}})
		k := dialer.keep(t, id, KeepOptions{})
		ready(t, k, 1)
		begun := time.Now()
		c, err := k.Dial(within(t), ChannelOptions{})
		must(t, err)
		if took := time.Since(begun); took < rtt {
			t.Errorf("a secure pipe was there after %v", took)
		}
		converse(t, c)
		refuse = true
		c, err = k.Dial(within(t), ChannelOptions{})
		must(t, err)
		_, err = c.Read(make([]byte, 1))
		wantCode(t, err, wire.Refused)
	})
}

func TestHandlerHearsThatItsDialerHasGone(t *testing.T) {
	virtual(t, 2, func(t *testing.T, w *sim) {
		binder, dialer := w.nodes[0], w.nodes[1]
		id := binder.create(t, CreateOptions{})
		gone := make(chan time.Time)
		binder.listen(t, id, ListenOptions{Handler: func(i *Incoming) {
			<-i.Context().Done()
			gone <- time.Now()
			if _, err := i.Accept(); err == nil {
				t.Error("a dialer that has gone was accepted")
			}
		}})
		for _, from := range []*node{dialer, binder} {
			c, err := from.Dial(within(t), id, DialOptions{})
			must(t, err)
			pass(time.Second)
			begun := time.Now()
			c.Reset()
			if took := (<-gone).Sub(begun); took > oneWayLatency+time.Millisecond {
				t.Errorf("the handler heard of it after %v", took)
			}
		}
		pass(time.Second)
		if n := binder.Usage().Conns + dialer.Usage().Conns; n != 0 {
			t.Errorf("%d connections are counted at the end", n)
		}
	})
}

func TestHandlersTimeEndsBeforeTheDialersDoes(t *testing.T) {
	virtual(t, 2, func(t *testing.T, w *sim) {
		id := w.nodes[0].create(t, CreateOptions{})
		w.nodes[0].listen(t, id, ListenOptions{Handler: func(i *Incoming) {
			<-i.Context().Done()
			i.Refuse(wire.Errorf(wire.Timeout, "the service says nothing"))
		}})
		c, err := w.nodes[1].Dial(within(t), id, DialOptions{})
		must(t, err)
		begun := time.Now()
		err = c.Opened(within(t))
		wantCode(t, err, wire.Timeout)
		if took := time.Since(begun); took > 10*time.Second || !errors.Is(err, wire.Timeout) {
			t.Errorf("%v after %v", err, took)
		}
		if got := err.Error(); !strings.Contains(got, "the service says nothing") {
			t.Errorf("the dialer is told %s", got)
		}
	})
}

func TestLoopIsRefused(t *testing.T) {
	_, n := loopback(t, 2)
	id := n[0].create(t, CreateOptions{})
	n[0].listen(t, id, ListenOptions{Handler: echoing(t)})
	n[1].say(t, id, DialOptions{Hops: MaxHops})
	wantCode(t, n[1].opened(t, id, DialOptions{Hops: MaxHops + 1}), wire.BadRequest)
	m := &pb.Open{Pipe: id.Bytes(), Nonce: make([]byte, NonceSize), Hops: 1 << 31}
	if _, err := parseOpen(m, n[1].id(), identity.ParseLog); wire.CodeOf(err) != wire.BadRequest {
		t.Errorf("2^31 hops: %v", err)
	}
}

func TestAnyoneIsAListThatCanBeTakenBack(t *testing.T) {
	_, n := loopback(t, 2)
	for _, policy := range []DialPolicy{DialListed, DialCapability} {
		id := n[0].create(t, CreateOptions{DialPolicy: policy})
		l := n[0].listen(t, id, ListenOptions{AllowAnyone: true})
		echo(l)
		n[1].say(t, id, DialOptions{})
		l.SetAllow(nil, false)
		wantCode(t, n[1].opened(t, id, DialOptions{}), wire.Forbidden)
		l.SetAllow([]identity.Principal{n[0].principal()}, true)
		n[1].say(t, id, DialOptions{})
	}
}

func TestFarEndsResetDiffersFromALostConnection(t *testing.T) {
	virtual(t, 2, func(t *testing.T, w *sim) {
		for _, from := range w.nodes { // within the node, and from the other
			a, b := joined(t, from, w.nodes[0], ListenOptions{}, DialOptions{})
			b.ResetWith(wire.Reset, "the service reset the connection")
			_, err := a.Read(make([]byte, 1))
			wantCode(t, err, wire.Reset)
			_, err = a.Write([]byte("x"))
			wantCode(t, err, wire.Reset)
			a.Close()
		}
		a, b := joined(t, w.nodes[1], w.nodes[0], ListenOptions{}, DialOptions{Raw: true})
		b.ResetWith(wire.Reset, "")
		_, err := a.Read(make([]byte, 1))
		wantCode(t, err, wire.Gone) // a raw stream has no room for it
	})
}

func TestFloodOfOpensLeavesPlacesToOthers(t *testing.T) {
	virtual(t, 3, func(t *testing.T, w *sim) {
		binder := w.add(func(c *Config) { c.Limits.Conns = 64 })
		w.meet()
		id := binder.create(t, CreateOptions{})
		var mu sync.Mutex
		running := 0
		binder.listen(t, id, ListenOptions{Handler: func(i *Incoming) {
			mu.Lock()
			running++
			mu.Unlock()
			<-i.Context().Done()
		}})
		for range 200 {
			c, err := w.nodes[0].Dial(within(t), id, DialOptions{})
			must(t, err)
			defer c.Reset()
		}
		pass(time.Second)
		if running != 28 {
			t.Errorf("%d handlers run for one peer, expected 28 of 64 places", running)
		}
		other, err := w.nodes[1].Dial(within(t), id, DialOptions{})
		must(t, err)
		defer other.Reset()
		pass(time.Second)
		if running != 29 {
			t.Errorf("%d handlers run, another peer's is not among them", running)
		}
	})
}
