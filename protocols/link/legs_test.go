package link

import (
	"testing"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// TestBothEndsResumeAtOnce: of two questions of one generation the one of the
// larger peer ID is answered, in one round trip.
func TestBothEndsResumeAtOnce(t *testing.T) {
	a, b, la, lb := joined()
	b.m.seeks = true // it has moved once
	a.write("abc")
	a.m.lost(la, wire.Unreachable, a.now)
	b.m.lost(lb, wire.Unreachable, b.now)
	la, ask := a.dial(false)
	lb, theirs := b.dial(false)
	if l, no, _ := b.opened(ask[0], true); l != nil || no.code != wire.Taken || no.gen != 2 {
		t.Errorf("the larger answers with %v, %+v", l, no)
	}
	l, no, err := a.opened(theirs[0], false)
	if l == nil || err != nil {
		t.Fatalf("the smaller refuses: %+v, %v", no, err)
	}
	must(a.comes(la, simFrame{kindRefused, refusal{code: wire.Taken, gen: 2}.append(nil)})) // too late to matter
	settle(a, b, l, lb)
	if got, _ := b.read(); got != "abc" || a.m.cur != l || b.m.cur != lb || a.m.gen != 2 || b.m.gen != 2 {
		t.Errorf("%q came; %d, %d", got, a.m.gen, b.m.gen)
	}
}

// TestJudgment is every answer that a RESUME can get.
func TestJudgment(t *testing.T) {
	plain := resume{gen: 2}
	for name, x := range map[string]struct {
		change  func(m *machine, r *resume)
		strange bool
		larger  bool
		verdict claim
		code    wire.Code
	}{
		"by the node known":                        {verdict: claimPlain},
		"by another node":                          {strange: true, code: wire.Forbidden},
		"by another node, of a later life":         {change: func(_ *machine, r *resume) { r.epoch = 1 }, strange: true, verdict: claimAuthorise},
		"by the node known, of a later life":       {change: func(_ *machine, r *resume) { r.epoch = 5 }, verdict: claimAuthorise},
		"of an earlier life":                       {change: func(m *machine, _ *resume) { m.farEpoch = 1 }, code: wire.Moved},
		"by who knows a later life of this end":    {change: func(_ *machine, r *resume) { r.farEpoch = 1 }, code: wire.Gone},
		"by who knows an earlier life of this end": {change: func(m *machine, _ *resume) { m.epoch = 1 }, verdict: claimPlain},
		"frozen":                        {change: func(m *machine, _ *resume) { m.freeze() }, code: wire.Busy},
		"exported":                      {change: func(m *machine, _ *resume) { m.freeze(); m.exported([]byte("there")) }, strange: true, code: wire.Moved},
		"of the generation that is":     {change: func(_ *machine, r *resume) { r.gen = 1 }, code: wire.Taken},
		"of generation 0":               {change: func(_ *machine, r *resume) { r.gen = 0 }, code: wire.Taken},
		"of the last generation":        {change: func(_ *machine, r *resume) { r.gen = 1<<64 - 1 }, code: wire.BadRequest},
		"of a generation far ahead":     {change: func(_ *machine, r *resume) { r.gen = 2 + maxGenJump }, code: wire.BadRequest},
		"of a generation ahead":         {change: func(_ *machine, r *resume) { r.gen = 1 + maxGenJump }, verdict: claimPlain},
		"of the one asked for, smaller": {change: func(m *machine, _ *resume) { m.ask = &leg{gen: 2, asking: true} }, verdict: claimPlain},
		"of the one asked for, larger":  {change: func(m *machine, _ *resume) { m.ask = &leg{gen: 2, asking: true} }, larger: true, code: wire.Taken},
		"before the one asked for":      {change: func(m *machine, _ *resume) { m.cur = &leg{gen: 3, asking: true} }, code: wire.Taken},
		"after the one asked for":       {change: func(m *machine, r *resume) { m.ask = &leg{gen: 2, asking: true}; r.gen = 3 }, larger: true, verdict: claimPlain},
		"reset, told":                   {change: func(m *machine, _ *resume) { m.abort(wire.Internal, ""); m.farOver = true }, code: wire.Internal},
		"reset, not told":               {change: func(m *machine, _ *resume) { m.abort(wire.Internal, "") }, verdict: claimPlain},
	} {
		a, _, _, _ := joined()
		r := plain
		if x.change != nil {
			x.change(a.m, &r)
		}
		verdict, no := a.m.judge(r, !x.strange, x.larger)
		if verdict != x.verdict || no.code != x.code || (len(no.hint) > 0) != (name == "exported") {
			t.Errorf("%s: %d, %s %q; want %d, %s", name, verdict, no.code, no.hint, x.verdict, x.code)
		}
	}
}

// TestPlannedChangeLosesAndDoublesNothing: the old leg brings what was on its
// way, though the new one is faster.
func TestPlannedChangeLosesAndDoublesNothing(t *testing.T) {
	a, b, la, lb := joined()
	a.write("on the old leg, ")
	late := a.sent(la)
	b.write("from the far side, ")
	down := b.sent(lb)

	l2, ask := a.dial(true)
	if len(ask) != 1 {
		t.Errorf("%d frames go on a leg that was not answered", len(ask))
	}
	a.write("still on the old leg, ")
	late = append(late, a.sent(la)...)
	m2, _, err := b.opened(ask[0], false)
	must(err)
	b.write("and on its new leg")
	answer := b.sent(m2)
	must(a.comes(la, down...))
	must(a.comes(l2, answer...))
	if got, _ := a.read(); got != "from the far side, and on its new leg" {
		t.Errorf("%q came", got)
	}
	a.write("on the new leg")
	must(b.comes(m2, a.sent(l2)...))
	if got, _ := b.read(); got != "" || len(b.fx.released) != 0 {
		t.Errorf("%q came before its time; released: %v", got, b.fx.released)
	}
	must(b.comes(lb, late...))
	if got, _ := b.read(); got != "on the old leg, still on the old leg, on the new leg" {
		t.Errorf("%q came", got)
	}
	if len(a.m.old)+len(b.m.old) != 0 || a.m.gen != 2 || b.m.gen != 2 {
		t.Errorf("old legs: %v, %v", a.m.old, b.m.old)
	}
	a.write("!")
	if f := a.sent(l2); len(f) == 0 || string(f[len(f)-1].payload) != "!" {
		t.Errorf("something is sent again: %v", f)
	}
}

// TestFramesOfLegsThatAreOverCountForNothing: late ones, repeated ones, and
// those of a peer that goes on sending on a leg that was fenced.
func TestFramesOfLegsThatAreOverCountForNothing(t *testing.T) {
	a, b, _, lb := joined()
	b.m.lost(lb, wire.Unreachable, b.now)
	l2, ask := a.dial(false)
	m2, _, err := b.opened(ask[0], false)
	must(err)
	must(a.comes(l2, b.sent(m2)...))
	resumed := simFrame{kindResumed, resume{gen: 1}.append(nil)}
	for _, f := range []simFrame{
		dataFrame("again"), offsetFrame(kindSeek, 1<<40), offsetFrame(kindFin, 3), offsetFrame(kindRewind, 9), ackFrame(9, 9, 9), resumed,
		{kindStop, nil}, {kindReset, reset{wire.Gone, ""}.append(nil)}, {kindClose, nil}, {kindRefused, refusal{code: wire.Gone}.append(nil)}, {99, nil},
	} {
		if err := b.comes(lb, f); err != nil || b.m.over != nil || b.m.in.fin != noOffset || b.m.in.q.end != 0 || b.m.out.received != 0 {
			t.Errorf("frame %d on a fenced leg: %v, %v", f.kind, err, b.m.over)
		}
	}
	if err := b.comes(m2, resumed); err != nil || b.m.cur != m2 { // nobody has asked
		t.Error(err)
	}
	a.write("ok")
	settle(a, b, l2, m2)
	if got, _ := b.read(); got != "ok" {
		t.Errorf("%q came", got)
	}
}

// TestResumeAsksAgain: a RESUME or OPEN whose answer was lost is repeated on
// another leg, of a later generation or the same.
func TestOpenIsRepeatedUntilItIsAnswered(t *testing.T) {
	a, b := newEnd(true), newEnd(false)
	a.write("hello")
	la, out := a.dial(false)
	lb, _, _ := b.opened(out[0], false)
	must(b.comes(lb, out[1:]...))
	b.sent(lb) // the answer is lost
	a.m.lost(la, wire.Unreachable, a.now)
	for range 3 {
		la, out = a.dial(false)
		if out[0].kind != kindOpen {
			t.Fatalf("frame %d", out[0].kind)
		}
		l, no, err := b.opened(out[0], false)
		if l != nil {
			lb = l
		} else if no.code != wire.Taken || no.gen != 1 {
			t.Fatalf("%+v, %v", no, err)
		}
		if l == nil { // it learns the generation by that
			must(a.comes(la, simFrame{kindRefused, no.append(nil)}))
			continue
		}
		must(b.comes(lb, out[1:]...))
		break
	}
	settle(a, b, la, lb)
	if got, _ := b.read(); got != "hello" || a.m.cur != la || !a.m.heard {
		t.Errorf("%q came", got)
	}
}
