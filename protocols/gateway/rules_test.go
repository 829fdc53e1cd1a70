package gateway

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestRulesAreRestored(t *testing.T) {
	w, nodes := newWorld(t, 1)
	target := serve(t, echo).addr()
	key, pipes, rules := newKey(t), newMemory(), &ruleStore{}
	n := w.start(key, pipes, rules)
	s := n.expose(t, target, "web")
	here := n.forward(t, s, func(r *Rule) { r.Listen = "127.0.0.1:" + freePort(t) })
	there := nodes[0].forward(t, s)
	converse(t, dial(t, here), 10)
	n.stop()

	n = w.start(key, pipes, rules)
	n.heard.await(t, 2, kind(EventRuleUp))
	converse(t, dial(t, here), 10)
	nodes[0].becomes(t, there, true)
	for _, st := range n.Rules() {
		if st.State != Up || st.Pipe != s.Pipe {
			t.Errorf("%+v", st)
		}
	}
}

func TestAForwardThatChangesKeepsItsChannels(t *testing.T) {
	_, nodes := newWorld(t, 2)
	one := nodes[0].expose(t, serve(t, says("1")).addr(), "one")
	two := nodes[0].expose(t, serve(t, says("2")).addr(), "two")
	addr := nodes[1].forward(t, one)
	first := dial(t, addr)
	wantWord(t, first, "1")
	id := nodes[1].Rules()[0].Rule.ID

	s, err := nodes[1].Add(t.Context(), Rule{ID: id, Kind: Forward, Listen: addr, Pipe: two.Pipe.String(), MaxChannels: 2})
	must(t, err)
	if s.Rule.ID != id || s.Channels != 1 || s.Addr != addr || s.Pipe != two.Pipe {
		t.Errorf("%+v", s)
	}
	second := dial(t, addr)
	wantWord(t, second, "2")
	wantWord(t, first, "1")
	wantRefusal(t, addr)

	s, err = nodes[1].Add(t.Context(), Rule{ID: id, Kind: Forward, Listen: "127.0.0.1:0", Pipe: two.Pipe.String()})
	must(t, err)
	if s.Addr == addr || s.Channels != 2 {
		t.Errorf("%+v", s)
	}
	wantWord(t, dial(t, s.Addr), "2")
	wantWord(t, first, "1")
	if c, err := dialNow(addr); err == nil {
		_ = c.Close()
		t.Error("the old address is listened on")
	}
	if got := nodes[1].rules.rules; len(got) != 1 || got[0].ID != id {
		t.Errorf("saved: %+v", got)
	}
}

func TestAnExposeThatChangesKeepsItsChannels(t *testing.T) {
	_, nodes := newWorld(t, 2)
	s := nodes[0].expose(t, serve(t, says("1")).addr(), "web")
	addr := nodes[1].forward(t, s)
	first := dial(t, addr)
	wantWord(t, first, "1")
	again := nodes[0].expose(t, serve(t, says("2")).addr(), "web")
	if again.Rule.ID != s.Rule.ID || again.Channels != 1 {
		t.Errorf("%+v", again)
	}
	wantWord(t, dial(t, addr), "2")
	wantWord(t, first, "1")

	moved, err := nodes[0].Add(t.Context(), Rule{ID: s.Rule.ID, Kind: Expose, Target: again.Rule.Target, Pipe: "other", Allow: []string{Anyone}})
	must(t, err)
	if moved.Pipe == s.Pipe || moved.Channels != 2 {
		t.Errorf("%+v", moved)
	}
	wantWord(t, first, "1")
	nodes[1].becomes(t, addr, false)
	wantWord(t, dial(t, nodes[1].forward(t, moved)), "2")
}

func TestASetOfRulesIsApplied(t *testing.T) {
	_, nodes := newWorld(t, 1)
	n := nodes[0]
	target, busy := serve(t, says("1")).addr(), serve(t, echo).addr()
	port := "127.0.0.1:" + freePort(t)
	web := Rule{Kind: Expose, Target: target, Pipe: "web", Allow: []string{Anyone}}
	in := Rule{Kind: Forward, Listen: port, Pipe: "web"}
	any1, any2 := Rule{Kind: Socks, Listen: "0"}, Rule{Kind: Socks, Listen: "0", MaxChannels: 7}
	c, err := n.Apply(t.Context(), []Rule{web, in, any1, any2})
	must(t, err)
	if len(c.Added) != 4 || len(c.Changed)+len(c.Removed)+len(c.Kept)+len(c.Failed) != 0 {
		t.Fatalf("%+v", c)
	}
	open := dial(t, port)
	wantWord(t, open, "1")
	before := n.Rules()

	c, err = n.Apply(t.Context(), []Rule{web, in, any1, any2})
	must(t, err)
	if len(c.Kept) != 4 || len(c.Added) != 0 || !slices.EqualFunc(before, n.Rules(), func(a, b Status) bool { return a.Addr == b.Addr && a.Since.Equal(b.Since) }) {
		t.Errorf("nothing has changed: %+v", c)
	}

	if _, err := n.Apply(t.Context(), []Rule{web, {Kind: Forward}}); wire.CodeOf(err) != wire.BadRequest {
		t.Errorf("a set with nonsense: %v", err)
	}
	if len(n.Rules()) != 4 {
		t.Error("nonsense has changed something")
	}

	limited := web
	limited.MaxChannels = 9
	taken := Rule{Kind: Forward, Listen: busy, Pipe: "web"}
	c, err = n.Apply(t.Context(), []Rule{limited, in, taken})
	must(t, err)
	if len(c.Changed) != 1 || len(c.Kept) != 1 || len(c.Added) != 1 || len(c.Removed) != 2 || len(c.Failed) != 1 {
		t.Errorf("%+v", c)
	}
	wantWord(t, open, "1")
	for _, s := range n.Rules() {
		if want := map[bool]State{true: Waiting, false: Up}[s.Rule.Listen == busy]; s.State != want {
			t.Errorf("%+v", s)
		}
	}
	if len(n.rules.rules) != 3 {
		t.Errorf("saved: %+v", n.rules.rules)
	}
}

func TestARemovedRuleDrainsOrResets(t *testing.T) {
	_, nodes := newWorld(t, 2)
	s := nodes[0].expose(t, serve(t, says("1")).addr(), "web")
	one, two := nodes[1].forward(t, s), nodes[1].forward(t, s)
	drains, breaks := dial(t, one), dial(t, two)
	wantWord(t, drains, "1")
	wantWord(t, breaks, "1")
	must(t, nodes[1].Remove(t.Context(), one, true))
	must(t, nodes[1].Remove(t.Context(), two, false))
	wantReset(t, breaks)
	wantWord(t, drains, "1")
	for _, addr := range []string{one, two} {
		if _, err := dialNow(addr); err == nil {
			t.Errorf("%s is listened on", addr)
		}
	}
	if all := nodes[1].Rules(); len(all) != 1 || all[0].State != Draining || all[0].Channels != 1 {
		t.Errorf("%+v", all)
	}
	must(t, drains.CloseWrite())
	nodes[1].heard.await(t, 2, kind(EventClosed))
	if all := nodes[1].Rules(); len(all) != 0 {
		t.Errorf("%+v", all)
	}
	if err := nodes[1].Remove(t.Context(), one, true); wire.CodeOf(err) != wire.Unknown {
		t.Errorf("removed twice: %v", err)
	}
}

func TestAStoreThatFailsLeavesAllAsItWas(t *testing.T) {
	_, nodes := newWorld(t, 1)
	n := nodes[0]
	s := n.expose(t, serve(t, says("1")).addr(), "web")
	addr := n.forward(t, s)
	broken := errors.New("the disk is full")
	n.rules.err = broken
	if _, err := n.Add(t.Context(), Rule{Kind: Socks, Listen: "0"}); !errors.Is(err, broken) {
		t.Errorf("add: %v", err)
	}
	changed := s.Rule
	changed.Target = serve(t, says("2")).addr()
	if _, err := n.Add(t.Context(), changed); !errors.Is(err, broken) {
		t.Errorf("change: %v", err)
	}
	if err := n.Remove(t.Context(), addr, true); !errors.Is(err, broken) {
		t.Errorf("remove: %v", err)
	}
	if _, err := n.Apply(t.Context(), nil); !errors.Is(err, broken) {
		t.Errorf("apply: %v", err)
	}
	wantWord(t, dial(t, addr), "1")
	if len(n.Rules()) != 2 {
		t.Errorf("%+v", n.Rules())
	}
	n.rules.err = nil
}

func TestAnOpenPipeTakesNoList(t *testing.T) {
	_, nodes := newWorld(t, 1)
	open := nodes[0].createOpen(t, "open")
	r := Rule{Kind: Expose, Target: serve(t, echo).addr(), Pipe: "open", Allow: []string{somebody}}
	if _, err := nodes[0].Add(t.Context(), r); wire.CodeOf(err) != wire.BadRequest {
		t.Errorf("a list on an open pipe: %v", err)
	}
	r.Allow = []string{Anyone}
	s, err := nodes[0].Add(t.Context(), r)
	must(t, err)
	if s.Pipe != open {
		t.Error("another pipe was made")
	}
}

func TestAnAddressOfAnotherRuleIsNamed(t *testing.T) {
	_, nodes := newWorld(t, 1)
	n := nodes[0]
	st, err := n.Add(t.Context(), Rule{Kind: Socks, Listen: "127.0.0.1:0"}) // a free port
	must(t, err)
	for _, r := range []Rule{{Kind: Socks, Listen: st.Addr}, {Kind: Forward, Listen: st.Addr, Pipe: n.createOpen(t, "x").String()}} {
		_, err := n.Add(t.Context(), r)
		if wire.CodeOf(err) != wire.Taken || !strings.Contains(err.Error(), st.Rule.ID) || !strings.Contains(wire.NextOf(err), "gateway rm "+st.Rule.ID) {
			t.Errorf("%s: %v, next %s", r.Kind, err, wire.NextOf(err))
		}
	}
}

func TestARuleCanBeRuled(t *testing.T) {
	w, _ := newWorld(t, 0)
	n := w.add(func(c *Config) { c.Limits.Rules = 1 })
	_, err := n.Add(t.Context(), Rule{Kind: Socks, Listen: "0"})
	must(t, err)
	if _, err := n.Add(t.Context(), Rule{Kind: Socks, Listen: "0"}); wire.CodeOf(err) != wire.Limit {
		t.Errorf("one rule too many: %v", err)
	}
	if _, err := n.Add(t.Context(), Rule{ID: n.Rules()[0].Rule.ID, Kind: Forward, Listen: "0", Pipe: "x"}); wire.CodeOf(err) != wire.Taken {
		t.Errorf("another kind under one ID: %v", err)
	}
}
