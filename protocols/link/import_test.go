package link

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/protocols/wire/vectorfile"
)

// patient is links of a node that reaches nobody.
func patient(t *testing.T, cfg Config) *Links {
	cfg.Redial = func(ctx context.Context, _ Route) (reach.Path, error) {
		<-ctx.Done()
		return reach.Path{}, ctx.Err()
	}
	h := New(cfg)
	t.Cleanup(func() { h.Close() })
	return h
}

// exportedEnd is an end that any node may take, with so much to bring.
func exportedEnd(t *testing.T, credit uint64) state {
	s := vectorfile.Read[vectors](t).States[0].state(t)
	s.id, s.credit = NewID(), s.read+credit
	return s
}

func TestImportRefusesWhatItCannotHave(t *testing.T) {
	h := patient(t, Config{Window: 1 << 20, Memory: 16 << 20, Links: 20})
	good := exportedEnd(t, 1000)
	if _, err := h.Import(good.append(nil), ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	stranger := exportedEnd(t, 1000)
	stranger.far = peer.ID("nobody")
	another := exportedEnd(t, 1000)
	another.epoch = 2
	for name, x := range map[string]struct {
		b     []byte
		token int
		epoch uint64
		code  wire.Code
	}{
		"nothing":                 {b: nil, code: wire.Unsupported},
		"text":                    {b: []byte("what is this?"), code: wire.Unsupported},
		"half":                    {b: good.append(nil)[:40], code: wire.BadRequest},
		"one that is here":        {b: good.append(nil), code: wire.Taken},
		"a far end at no peer":    {b: stranger.append(nil), code: wire.BadRequest},
		"more than a link may":    {b: exportedEnd(t, 1<<20+1).append(nil), code: wire.Limit},
		"a token that is too big": {b: another.append(nil), token: maxToken + 1, code: wire.TooLarge},
		"the epoch that it had":   {b: another.append(nil), epoch: another.epoch, code: wire.BadRequest},
		"an epoch beyond all":     {b: another.append(nil), epoch: maxOffset + 1, code: wire.BadRequest},
	} {
		l, err := h.Import(x.b, ImportOptions{Token: make([]byte, x.token), Epoch: x.epoch})
		if l != nil || wire.CodeOf(err) != x.code {
			t.Errorf("%s: %v, want %s", name, err, x.code)
		}
	}
	if u := h.Usage(); u != (Usage{Links: 1, Memory: firsts}) {
		t.Errorf("%+v", u)
	}
}

// TestImportsShareTheMemory: what ends bring along is no more than the node
// allows, and is given back.
func TestImportsShareTheMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := patient(t, Config{Window: 1 << 20, Memory: 32 << 20, Links: 100, Grace: time.Minute})
		var err error
		n := 0
		for ; err == nil; n++ {
			_, err = h.Import(exportedEnd(t, 1<<20).append(nil), ImportOptions{})
		}
		if u := h.Usage(); wire.CodeOf(err) != wire.Limit || wire.NextOf(err) != "raise limits.link_memory" || u.Memory > 16<<20+firsts*int64(n) || u.Links != n-1 || n < 5 {
			t.Errorf("%d imports, %+v, %v (%s)", n, u, err, wire.NextOf(err))
		}
		time.Sleep(time.Minute + time.Second) // nobody was reached
		if u := h.Usage(); u != (Usage{}) {
			t.Errorf("%+v is left", u)
		}
	})
}

// TestFarSideThatLostItsStateIsGoneForBoth: an end goes on from an export that is
// older than what it has acknowledged.
func TestFarSideThatLostItsStateIsGoneForBoth(t *testing.T) {
	a, b, la, lb := joined()
	old, err := parseState(b.m.export("self", "far").append(nil), testWindow)
	must(err)
	a.write("abc")
	must(b.comes(lb, a.sent(la)...))
	b.read()
	b.m.owed()
	must(a.comes(la, b.sent(lb)...))
	c := &end{m: restore(old, settings{id: old.id, grace: time.Minute, most: testWindow, budget: plentyOfMemory{}}), now: a.now}
	c.m.claim(1, nil)
	c.m.detach(errImported, c.now)
	l, out := c.dial(false)
	r, err := parseResume(out[0].payload)
	must(err)
	la = newLeg(nil)
	err = a.m.resume(la, r, a.now)
	if wire.CodeOf(err) != wire.Gone {
		t.Fatal(err)
	}
	a.m.abort(wire.Gone, err.Error())
	must(c.comes(l, a.sent(la)...))
	settle(a, c, la, l)
	for name, e := range map[string]*end{"one": a, "other": c} {
		if _, _, err := e.m.read(make([]byte, 1)); wire.CodeOf(err) != wire.Gone || e.m.mustTell() || e.m.cur != nil {
			t.Errorf("the %s reads %v", name, err)
		}
	}
}

func TestUnreadDatagramsAreFew(t *testing.T) {
	var d datagrams
	for i := range 1000 {
		d.put([]byte{byte(i)})
	}
	if len(d.waiting) != unreadDatagrams || d.waiting[0][0] != (1000-unreadDatagrams)%256 {
		t.Errorf("%d wait", len(d.waiting))
	}
	d.wanted = true
	for i := range 1000 {
		d.put([]byte{byte(i)})
	}
	if len(d.waiting) != keptDatagrams {
		t.Errorf("%d wait", len(d.waiting))
	}
}

// TestLegsThatAreDroppedAsTheyComeAreFew: redialling has a pace, whatever becomes
// of the legs.
func TestLegsThatAreDroppedAsTheyComeAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := new(Link)
		if d := soonest([]*Link{l}); d > 0 {
			t.Errorf("the first waits for %s", d)
		}
		l.redialled = time.Now()
		if d := soonest([]*Link{l}); d != redialGap {
			t.Errorf("the second waits for %s", d)
		}
	})
}
