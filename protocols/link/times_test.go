package link

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// TestTimersOfTheMachine has each of its times pass, to the nanosecond.
func TestTimersOfTheMachine(t *testing.T) {
	lose := func(e *end, l *leg) { e.m.lost(l, wire.Unreachable, e.now); e.note() }
	for name, x := range map[string]struct {
		prepare func(a, b *end, la, lb *leg) *end
		after   time.Duration // zero: nothing is waited for
		over    wire.Code     // OK: it lives
	}{
		"attached": {prepare: func(a, _ *end, _, _ *leg) *end { return a }},
		"the dialer has lost its leg": {
			prepare: func(a, _ *end, la, _ *leg) *end { lose(a, la); return a }, after: time.Minute, over: wire.Gone,
		},
		"the listener has lost its leg": {
			prepare: func(_, b *end, _, lb *leg) *end {
				lose(b, lb)
				if took := b.pass(); took != 5*time.Second || b.fx.redial {
					t.Errorf("seeks a leg after %s: %v", took, b.fx.redial)
				}
				return b
			}, after: 55 * time.Second, over: wire.Gone,
		},
		"the far side has left the leg": {
			prepare: func(a, _ *end, la, _ *leg) *end { a.m.left(la, a.now); return a }, after: time.Minute, over: wire.Gone,
		},
		"legs that are not answered": {
			prepare: func(a, _ *end, la, _ *leg) *end {
				lose(a, la)
				for range 3 {
					a.now = a.now.Add(10 * time.Second)
					l, _ := a.dial(false)
					lose(a, l)
				}
				a.dial(false)
				return a
			}, after: 30 * time.Second, over: wire.Gone,
		},
		"a planned leg that is not answered, and the loss of the other": {
			prepare: func(a, _ *end, la, _ *leg) *end {
				a.dial(true)
				a.now = a.now.Add(10 * time.Second)
				lose(a, la)
				return a
			}, after: time.Minute, over: wire.Gone,
		},
		"an OPEN that is not answered": {
			prepare: func(_, _ *end, _, _ *leg) *end { a := newEnd(true); a.dial(false); return a }, after: time.Minute, over: wire.Gone,
		},
		"frozen while detached": {
			prepare: func(a, _ *end, la, _ *leg) *end { lose(a, la); a.m.freeze(); return a },
		},
		"thawed": {
			prepare: func(a, _ *end, la, _ *leg) *end {
				lose(a, la)
				a.m.freeze()
				a.now = a.now.Add(50 * time.Second)
				a.m.thaw(a.now)
				return a
			}, after: time.Minute, over: wire.Gone,
		},
		"exported": {
			prepare: func(a, _ *end, _, _ *leg) *end { a.m.freeze(); a.m.exported(nil); a.note(); return a }, after: time.Minute, over: wire.Moved,
		},
		"reset, and the far side not told": {
			prepare: func(a, _ *end, _, _ *leg) *end { a.m.abort(wire.Internal, "x"); a.note(); return a }, after: time.Minute, over: wire.Internal,
		},
		"reset by the far side": {
			prepare: func(a, _ *end, la, _ *leg) *end {
				must(a.comes(la, simFrame{kindReset, reset{wire.Taken, "x"}.append(nil)}))
				return a
			}, over: wire.Taken,
		},
		"bytes beyond a gap, those before it on a leg that says nothing": {
			prepare: func(_, b *end, _, lb *leg) *end {
				l, _, _ := b.opened(simFrame{kindResume, resume{id: b.m.id, gen: 2, flags: flagPlanned, marks: marks{credit: firstWindow}}.appendWithID(nil)}, false)
				must(b.comes(l, offsetFrame(kindSeek, 10), dataFrame("later")))
				return b
			}, after: time.Second, over: wire.OK,
		},
	} {
		e := x.prepare(joined())
		before := e.now
		if took := e.pass(); took != x.after {
			t.Errorf("%s: %s passed, want %s", name, took, x.after)
		}
		if code := wire.CodeOf(e.m.over); code != x.over {
			t.Errorf("%s: %v, want %s", name, e.m.over, x.over)
		}
		if x.over != wire.OK && e.m.mustTell() {
			t.Errorf("%s: the far side is still to be told after %s", name, e.now.Sub(before))
		}
		if again := e.pass(); again != 0 {
			t.Errorf("%s: something is due %s later", name, again)
		}
	}
}

func TestTimeThatHasNotPassedChangesNothing(t *testing.T) {
	a, _, la, _ := joined()
	a.m.lost(la, wire.Unreachable, a.now)
	a.m.tick(a.now.Add(time.Minute - 1))
	if a.m.over != nil {
		t.Error(a.m.over)
	}
}

// TestGapIsAskedForOnce however many bytes come beyond it.
func TestGapIsAskedForOnce(t *testing.T) {
	_, b, _, _ := joined()
	l, _, _ := b.opened(simFrame{kindResume, resume{id: b.m.id, gen: 2, flags: flagPlanned, marks: marks{credit: firstWindow}}.appendWithID(nil)}, false)
	b.sent(l)
	must(b.comes(l, offsetFrame(kindSeek, 10)))
	for i := range 100 {
		must(b.comes(l, dataFrame("later")))
		if i == 50 {
			b.pass()
		}
		var rewinds int
		for _, f := range b.sent(l) {
			if f.kind == kindRewind {
				rewinds++
			}
		}
		if want := i == 50; (rewinds == 1) != want {
			t.Errorf("byte %d: %d REWINDs", 10+5*i, rewinds)
		}
	}
	must(b.comes(l, offsetFrame(kindSeek, 0), dataFrame("0123456789")))
	if got, _ := b.read(); len(got) != 510 {
		t.Errorf("%d bytes came", len(got))
	}
}

func TestAcknowledgementsWaitForCompany(t *testing.T) {
	a, b, la, lb := joined()
	a.write("abc")
	must(b.comes(lb, a.sent(la)...))
	if f := b.sent(lb); !b.fx.ackLater || len(f) != 0 {
		t.Errorf("sent at once: %v; owed: %v", f, b.fx.ackLater)
	}
	b.fx.ackLater = false
	must(b.comes(lb, dataFrame("d")))
	if b.fx.ackLater {
		t.Error("a second one is owed")
	}
	b.m.owed()
	if f := b.sent(lb); len(f) != 1 || f[0].kind != kindAck {
		t.Errorf("%v", f)
	}
	b.m.owed()
	if f := b.sent(lb); len(f) != 0 {
		t.Errorf("again: %v", f)
	}
	must(b.comes(lb, dataFrame(strings.Repeat("e", ackAlong))))
	b.write("f")
	if f := b.sent(lb); len(f) != 2 || f[0].kind != kindAck || f[1].kind != kindData {
		t.Errorf("with what is sent anyway: %v", f)
	}
}

func TestPausesBetweenRedials(t *testing.T) {
	for failures, want := range map[int][2]time.Duration{
		1: {50 * time.Millisecond, 100 * time.Millisecond}, 2: {100 * time.Millisecond, 200 * time.Millisecond},
		4: {400 * time.Millisecond, 800 * time.Millisecond}, 100: {2500 * time.Millisecond, 5 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := New(Config{})
			defer h.Close()
			for range 20 {
				start := time.Now()
				h.pause(&redialing{wake: make(chan struct{})}, failures, 0)
				if took := time.Since(start); took < want[0] || took > want[1] {
					t.Errorf("%d failures: %s, want %s", failures, took, want)
				}
			}
		})
	}
}
