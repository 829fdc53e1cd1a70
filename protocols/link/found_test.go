package link

import (
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// What chaos has found, each as the shortest script that shows it.

// imported is an end that goes on from an export, at an epoch so much later.
func imported(state []byte, later uint64, at time.Time) *end {
	s, err := parseState(state, testWindow)
	must(err)
	c := &end{m: restore(s, settings{id: s.id, grace: time.Minute, most: testWindow, budget: plentyOfMemory{}}), now: at}
	c.m.claim(s.epoch+1+later, nil)
	c.m.detach(errImported, c.now)
	c.note()
	return c
}

// takes has an end grant the claim in a RESUME, as Links does.
func (e *end) takes(out []simFrame) *leg {
	r, err := parseResume(out[0].payload)
	must(err)
	if verdict, no := e.m.judge(r, false, false); verdict != claimAuthorise {
		panic(no.code)
	}
	l := newLeg(nil)
	must(e.m.resume(l, r, e.now))
	e.m.rewind = true
	e.note()
	return l
}

// TestImportedEndWaitsForItsRight: until the far side has taken a node for the
// end it says nothing that another import of the same state would not know of.
func TestImportedEndWaitsForItsRight(t *testing.T) {
	a, b, la, lb := joined()
	a.write("unread")
	must(b.comes(lb, a.sent(la)...))
	b.m.freeze()
	state := b.m.export("self", "far").append(nil)
	told := b.m.told
	a.m.lost(la, wire.Unreachable, a.now)

	first := imported(state, 0, a.now)
	first.read()
	first.write("of a node that dies")
	must(first.m.closeWrite())
	first.m.stop()
	_, out := first.dial(false)
	if r, _ := parseResume(out[0].payload); len(out) != 1 || r.marks.credit != told.credit || r.flags != 0 {
		t.Fatalf("%d frames, %+v", len(out), r)
	}
	a.takes(out) // and the first dies before it hears

	second := imported(state, 1, a.now)
	l, out := second.dial(false)
	r, _ := parseResume(out[0].payload)
	if verdict, no := a.m.judge(r, false, false); verdict != claimRefused || no.code != wire.Taken {
		t.Fatalf("%d, %s", verdict, no.code)
	}
	second.m.refusedBy(l, refusal{code: wire.Taken, gen: a.m.highest()}, second.now)
	second.note()
	l, out = second.dial(false)
	la = a.takes(out)
	settle(second, a, l, la)
	if got, _ := second.read(); got != "unread" {
		t.Errorf("read %q", got)
	}
	second.write("of one that lives")
	settle(second, a, l, la)
	if got, eof := a.read(); got != "of one that lives" || eof {
		t.Errorf("read %q, end %v", got, eof)
	}
}

// TestImportedEndIsProvenByRewind: whoever answers for an end that has moved
// waits until the far side has judged that.
func TestImportedEndIsProvenByRewind(t *testing.T) {
	a, b, la, _ := joined()
	b.m.freeze()
	c := imported(b.m.export("self", "far").append(nil), 0, a.now)
	a.m.lost(la, wire.Unreachable, a.now)
	la, out := a.dial(false)
	lc, _, err := c.opened(out[0], false)
	must(err)
	c.write("hello")
	if out = c.sent(lc); len(out) != 1 || out[0].kind != kindResumed {
		t.Fatalf("%v", out)
	}
	must(a.comes(la, out...))
	a.m.rewind = true // granted
	settle(a, c, la, lc)
	if got, _ := a.read(); got != "hello" {
		t.Errorf("read %q", got)
	}
}

// TestImportedEndKnowsThatAnotherHasHadIt: the far side has more than this node
// ever sent. That is no breach of the far side's.
func TestImportedEndKnowsThatAnotherHasHadIt(t *testing.T) {
	a, b, la, _ := joined()
	b.m.freeze()
	c := imported(b.m.export("self", "far").append(nil), 0, a.now)
	b.m.thaw(b.now)
	a.m.lost(la, wire.Unreachable, a.now)
	la, out := a.dial(false)
	lb, _, _ := b.opened(out[0], false)
	b.write("more")
	settle(a, b, la, lb)
	a.m.lost(la, wire.Unreachable, a.now)
	_, out = a.dial(false)
	if _, no, err := c.opened(out[0], false); no.code != wire.Moved || err != nil {
		t.Errorf("%s, %v", no.code, err)
	}
}

// TestLateResumeIsNoLossOfState: a RESUME is overtaken by an ACK on the leg
// before it, which ends before it comes.
func TestLateResumeIsNoLossOfState(t *testing.T) {
	a, b, la, lb := joined()
	_, late := a.dial(true)
	b.write("0123456789")
	must(a.comes(la, b.sent(lb)...))
	a.read()
	a.m.owed()
	must(b.comes(lb, a.sent(la)...))
	if b.m.out.safe != 10 {
		t.Fatal(b.m.out.safe)
	}
	b.m.lost(lb, wire.Unreachable, b.now)
	if _, no, err := b.opened(late[0], false); no.code != wire.OK || err != nil {
		t.Errorf("%s, %v", no.code, err)
	}
}

// TestWhoStoppedMayAskAgain: REWIND goes back to what the sender has dropped
// since nobody reads it.
func TestWhoStoppedMayAskAgain(t *testing.T) {
	a, _, la, _ := joined()
	a.write("unread")
	a.sent(la)
	must(a.comes(la, simFrame{kind: kindStop}, offsetFrame(kindRewind, 0)))
	if a.m.over != nil {
		t.Error(a.m.over)
	}
}

// TestRewindBringsAllAgain: what carries no data was lost with the data.
func TestRewindBringsAllAgain(t *testing.T) {
	a, _, la, _ := joined()
	a.m.stop()
	a.sent(la)
	must(a.comes(la, offsetFrame(kindRewind, 0)))
	again := map[kind]bool{}
	for _, f := range a.sent(la) {
		again[f.kind] = true
	}
	if !again[kindAck] || !again[kindStop] {
		t.Errorf("%v", again)
	}
}

// TestRewindBringsTheLastWordsAgain is the same for an end that is over.
func TestRewindBringsTheLastWordsAgain(t *testing.T) {
	a, _, la, _ := joined()
	a.m.abort(wire.Expired, "enough")
	a.sent(la)
	must(a.comes(la, offsetFrame(kindRewind, 0)))
	if out := a.sent(la); len(out) != 1 || out[0].kind != kindReset {
		t.Errorf("%v", out)
	}
}

// TestListenerLeavesAllLegs: the dialer gave up the leg that both were to change
// to, and still uses the one before it. The listener, which makes no legs, has it
// come again.
func TestListenerLeavesAllLegs(t *testing.T) {
	a, b, la, lb := joined()
	_, out := a.dial(true)
	next, _, _ := b.opened(out[0], false)
	b.m.left(next, b.now)
	b.note()
	if len(b.m.old) != 0 || len(b.fx.released) == 0 || b.fx.released[len(b.fx.released)-1] != lb {
		t.Fatalf("released %v, of %v", b.fx.released, lb)
	}
	a.m.left(la, a.now)
	if a.m.ask == nil && !a.note().redial {
		t.Error("the dialer does not come again")
	}
}

// TestStrangerHasNoSay: who answers instead of the far end ends nothing.
func TestStrangerHasNoSay(t *testing.T) {
	a, _, la, _ := joined()
	a.m.lost(la, wire.Unreachable, a.now)
	for _, f := range []simFrame{{kindReset, reset{code: wire.Gone}.append(nil)}, {kind: kindClose}, ackFrame(5, 5, 5), {kind: kindStop}} {
		l := newLeg(nil)
		l.strange = true
		a.m.attach(l, false, a.now)
		if err := a.comes(l, f); err != nil || a.m.over != nil || a.m.out.stopped {
			t.Errorf("%s: %v, %v", f, err, a.m.over)
		}
	}
}

// TestStoppedEndCanMove: what nobody reads is not acknowledged, and not kept.
func TestStoppedEndCanMove(t *testing.T) {
	a, _, la, _ := joined()
	a.write("unread")
	a.sent(la)
	must(a.comes(la, simFrame{kind: kindStop}))
	a.m.freeze()
	imported(a.m.export("self", "far").append(nil), 0, a.now)
}

// TestThawedEndTells: a link that was reset while it was frozen.
func TestThawedEndTells(t *testing.T) {
	a, _, _, _ := joined()
	a.m.freeze()
	a.m.abort(wire.Expired, "enough")
	a.note()
	a.m.thaw(a.now)
	if !a.note().redial {
		t.Error("the far side is not told")
	}
}

// TestMovedEndWakesItsReaders: a Read that waits while the end moves fails.
func TestMovedEndWakesItsReaders(t *testing.T) {
	a, _, _, _ := joined()
	a.m.freeze()
	a.m.exported(nil)
	if _, _, err := a.m.read(make([]byte, 1)); wire.CodeOf(err) != wire.Moved {
		t.Error(err)
	}
}

// TestLegThatComesTooLate: while a leg was sought the end was frozen, or moved.
func TestLegThatComesTooLate(t *testing.T) {
	a, _, _, _ := joined()
	if a.m.freeze(); a.m.takesLeg() {
		t.Error("a frozen end takes a leg")
	}
	if a.m.exported(nil); a.m.takesLeg() {
		t.Error("an end that has moved takes a leg")
	}
}

// TestAnswerOnADrainingLeg: a leg was asked for while another was, and was
// answered first.
func TestAnswerOnADrainingLeg(t *testing.T) {
	a, b, la, _ := joined()
	a.m.lost(la, wire.Unreachable, a.now)
	first, out := a.dial(false)
	lb, _, _ := b.opened(out[0], false)
	b.write("on the first")
	answer := b.sent(lb)
	a.m.gen++ // as a refusal of yet another says
	next, out := a.dial(true)
	lb, _, _ = b.opened(out[0], false)
	b.write(" and the next")
	must(a.comes(next, b.sent(lb)...))
	must(a.comes(first, answer...))
	if got, _ := a.read(); got != "on the first and the next" {
		t.Errorf("read %q", got)
	}
}
