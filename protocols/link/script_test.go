package link

import (
	"bytes"
	"encoding/hex"
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// end is a machine that a test drives by hand: frames in, frames out, and the
// time as the test says.
type end struct {
	m   *machine
	now time.Time
	fx  effects // all since the last look
}

const testWindow = 64 << 10

// began is when tests begin.
var began = time.Unix(1_000_000, 0)

func newEnd(dialer bool) *end {
	s := settings{id: ID{15: 1}, service: "test", dialer: dialer, grace: time.Minute, most: testWindow, budget: plentyOfMemory{}}
	return &end{m: newMachine(s), now: began}
}

// note keeps what the machine asks for.
func (e *end) note() effects {
	if e.m.fx.round {
		e.m.round(e.now, time.Second)
	}
	fx := e.m.take()
	e.fx.readable = e.fx.readable || fx.readable
	e.fx.writable = e.fx.writable || fx.writable
	e.fx.redial = e.fx.redial || fx.redial
	e.fx.ackLater = e.fx.ackLater || fx.ackLater
	e.fx.released = append(e.fx.released, fx.released...)
	if fx.over {
		e.fx.over, e.m.overAt = true, e.now
	}
	return fx
}

// sent is what goes out on a leg.
func (e *end) sent(l *leg) []simFrame {
	o := &simOutbox{room: 1 << 20}
	for e.m.pull(l, o) {
		o.room = 1 << 20
	}
	e.note()
	return o.frames
}

// dial attaches a leg and gives what goes out on it.
func (e *end) dial(planned bool) (*leg, []simFrame) {
	l := newLeg(nil)
	e.m.attach(l, planned, e.now)
	return l, e.sent(l)
}

// comes takes frames that are no openings, in order, until one breaks a rule.
func (e *end) comes(l *leg, frames ...simFrame) error {
	defer e.note()
	for _, f := range frames {
		if f.kind != kindData {
			if err := e.m.control(l, f.kind, f.payload, e.now); err != nil {
				return err
			}
			continue
		}
		off, counts, err := e.m.place(l, len(f.payload))
		if err != nil {
			return err
		}
		if counts {
			e.m.in.takeBytes(off, f.payload)
			e.m.arrived(e.now)
		}
	}
	return nil
}

// opened takes OPEN or RESUME as Links does, from the node known for the far
// end, and gives the leg, or what was refused.
func (e *end) opened(f simFrame, larger bool) (*leg, refusal, error) {
	var r resume
	if f.kind == kindOpen {
		o, _ := parseOpening(f.payload)
		r = o.resume()
	} else {
		r, _ = parseResume(f.payload)
	}
	if verdict, no := e.m.judge(r, true, larger); verdict != claimPlain {
		return nil, no, nil
	}
	l := newLeg(nil)
	err := e.m.resume(l, r, e.now)
	e.note()
	return l, refusal{}, err
}

func (e *end) write(s string) { _, _ = e.m.write([]byte(s)); e.note() }

// read reads all there is.
func (e *end) read() (got string, eof bool) {
	var all bytes.Buffer
	for b := make([]byte, 1000); ; {
		n, end, _ := e.m.read(b)
		all.Write(b[:n])
		if n == 0 || end {
			e.note()
			return all.String(), end
		}
	}
}

// pass moves time on to the next deadline and tells how long that took.
func (e *end) pass() time.Duration {
	d := e.m.deadline()
	if d.IsZero() {
		return 0
	}
	took := d.Sub(e.now)
	e.now = d
	e.m.tick(e.now)
	e.note()
	return took
}

func offsetFrame(k kind, off uint64) simFrame { return simFrame{k, appendUvarints(nil, off)} }

func ackFrame(received, safe, credit uint64) simFrame {
	return simFrame{kindAck, marks{received, safe, credit}.append(nil)}
}

func dataFrame(s string) simFrame { return simFrame{kindData, []byte(s)} }

// joined opens a link between two ends, with a leg on which both have spoken.
func joined() (a, b *end, la, lb *leg) {
	a, b = newEnd(true), newEnd(false)
	la, out := a.dial(false)
	lb, _, _ = b.opened(out[0], false)
	must(a.comes(la, b.sent(lb)...))
	return a, b, la, lb
}

// settle carries frames both ways until nothing more is sent.
func settle(a, b *end, la, lb *leg) {
	for {
		up := a.sent(la)
		must(b.comes(lb, up...))
		down := b.sent(lb)
		must(a.comes(la, down...))
		if len(up)+len(down) == 0 {
			return
		}
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

type linkVector struct {
	name   string
	frames []sentVector
}

// linkVectors are the links of the vectors, as the machine makes them.
func linkVectors() []linkVector {
	return []linkVector{openedAndClosed(), lostAndResumed()}
}

func (v *linkVector) add(from string, frames []simFrame) []simFrame {
	for _, f := range frames {
		v.frames = append(v.frames, sentVector{from, f.kind, hex.EncodeToString(f.payload)})
	}
	return frames
}

func openedAndClosed() linkVector {
	v := linkVector{name: "opened, used each way, and closed"}
	a, b := newEnd(true), newEnd(false)
	a.write("question")
	la, out := a.dial(false)
	v.add("dialer", out)
	lb, _, _ := b.opened(out[0], false)
	must(b.comes(lb, out[1:]...))
	b.read()
	b.write("answer")
	must(b.m.closeWrite())
	must(a.comes(la, v.add("listener", b.sent(lb))...))
	a.read()
	must(a.m.closeWrite())
	for range 3 {
		must(b.comes(lb, v.add("dialer", a.sent(la))...))
		b.read()
		must(a.comes(la, v.add("listener", b.sent(lb))...))
	}
	return v
}

func lostAndResumed() linkVector {
	v := linkVector{name: "lost with bytes on their way, and resumed"}
	a, b, la, lb := joined()
	a.write("abc")
	must(b.comes(lb, a.sent(la)...))
	a.write("def")
	a.sent(la) // is lost
	a.m.lost(la, wire.Unreachable, a.now)
	la, out := a.dial(false)
	v.add("dialer", out)
	b.m.lost(lb, wire.Unreachable, b.now)
	lb, _, _ = b.opened(out[0], false)
	must(b.comes(lb, out[1:]...))
	must(a.comes(la, v.add("listener", b.sent(lb))...))
	return v
}
