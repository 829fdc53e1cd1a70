package link

import (
	"bytes"
	"testing"

	"github.com/panpipe-net/panpipe/protocols/trunk"
)

// lender keeps what was lent to it, and writes before it, as a trunk may.
type lender struct {
	simOutbox
	lent []byte
}

func (o *lender) Lend(_ kind, b []byte, from int) {
	clear(b[from-trunk.HeadRoom : from])
	o.lent, o.room = b[from:], 0
}

// pulled has a leg pulled once.
func (e *end) pulled(l *leg) *lender {
	o := &lender{simOutbox: simOutbox{room: trunk.MaxFrame - 6}}
	e.m.pull(l, o)
	e.note()
	return o
}

// bulkEnd has something to lend: pieces of a stream of n bytes.
func bulkEnd(n int) (a *end, la *leg, stream []byte) {
	a, _, la, _ = joined()
	a.m.out.credit, a.m.out.keep = 1<<20, 1<<20
	stream = make([]byte, n)
	for i := range stream {
		stream[i] = byte(i>>8) ^ byte(i)
	}
	a.write(string(stream))
	return a, la, stream
}

func TestLargePiecesAreLentFrameByFrame(t *testing.T) {
	a, la, stream := bulkEnd(3 << 16)
	var got []byte
	for i := range 3 {
		o := a.pulled(la)
		for _, f := range o.frames {
			got = append(got, f.payload...)
		}
		if o.lent == nil || len(o.lent) < trunk.MaxFrame-200 {
			t.Errorf("pull %d lends %d bytes", i, len(o.lent))
		}
		got = append(got, o.lent...)
	}
	if !bytes.Equal(got, stream[:len(got)]) {
		t.Error("other bytes are lent than were written")
	}
}

// TestWhatIsLentIsNotUsedAgainBefore: the far side acknowledges what is being
// written, as a liar can.
func TestWhatIsLentIsNotUsedAgainBefore(t *testing.T) {
	a, la, stream := bulkEnd(1 << 16)
	o := a.pulled(la)
	c := la.lent
	must(a.comes(la, ackFrame(a.m.out.sent, a.m.out.sent, 1<<20)))
	a.write(string(make([]byte, 1<<16)))
	if !c.lent || !c.freed || !bytes.Equal(o.lent, stream[:len(o.lent)]) {
		t.Fatal("memory that is lent was given back")
	}
	a.pulled(la)
	if c.lent && la.lent != c {
		t.Error("the loan does not end with the next pull")
	}
}

// TestWhatIsLentIsCopiedForAnotherLeg: the leg before is stuck in a write.
func TestWhatIsLentIsCopiedForAnotherLeg(t *testing.T) {
	a, la, stream := bulkEnd(1 << 16)
	stuck := a.pulled(la).lent
	a.m.lost(la, errLeft, a.now)
	_, frames := a.dial(false)
	var got []byte
	for _, f := range frames {
		if f.kind == kindData {
			got = append(got, f.payload...)
		}
	}
	if !bytes.Equal(got, stream) || !bytes.Equal(stuck, stream[:len(stuck)]) {
		t.Errorf("%d bytes of %d go on the other leg, or they are others", len(got), len(stream))
	}
	la.returned()
	if la.lent != nil {
		t.Error("the loan has not ended")
	}
}
