package link

import (
	"strings"
	"testing"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// TestBreachesEndTheLink: an end with "abc" written and sent, "xyz" received, two
// bytes of it read, hears what no honest far side says.
func TestBreachesEndTheLink(t *testing.T) {
	planned := resume{gen: 2, flags: flagPlanned, marks: marks{3, 0, firstWindow}}
	for name, x := range map[string]struct {
		frames []simFrame
		resume *resume // on a new leg, first
		code   wire.Code
	}{
		"data on a leg that has not said where it begins": {resume: &planned, frames: []simFrame{dataFrame("x")}, code: wire.BadRequest},
		"data beyond the credit":                          {frames: []simFrame{offsetFrame(kindSeek, firstWindow), dataFrame("x")}, code: wire.BadRequest},
		"data beyond the end":                             {frames: []simFrame{offsetFrame(kindFin, 3), dataFrame("x")}, code: wire.BadRequest},
		"a place beyond the credit":                       {frames: []simFrame{offsetFrame(kindSeek, firstWindow+1)}, code: wire.BadRequest},
		"a place beyond all offsets":                      {frames: []simFrame{{kindSeek, appendUvarints(nil, maxOffset+1)}}, code: wire.BadRequest},
		"two ends":                                        {frames: []simFrame{offsetFrame(kindFin, 3), offsetFrame(kindFin, 4)}, code: wire.BadRequest},
		"an end before what has come":                     {frames: []simFrame{offsetFrame(kindFin, 2)}, code: wire.BadRequest},
		"an end beyond the credit":                        {frames: []simFrame{offsetFrame(kindFin, firstWindow+1)}, code: wire.BadRequest},
		"received what was not sent":                      {frames: []simFrame{ackFrame(4, 0, firstWindow)}, code: wire.BadRequest},
		"received an end that was not sent":               {frames: []simFrame{ackFrame(4, 4, firstWindow)}, code: wire.BadRequest},
		"safe before it was received":                     {frames: []simFrame{ackFrame(1, 2, firstWindow)}, code: wire.BadRequest},
		"credit beyond all offsets":                       {frames: []simFrame{ackFrame(0, 0, maxOffset+1)}, code: wire.BadRequest},
		"again, what was not sent":                        {frames: []simFrame{offsetFrame(kindRewind, 4)}, code: wire.BadRequest},
		"again, what was safe":                            {frames: []simFrame{ackFrame(3, 2, firstWindow), offsetFrame(kindRewind, 1)}, code: wire.Gone},
		"again and again":                                 {frames: times(17, offsetFrame(kindRewind, 0)), code: wire.Limit},
		"closed in the middle":                            {frames: []simFrame{{kindClose, nil}}, code: wire.BadRequest},
		"an unknown frame":                                {frames: []simFrame{{200, []byte{1}}}, code: wire.BadRequest},
		"half a frame":                                    {frames: []simFrame{{kindAck, []byte{1}}}, code: wire.BadRequest},
		"resumed, with marks beyond what was sent":        {resume: &resume{gen: 2, marks: marks{9, 0, 0}}, code: wire.BadRequest},
		"resumed, with its state lost":                    {frames: []simFrame{ackFrame(3, 2, firstWindow)}, resume: &resume{gen: 2}, code: wire.OK},
		"resumed, all well":                               {resume: &resume{gen: 2, marks: marks{3, 3, firstWindow}, from: 4}, code: wire.OK},
	} {
		a, b, la, lb := joined()
		a.write("abc")
		a.sent(la)
		b.write("xyz")
		must(a.comes(la, b.sent(lb)...))
		_, _, _ = a.m.read(make([]byte, 2))
		var err error
		if x.resume != nil {
			x.resume.id = a.m.id
			if strings.Contains(name, "lost") {
				must(a.comes(la, x.frames...))
				x.frames, x.code = nil, wire.Gone
				x.resume.marks.received = 0
				a.m.out.received = 0 // as the far side says
			}
			la, _, err = a.opened(simFrame{kindResume, x.resume.appendWithID(nil)}, false)
		}
		if err == nil {
			err = a.comes(la, x.frames...)
		}
		if wire.CodeOf(err) != x.code {
			t.Errorf("%s: %v, want %s", name, err, x.code)
		}
		if err == nil {
			continue
		}
		a.m.abort(wire.CodeOf(err), err.Error())
		out := a.sent(la)
		if n := len(out); a.m.mustTell() && (n == 0 || out[n-1].kind != kindReset) || a.m.in.q.mem+a.m.out.q.mem != 0 {
			t.Errorf("%s: the far side hears %v; %d bytes of memory", name, out, a.m.in.q.mem+a.m.out.q.mem)
		}
	}
}

func times(n int, f simFrame) (all []simFrame) {
	for range n {
		all = append(all, f)
	}
	return all
}

// TestFloodsCostNothing: ten thousand of a frame leave no memory, and are
// answered by a frame or two at the next chance.
func TestFloodsCostNothing(t *testing.T) {
	for name, f := range map[string]simFrame{
		"data without bytes": {kindData, nil}, "places": offsetFrame(kindSeek, 9), "the end": offsetFrame(kindFin, 0), "stops": {kindStop, nil},
		"acknowledgements": ackFrame(0, 0, firstWindow), "answers": {kindResumed, resume{gen: 1, from: 1}.append(nil)},
		"refusals": {kindRefused, refusal{code: wire.Gone, hint: make([]byte, maxHint)}.append(nil)},
	} {
		a, _, la, _ := joined()
		a.sent(la)
		allocs := testing.AllocsPerRun(1, func() {
			for range 10_000 {
				if err := a.comes(la, f); err != nil {
					t.Fatal(name, err)
				}
			}
		})
		if out := a.sent(la); len(out) > 2 || a.m.in.q.mem+a.m.in.ahead.mem != 0 || a.m.over != nil {
			t.Errorf("%s: %d frames of answer, %d bytes, %v", name, len(out), a.m.in.q.mem, a.m.over)
		}
		t.Logf("%s: %.0f allocations", name, allocs)
	}
}

// TestResetsAfterTheFirstChangeNothing.
func TestResetsAfterTheFirstChangeNothing(t *testing.T) {
	a, _, la, _ := joined()
	for i := range 10_000 {
		code := wire.Expired
		if i > 0 {
			code = wire.Gone
		}
		must(a.comes(la, simFrame{kindReset, reset{code, "x"}.append(nil)}))
	}
	if out := a.sent(la); len(out) != 1 || out[0].kind != kindClose || wire.CodeOf(a.m.over) != wire.Expired {
		t.Errorf("%v, %v", out, a.m.over)
	}
}

// TestSmallFramesShareMemory: a window full of frames of one byte takes no more
// than a few times its size.
func TestSmallFramesShareMemory(t *testing.T) {
	for _, size := range []int{1, 3, 1000, 4097, 8191, 16383} {
		_, b, _, lb := joined()
		var sent int
		for ; sent+size <= firstWindow; sent += size {
			f := simFrame{kindData, make([]byte, size)}
			off, counts, err := b.m.place(lb, size)
			if must(err); !counts {
				t.Fatal("it does not count")
			}
			if size > 4096 {
				c := newChunk(size)
				b.m.in.take(off, c, copy(c.b, f.payload))
			} else {
				b.m.in.takeBytes(off, f.payload)
			}
			b.m.arrived(b.now)
		}
		if mem := b.m.in.q.mem; mem > 4*sent {
			t.Errorf("%d bytes in frames of %d take %d", sent, size, mem)
		}
		if err := b.comes(lb, simFrame{kindData, make([]byte, firstWindow-sent+1)}); wire.CodeOf(err) != wire.BadRequest {
			t.Errorf("beyond the credit: %v", err)
		}
	}
}

// TestFirstCopyCounts: what is sent again may differ; nobody sees that.
func TestFirstCopyCounts(t *testing.T) {
	_, b, _, lb := joined()
	must(b.comes(lb, dataFrame("first"), offsetFrame(kindSeek, 0), dataFrame("other and more")))
	if got, _ := b.read(); got != "first and more" {
		t.Errorf("%q", got)
	}
	must(b.comes(lb, offsetFrame(kindSeek, 2), dataFrame("lies, all lies")))
	if got, _ := b.read(); got != "es" {
		t.Errorf("%q", got)
	}
	// Behind a gap, too.
	must(b.comes(lb, offsetFrame(kindSeek, 20), dataFrame("beyond"), offsetFrame(kindSeek, 20), dataFrame("BEYOND"),
		offsetFrame(kindSeek, 17), dataFrame("gap"), offsetFrame(kindSeek, 16), dataFrame("!GAPbey")))
	if got, _ := b.read(); got != "!GAPbeyond" {
		t.Errorf("%q", got)
	}
}

// TestCreditMakesNobodyGrow: a far side that grants all and takes nothing holds
// what the node allows; one that grants nothing holds nothing.
func TestCreditMakesNobodyGrow(t *testing.T) {
	a, _, la, _ := joined()
	must(a.comes(la, ackFrame(0, 0, maxOffset)))
	total := 0
	for {
		n, err := a.m.write(make([]byte, 10_000))
		must(err)
		if total += n; n == 0 {
			break
		}
	}
	if total != testWindow || a.m.out.q.mem > 2*testWindow {
		t.Errorf("%d bytes taken, %d of memory", total, a.m.out.q.mem)
	}
	b, _, lb, _ := joined()
	n, _ := b.m.write(make([]byte, 100_000))
	b.sent(lb)
	must(b.comes(lb, ackFrame(uint64(n), uint64(n), 0)))
	if again, err := b.m.write([]byte("x")); n != firstWindow || again != 0 || err != nil {
		t.Errorf("%d, then %d, %v", n, again, err)
	}
}

func TestReasonsAreClipped(t *testing.T) {
	a, b, la, lb := joined()
	a.m.abort(wire.Internal, strings.Repeat("ü\x00", 100_000))
	must(b.comes(lb, a.sent(la)...))
	if wire.CodeOf(b.m.over) != wire.Internal || len(b.m.over.Error()) > 400 || strings.Contains(b.m.over.Error(), "\x00") {
		t.Errorf("%q", b.m.over)
	}
}

// TestGenerationsAreNotUsedUp by a far side that refuses with the highest.
func TestGenerationsAreNotUsedUp(t *testing.T) {
	a, _, la, _ := joined()
	a.m.lost(la, wire.Unreachable, a.now)
	for range 100 {
		l, _ := a.dial(false)
		must(a.comes(l, simFrame{kindRefused, refusal{code: wire.Taken, gen: 1<<64 - 1}.append(nil)}))
	}
	if a.m.gen > 101*maxGenJump {
		t.Errorf("generation %d", a.m.gen)
	}
}
