package link

import (
	"errors"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestEachDirectionEndsByItself(t *testing.T) {
	a, b, la, lb := joined()
	a.write("last words")
	must(a.m.closeWrite())
	settle(a, b, la, lb)
	if got, eof := b.read(); got != "last words" || !eof {
		t.Errorf("%q, %v", got, eof)
	}
	if _, err := a.m.write([]byte("x")); err != errEnded {
		t.Error(err)
	}
	b.write("answer")
	settle(a, b, la, lb)
	if got, eof := a.read(); got != "answer" || eof || a.m.over != nil {
		t.Errorf("%q, %v, %v", got, eof, a.m.over)
	}
	must(b.m.closeWrite())
	settle(a, b, la, lb)
	for name, e := range map[string]*end{"dialer": a, "listener": b} {
		if e.m.over != errComplete || e.m.mustTell() || e.m.cur != nil {
			t.Errorf("%s: %v, leg %v, still to tell: %v", name, e.m.over, e.m.cur, e.m.mustTell())
		}
		if _, eof := e.read(); !eof {
			t.Errorf("%s: no end of the stream after the end", name)
		}
	}
}

func TestEndOfStreamIsReplayed(t *testing.T) {
	a, b, la, lb := joined()
	a.write("all")
	must(a.m.closeWrite())
	a.sent(la) // is lost, with FIN
	a.m.lost(la, wire.Unreachable, a.now)
	b.m.lost(lb, wire.Unreachable, b.now)
	la, out := a.dial(false)
	lb, _, _ = b.opened(out[0], false)
	must(b.comes(lb, out[1:]...))
	settle(a, b, la, lb)
	if got, eof := b.read(); got != "all" || !eof {
		t.Errorf("%q, %v", got, eof)
	}
	must(b.comes(lb, offsetFrame(kindFin, 3))) // once more
	if b.m.over != nil {
		t.Error(b.m.over)
	}
}

func TestEndIsSafeOnceItIsRead(t *testing.T) {
	a, b, la, lb := joined()
	must(a.m.closeWrite())
	settle(a, b, la, lb)
	if o := &a.m.out; o.received != 1 || o.safe != 0 {
		t.Errorf("received %d, safe %d", o.received, o.safe)
	}
	b.read()
	settle(a, b, la, lb)
	if o := &a.m.out; o.safe != 1 {
		t.Errorf("received %d, safe %d", o.received, o.safe)
	}
}

func TestWhoReadsNoMoreStopsTheFarSide(t *testing.T) {
	a, b, la, lb := joined()
	a.write("unread")
	b.m.stop()
	settle(a, b, la, lb)
	if _, err := a.m.write([]byte("x")); err != errFarClosed || a.m.out.q.mem != 0 {
		t.Errorf("%v, %d bytes of memory", err, a.m.out.q.mem)
	}
	b.write("bye")
	must(b.m.closeWrite())
	settle(a, b, la, lb)
	if got, eof := a.read(); got != "bye" || !eof {
		t.Errorf("%q, %v", got, eof)
	}
	settle(a, b, la, lb)
	if a.m.over != errComplete || b.m.over != errComplete {
		t.Errorf("%v; %v", a.m.over, b.m.over)
	}
}

// TestResetWhileDetached: the dialer comes back to tell; the listener waits to be
// asked; neither for longer than its time of grace.
func TestResetWhileDetached(t *testing.T) {
	for _, dialerResets := range []bool{true, false} {
		a, b, la, lb := joined()
		a.m.lost(la, wire.Unreachable, a.now)
		b.m.lost(lb, wire.Unreachable, b.now)
		who := b
		if dialerResets {
			who = a
		}
		who.m.abort(wire.Expired, "enough")
		who.note()
		if who.fx.redial != dialerResets {
			t.Errorf("redial: %v", who.fx.redial)
		}
		la, out := a.dial(false)
		lb, _, err := b.opened(out[0], false)
		must(err)
		must(b.comes(lb, out[1:]...))
		settle(a, b, la, lb)
		for _, e := range []*end{a, b} {
			if wire.CodeOf(e.m.over) != wire.Expired || e.m.mustTell() || e.m.cur != nil {
				t.Errorf("dialer resets %v: %v, %v", dialerResets, e.m.over, e.m.cur)
			}
		}
	}
}

// TestBothSidesHearOfTheEndThoughLegsAreLost loses the leg after each of the
// last frames in turn.
func TestBothSidesHearOfTheEndThoughLegsAreLost(t *testing.T) {
	for lose := range 8 {
		a, b, la, lb := joined()
		must(a.m.closeWrite())
		must(b.m.closeWrite())
		passed := 0
		carry := func(from, to *end, lf, lt *leg) bool {
			frames := from.sent(lf)
			for _, f := range frames {
				if passed++; passed <= lose || passed > lose+3 {
					must(to.comes(lt, f))
				}
			}
			return len(frames) > 0
		}
		for range 10 {
			for carry(a, b, la, lb) || carry(b, a, lb, la) {
			}
			if !a.m.needsLeg() && a.m.cur == nil && !b.m.mustTell() {
				break
			}
			for _, x := range []struct {
				e *end
				l *leg
			}{{a, la}, {b, lb}} {
				if x.e.m.cur == x.l {
					x.e.m.lost(x.l, wire.Unreachable, x.e.now)
				}
			}
			if !a.m.needsLeg() {
				break
			}
			var out []simFrame
			la, out = a.dial(false)
			if b.m.over != nil && !b.m.mustTell() { // it is off the books
				must(a.comes(la, simFrame{kindRefused, refusal{code: wire.Gone}.append(nil)}))
				continue
			}
			l, no, err := b.opened(out[0], false)
			must(err)
			if lb = l; l == nil {
				must(a.comes(la, simFrame{kindRefused, no.append(nil)}))
				lb = newLeg(nil)
			}
			must(b.comes(lb, out[1:]...))
		}
		for name, e := range map[string]*end{"dialer": a, "listener": b} {
			e.read()
			if e.m.over == nil {
				t.Errorf("loss after %d: the %s does not know of the end", lose, name)
			} else if e.m.over != errComplete {
				t.Errorf("loss after %d: the %s saw %v", lose, name, e.m.over)
			}
		}
	}
}

// TestRefusals is what a dialer makes of each answer to its RESUME.
func TestRefusals(t *testing.T) {
	for code, want := range map[wire.Code]struct {
		over   wire.Code
		redial bool
	}{
		wire.Taken: {redial: true}, wire.Busy: {redial: true}, wire.Moved: {redial: true}, wire.Limit: {redial: true},
		wire.Timeout: {redial: true}, wire.Unsupported: {redial: true},
		wire.Gone: {over: wire.Gone}, wire.Forbidden: {over: wire.Forbidden}, wire.Closed: {over: wire.Gone},
		wire.Unknown: {over: wire.Unknown}, wire.OK: {over: wire.Gone}, 999: {over: wire.Gone},
	} {
		a, _, la, _ := joined()
		a.m.lost(la, wire.Unreachable, a.now)
		la, _ = a.dial(false)
		a.fx = effects{}
		must(a.comes(la, simFrame{kindRefused, refusal{code: code, gen: 40, hint: []byte("there")}.append(nil)}))
		if got := wire.CodeOf(a.m.over); got != want.over || a.fx.redial != want.redial || a.m.cur != nil {
			t.Errorf("%s: %v, redial %v", code, a.m.over, a.fx.redial)
		}
		if want.redial && (a.m.gen != 40 || string(a.m.hint) != "there" || a.m.refusals != 1) {
			t.Errorf("%s: generation %d, hint %q, %d refusals", code, a.m.gen, a.m.hint, a.m.refusals)
		}
	}
}

func TestFrozenEndDoesNothing(t *testing.T) {
	a, b, la, lb := joined()
	a.write("abc")
	must(b.comes(lb, a.sent(la)...))
	b.m.freeze()
	b.note()
	if n, err := b.m.write([]byte("x")); n != 0 || err != nil {
		t.Error(n, err)
	}
	if got, eof := b.read(); got != "" || eof {
		t.Errorf("%q", got)
	}
	must(b.comes(lb, dataFrame("def")))
	s, err := parseState(b.m.export("self", "far").append(nil), testWindow)
	if err != nil || string(s.unread) != "abc" || s.read != 0 || s.epoch != 0 {
		t.Errorf("%+v, %v", s, err)
	}
	b.m.thaw(b.now)
	if got, _ := b.read(); got != "abc" {
		t.Errorf("%q", got)
	}
}

func TestExportedEndGoesOnElsewhere(t *testing.T) {
	a, b, la, lb := joined()
	a.write("abc")
	b.write("written before")
	must(b.comes(lb, a.sent(la)...))
	b.m.freeze()
	s, err := parseState(b.m.export("self", "far").append(nil), testWindow)
	must(err)
	c := &end{m: restore(s, settings{id: s.id, grace: time.Minute, most: testWindow, budget: plentyOfMemory{}}), now: b.now}
	c.m.claim(1, []byte("token"))
	b.m.exported([]byte("there"))
	a.m.left(la, a.now)
	c.m.detach(errImported, c.now)
	if c.note(); !c.fx.redial {
		t.Error("it does not look for the far side")
	}
	l, out := c.dial(false)
	r, _ := parseResume(out[0].payload)
	if verdict, _ := a.m.judge(r, false, false); verdict != claimAuthorise || string(r.token) != "token" || r.epoch != 1 {
		t.Fatalf("%d: %+v", verdict, r)
	}
	la = newLeg(nil)
	must(a.m.resume(la, r, a.now))
	must(a.comes(la, out[1:]...))
	settle(c, a, l, la)
	a.write("def")
	settle(c, a, l, la)
	if got, _ := c.read(); got != "abcdef" {
		t.Errorf("%q", got)
	}
	if got, _ := a.read(); got != "written before" {
		t.Errorf("%q", got)
	}
	if n, err := b.m.write([]byte("x")); n != 0 || !errors.Is(err, wire.Moved) {
		t.Error(n, err)
	}
}
