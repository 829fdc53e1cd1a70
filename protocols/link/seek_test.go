package link

import (
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// TestWhenAListenerSeeksALeg is what happens, and after how long it does so.
func TestWhenAListenerSeeksALeg(t *testing.T) {
	const never = -1
	for name, x := range map[string]struct {
		happens func(b *end, lb *leg)
		after   time.Duration // the loss
	}{
		"its leg is lost": {func(b *end, lb *leg) { b.loses(lb) }, never},
		"its leg is lost, and something is on its way": {func(b *end, lb *leg) {
			b.write("owed")
			b.sent(lb)
			b.loses(lb)
		}, listenTime},
		"its leg is lost, then it writes": {func(b *end, lb *leg) {
			b.loses(lb)
			b.now = b.now.Add(time.Second)
			b.write("owed")
		}, listenTime},
		"it writes long after the loss": {func(b *end, lb *leg) {
			b.loses(lb)
			b.pass()
			b.now = b.now.Add(time.Second)
			b.write("owed")
		}, listenTime + time.Second},
		"it ends its stream long after the loss": {func(b *end, lb *leg) {
			b.loses(lb)
			b.pass()
			must(b.m.closeWrite())
			b.note()
		}, listenTime},
		"the far side wants no more of what is owed": {func(b *end, lb *leg) {
			b.write("owed")
			must(b.comes(lb, simFrame{kind: kindStop}))
			b.loses(lb)
		}, never},
		"its address changes, then its leg is lost": {func(b *end, lb *leg) {
			b.changes()
			b.now = b.now.Add(changeTime)
			b.loses(lb)
		}, 0},
		"its leg is lost, then its address changes": {func(b *end, lb *leg) {
			b.loses(lb)
			b.now = b.now.Add(time.Second)
			b.changes()
		}, time.Second},
		"its leg is lost long after its address has changed": {func(b *end, lb *leg) {
			b.changes()
			b.now = b.now.Add(changeTime + 1)
			b.loses(lb)
		}, never},
		"its address changes, and it gets a leg, which is lost": {func(b *end, _ *leg) {
			b.changes()
			l, _, err := b.opened(simFrame{kindResume, resume{id: b.m.id, gen: 2, marks: marks{credit: firstWindow}, from: 1}.appendWithID(nil)}, false)
			must(err)
			b.loses(l)
		}, never},
		"its address changes while it is frozen": {func(b *end, lb *leg) {
			b.m.freeze()
			b.changes()
			b.now = b.now.Add(time.Second)
			b.loses(lb)
			b.fx = effects{}
			b.m.thaw(b.now)
			b.note()
		}, 0},
	} {
		_, b, _, lb := joined()
		x.happens(b, lb)
		for !b.fx.redial && b.m.over == nil && b.m.deadline().Before(began.Add(2*listenTime)) {
			b.pass()
		}
		took := b.now.Sub(b.m.lostAt)
		if !b.fx.redial {
			took = never
		}
		if took != x.after || b.m.needsLeg() != b.fx.redial {
			t.Errorf("%s: seeks after %s, want %s", name, took, x.after)
		}
	}
}

func (e *end) loses(l *leg) { e.m.lost(l, wire.Unreachable, e.now); e.note() }

func (e *end) changes() { e.m.addressChanged(e.now); e.note() }

// TestListenerSeeksUntilItHasALeg: it is refused, or its leg lost again; a leg
// puts an end to it.
func TestListenerSeeksUntilItHasALeg(t *testing.T) {
	a, b, la, lb := joined()
	b.write("owed")
	b.sent(lb)
	b.changes()
	b.loses(lb)
	l, _ := b.dial(false)
	must(b.comes(l, simFrame{kindRefused, refusal{code: wire.Busy}.append(nil)}))
	if !b.m.needsLeg() {
		t.Error("it gives up when it is refused")
	}
	l, _ = b.dial(false)
	b.loses(l)
	if !b.m.needsLeg() {
		t.Error("it gives up when its leg is lost")
	}
	a.loses(la)
	lb, out := b.dial(false)
	la, _, err := a.opened(out[0], false)
	must(err)
	must(a.comes(la, out[1:]...))
	settle(a, b, la, lb)
	if got, _ := a.read(); got != "owed" {
		t.Errorf("%q came", got)
	}
	if b.loses(lb); b.m.needsLeg() {
		t.Error("it goes on")
	}
}

// TestBothEndsSeekAtOnce: the end with the larger peer ID is answered, after one
// round trip, and neither asks again.
func TestBothEndsSeekAtOnce(t *testing.T) {
	for _, larger := range []bool{true, false} {
		a, b, la, lb := joined()
		a.write("up")
		b.write("down")
		a.loses(la)
		b.changes()
		b.loses(lb)
		a.fx, b.fx = effects{}, effects{}
		la, up := a.dial(false)
		lb, down := b.dial(false)
		fromA, noB, err := b.opened(up[0], !larger) // larger: a's ID is
		must(err)
		fromB, noA, err := a.opened(down[0], larger)
		must(err)
		winner, loser, lw, ll, first, no := a, b, la, fromA, up, noA
		if !larger {
			winner, loser, lw, ll, first, no = b, a, lb, fromB, down, noB
		}
		if no.code != wire.Taken || ll == nil {
			t.Fatalf("answers %s and %s", noA.code, noB.code)
		}
		must(loser.comes(ll, first[1:]...))
		settle(winner, loser, lw, ll)
		if a.m.cur == nil || b.m.cur == nil || a.fx.redial || b.fx.redial {
			t.Errorf("legs %v and %v, asked for again: %v and %v", a.m.cur, b.m.cur, a.fx.redial, b.fx.redial)
		}
		gotA, _ := a.read()
		gotB, _ := b.read()
		if gotA != "down" || gotB != "up" {
			t.Errorf("%q and %q came", gotA, gotB)
		}
	}
}
