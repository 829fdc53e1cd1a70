package gateway

import (
	"context"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// nobody is an address at which nothing listens.
func nobody(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, l.Close())
	return l.Addr().String()
}

func TestWhatTheServiceDoesArrivesAtTheClientAsWhatItIs(t *testing.T) {
	hangs := func(c *Config) {
		c.Limits.TargetTimeout = 100 * time.Millisecond
		c.DialTarget = func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
	}
	for name, c := range map[string]struct {
		target string
		change func(*Config)
		code   wire.Code
	}{
		"Refuses":  {nobody(t), nil, wire.Refused},
		"Hangs":    {"127.0.0.1:9", hangs, wire.Timeout},
		"NoSocket": {"unix:" + t.TempDir() + "/none.sock", nil, wire.Unreachable},
		"NoHost":   {"no-such-host.invalid:80", nil, wire.Unreachable},
	} {
		t.Run(name, func(t *testing.T) {
			w, nodes := newWorld(t, 1)
			var change []func(*Config)
			if c.change != nil {
				change = append(change, c.change)
			}
			far := w.add(change...)
			s := far.expose(t, c.target, "web")
			wantRefusal(t, nodes[0].forward(t, s))
			for _, n := range w.nodes {
				e := n.heard.await(t, 1, kind(EventRefused))[0]
				if e.Code != c.code {
					t.Errorf("refused as %s: %v", e.Code, e.Err)
				}
				if strings.Contains(e.Err.Error(), c.target) && n != far {
					t.Errorf("the far node tells of its target: %v", e.Err)
				}
				if got := n.Rules()[0].Refused[c.code]; got != 1 {
					t.Errorf("%d refused as %s", got, c.code)
				}
			}
			if err := far.Check(t.Context(), "web"); wire.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.target) {
				t.Errorf("the check says %v", err)
			}
		})
	}
}

func TestAResetIsCarriedThrough(t *testing.T) {
	_, nodes := newWorld(t, 2)
	got := make(chan *net.TCPConn, 1)
	over := make(chan error, 1)
	s := nodes[0].expose(t, serve(t, func(c *net.TCPConn) {
		_, _ = io.ReadFull(c, make([]byte, 1))
		got <- c
		_, err := io.Copy(io.Discard, struct{ io.Reader }{c})
		over <- err
	}).addr(), "web")
	addr := nodes[1].forward(t, s)

	t.Run("FromTheService", func(t *testing.T) {
		c := dial(t, addr)
		_, err := c.Write([]byte{1})
		must(t, err)
		far := <-got
		must(t, far.SetLinger(0))
		must(t, far.Close())
		wantReset(t, c)
		<-over
		for _, n := range nodes {
			if e := n.heard.await(t, 1, kind(EventClosed))[0]; e.Err == nil {
				t.Errorf("the channel ended in good order")
			}
		}
		if e := nodes[1].heard.await(t, 1, kind(EventClosed))[0]; e.Code != wire.Reset {
			t.Errorf("ended as %s: %v", e.Code, e.Err)
		}
	})
	t.Run("FromTheClient", func(t *testing.T) {
		c := dial(t, addr)
		_, err := c.Write([]byte{1})
		must(t, err)
		<-got
		must(t, c.SetLinger(0))
		must(t, c.Close())
		if err := <-over; err == nil || !strings.Contains(err.Error(), "reset") {
			t.Errorf("the service reads %v", err)
		}
	})
}

func TestWhatWasSentToAServiceThatResetsIsNotSentAgain(t *testing.T) {
	_, nodes := newWorld(t, 2)
	var heard atomic.Int64
	s := nodes[0].expose(t, serve(t, func(c *net.TCPConn) {
		if _, err := io.ReadFull(c, make([]byte, 4)); err == nil {
			heard.Add(1)
		}
		_ = c.SetLinger(0)
	}).addr(), "web")
	addr := nodes[1].forward(t, s)
	const clients = 50
	for range clients {
		c := dial(t, addr)
		_, err := io.WriteString(c, "once")
		must(t, err)
		wantReset(t, c)
	}
	for _, n := range nodes {
		n.heard.await(t, clients, kind(EventClosed))
	}
	if got := heard.Load(); got != clients {
		t.Errorf("%d clients were heard %d times", clients, got)
	}
}

func TestHalfAClosedConnectionGoesOn(t *testing.T) {
	_, nodes := newWorld(t, 2)
	for name, handle := range map[string]func(*net.TCPConn){
		"ClientFirst": func(c *net.TCPConn) {
			b, _ := io.ReadAll(c)
			_, _ = c.Write(b)
		},
		"ServiceFirst": func(c *net.TCPConn) {
			_, _ = io.WriteString(c, "hello")
			_ = c.CloseWrite()
			b, _ := io.ReadAll(c)
			if string(b) != "hello" {
				t.Errorf("the service reads %q", b)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := nodes[0].expose(t, serve(t, handle).addr(), name)
			c := dial(t, nodes[1].forward(t, s))
			if name == "ClientFirst" {
				_, err := io.WriteString(c, "hello")
				must(t, err)
				must(t, c.CloseWrite())
			}
			b, err := io.ReadAll(c)
			if err != nil || string(b) != "hello" {
				t.Errorf("the client reads %q, %v", b, err)
			}
			if name == "ServiceFirst" {
				_, err := io.WriteString(c, "hello")
				must(t, err)
				must(t, c.CloseWrite())
			}
			for _, n := range nodes {
				n.heard.await(t, 1, func(e Event) bool { return e.Kind == EventClosed && e.Err == nil })
			}
		})
	}
}

func TestWhoIsNotOnTheListIsRefused(t *testing.T) {
	_, nodes := newWorld(t, 3)
	target := serve(t, echo).addr()
	s := nodes[0].expose(t, target, "web", func(r *Rule) { r.Allow = []string{nodes[1].principal()} })
	friend, stranger := nodes[1].forward(t, s), nodes[2].forward(t, s)
	open := dial(t, friend)
	converse(t, open, 100)
	wantRefusal(t, stranger)
	if e := nodes[2].heard.await(t, 1, kind(EventRefused))[0]; e.Code != wire.Forbidden {
		t.Errorf("refused as %s: %v", e.Code, e.Err)
	}

	changed := nodes[0].expose(t, target, "web", func(r *Rule) { r.Allow = []string{nodes[2].principal()} })
	if changed.Rule.ID != s.Rule.ID || changed.Pipe != s.Pipe || changed.Channels != 1 {
		t.Errorf("changed in place it is %+v, was %+v", changed, s)
	}
	nodes[2].becomes(t, stranger, true)
	nodes[1].becomes(t, friend, false)
	converse(t, open, 100) // who is in stays in
}

func TestALongerListHoldsAtTheNextAttempt(t *testing.T) {
	_, nodes := newWorld(t, 3)
	target := serve(t, echo).addr()
	only := func(all ...*node) func(*Rule) {
		return func(r *Rule) {
			r.Allow = nil
			for _, n := range all {
				r.Allow = append(r.Allow, n.principal())
			}
		}
	}
	s := nodes[0].expose(t, target, "web", only(nodes[1]))
	addr := nodes[2].forward(t, s)
	for range 5 {
		wantRefusal(t, addr)
		nodes[0].expose(t, target, "web", only(nodes[1], nodes[2]))
		converse(t, dial(t, addr), 10) // though it was refused just now
		k := nodes[2].keeperOf(t, addr)
		nodes[0].expose(t, target, "web", only(nodes[1]))
		for changed := k.Changed(); k.State().Err == nil; changed = k.Changed() {
			<-changed
		}
	}
}

// becomes waits until clients of a forward are served, or refused.
func (n *node) becomes(t testing.TB, addr string, served bool) {
	t.Helper()
	for range 100 {
		changed := n.keeperOf(t, addr).Changed()
		c, err := net.Dial("tcp", addr)
		ok := err == nil && conversation(c, 10) == nil
		if err == nil {
			_ = c.Close()
		}
		if ok == served {
			return
		}
		select {
		case <-changed:
		case <-time.After(2 * time.Second):
		}
	}
	t.Fatalf("clients of %s are not served: %v", addr, served)
}

func TestAForwardToAnUnboundPipeRefusesPromptlyAndWorksLater(t *testing.T) {
	_, nodes := newWorld(t, 2)
	target := serve(t, echo).addr()
	s := nodes[0].expose(t, target, "web")
	addr := nodes[1].forward(t, s)
	converse(t, dial(t, addr), 10)
	must(t, nodes[0].Remove(t.Context(), "web", true))

	nodes[1].becomes(t, addr, false)
	began := time.Now()
	wantRefusal(t, addr)
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("refused after %v", took)
	}
	k := nodes[1].keeperOf(t, addr)
	for changed := k.Changed(); k.State().Err == nil; changed = k.Changed() {
		<-changed
	}
	if st := nodes[1].Rules()[0]; st.State != Up || wire.CodeOf(st.Unbound) == wire.OK {
		t.Errorf("the rule is %s: %v", st.State, st.Unbound)
	}
	nodes[0].expose(t, target, "web")
	nodes[1].becomes(t, addr, true)
}

func TestAnAddressInUseIsNamed(t *testing.T) {
	_, nodes := newWorld(t, 1)
	s := nodes[0].expose(t, serve(t, echo).addr(), "web")
	taken := serve(t, echo)
	_, err := nodes[0].Add(t.Context(), Rule{Kind: Forward, Listen: taken.addr(), Pipe: s.Pipe.String()})
	if wire.CodeOf(err) != wire.Taken || !strings.Contains(err.Error(), taken.addr()) || wire.NextOf(err) == "" {
		t.Errorf("%v (%s)", err, wire.NextOf(err))
	}
	if n := len(nodes[0].Rules()); n != 1 {
		t.Errorf("%d rules", n)
	}
	if len(nodes[0].rules.rules) != 1 {
		t.Error("the rule was saved")
	}
}

func TestARestoredRuleWaitsForItsAddress(t *testing.T) {
	w, nodes := newWorld(t, 1)
	s := nodes[0].expose(t, serve(t, echo).addr(), "web")
	taken := serve(t, echo)
	rules := &ruleStore{rules: []Rule{
		{ID: "f", Kind: Forward, Listen: taken.addr(), Pipe: s.Pipe.String()},
		{ID: "bad", Kind: Forward, Listen: "nowhere"},
	}}
	n := w.start(newKey(t), newMemory(), rules)
	for _, st := range n.Rules() {
		want := map[string]State{"f": Waiting, "bad": Failed}[st.Rule.ID]
		if st.State != want || st.Err == nil {
			t.Errorf("rule %s is %s: %v", st.Rule.ID, st.State, st.Err)
		}
	}
	must(t, taken.Close())
	n.heard.await(t, 1, kind(EventRuleUp))
	n.becomes(t, taken.addr(), true)
}

func TestALoopEnds(t *testing.T) {
	_, nodes := newWorld(t, 2)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	addr := l.Addr().String()
	must(t, l.Close())
	here := nodes[0].expose(t, addr, "here")
	nodes[0].forward(t, here, func(r *Rule) { r.Listen = addr })
	wantRefusal(t, addr)
	e := nodes[0].heard.await(t, 1, func(e Event) bool { return e.Kind == EventRefused && e.Code == wire.BadRequest })[0]
	if !strings.Contains(e.Err.Error(), "loop") {
		t.Errorf("refused: %v", e.Err)
	}
	if st := nodes[0].Rules(); st[0].Opened > 10 {
		t.Errorf("%d channels", st[0].Opened)
	}
}
