package link

import (
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// What a script may have happen; arguments follow, a byte each.
const (
	opWrite      = iota // so many times 100 bytes
	opRead              // all
	opCloseWrite        //
	opStop              //
	opAbort             //
	opDial              // planned if odd
	opPull              // on every leg
	opLost              // leg
	opResume            // generation above the last, flags, epoch
	opAnswer            // leg, flags: a RESUMED that fits
	opAck               // leg, received and safe above what they were, credit
	opData              // leg, times 100 bytes
	opSeek              // leg, offset about what is expected
	opFin               // leg, offset
	opRewind            // leg, offset
	opRaw               // leg, kind, length, as many bytes
	opOwed              //
	opTick              //
	opFreeze            // or thaw
	opMove              // export and restore
	ops
)

// puppet is a machine whose application, far side and clock follow a script.
type puppet struct {
	script []byte
	m      *machine
	budget smallBudget
	legs   []*leg // the last few
	now    time.Time
	credit uint64
}

// smallBudget is a budget that runs out.
type smallBudget struct{ used, most int }

func (b *smallBudget) reserve(n uint64) bool {
	if b.used+int(n) > b.most {
		return false
	}
	b.used += int(n)
	return true
}

func (b *smallBudget) release(n uint64) { b.used -= int(n) }

func newPuppet(script []byte) *puppet {
	return &puppet{script: script, now: began, budget: smallBudget{most: 6 * firstWindow}}
}

func (p *puppet) settings(dialer bool) settings {
	return settings{id: ID{15: 1}, service: "test", dialer: dialer, grace: time.Minute, most: testWindow, budget: &p.budget}
}

// next takes a byte of the script.
func (p *puppet) next() int {
	if len(p.script) == 0 {
		return 0
	}
	b := p.script[0]
	p.script = p.script[1:]
	return int(b)
}

func (p *puppet) leg() *leg {
	if len(p.legs) == 0 {
		return newLeg(nil)
	}
	return p.legs[p.next()%len(p.legs)]
}

func (p *puppet) addLeg(l *leg) {
	if p.legs = append(p.legs, l); len(p.legs) > 8 {
		p.legs = p.legs[1:]
	}
}

func (p *puppet) play(t *testing.T) {
	for range 300 {
		if len(p.script) == 0 {
			return
		}
		if err := p.step(); err != nil {
			p.m.abort(wire.CodeOf(err), err.Error())
		}
		p.noted()
		p.check(t)
	}
}

func (p *puppet) noted() {
	if p.m.fx.round {
		p.m.round(p.now, time.Second)
	}
	if fx := p.m.take(); fx.over {
		p.m.overAt = p.now
	}
}

// about is an offset near off, as the next byte of the script says.
func (p *puppet) about(off uint64) uint64 {
	return min(off+uint64(100*p.next())-min(off+uint64(100*p.next()), 1000), maxOffset)
}

func (p *puppet) step() error {
	m := p.m
	switch op := p.next() % ops; op {
	case opWrite:
		_, _ = m.write(make([]byte, 100*p.next()))
	case opRead:
		_, _, _ = m.read(make([]byte, 100*p.next()))
	case opCloseWrite:
		_ = m.closeWrite()
	case opStop:
		m.stop()
	case opAbort:
		m.abort(wire.Code(p.next()), "the application has had enough")
	case opDial:
		if planned := p.next()%2 == 1; m.needsLeg() || (m.cur != nil && !m.frozen) {
			l := newLeg(nil)
			m.attach(l, planned, p.now)
			p.addLeg(l)
		}
	case opPull:
		for _, l := range p.legs {
			for o := (&simOutbox{room: maxOpening + 5000}); m.pull(l, o); {
				o.room = maxOpening + 5000
			}
		}
	case opLost:
		m.lost(p.leg(), wire.Unreachable, p.now)
	case opTick:
		p.now = p.now.Add(time.Duration(p.next()) * time.Second)
		m.tick(p.now)
	case opOwed:
		m.owed()
	case opFreeze:
		if m.frozen {
			m.thaw(p.now)
		} else if m.over == nil && m.heard {
			m.freeze()
		}
	case opMove:
		p.move()
	default:
		return p.peer(op)
	}
	return nil
}

// move has the end go on at another node.
func (p *puppet) move() {
	if !p.m.frozen || p.m.over != nil {
		return
	}
	s, err := parseState(p.m.export("self", "far").append(nil), testWindow)
	if err != nil {
		panic(err) // what this end exports, another takes
	}
	p.m.exported([]byte("elsewhere"))
	p.noted()
	if p.budget.used != 0 {
		panic("an end that has moved keeps memory")
	}
	p.budget.used = int(s.beyondFirst())
	p.m, p.legs = restore(s, p.settings(s.has(stateDialer))), nil
	p.m.claim(s.epoch+1, []byte("token"))
	p.m.detach(errImported, p.now)
}

// peer is what the far side does.
func (p *puppet) peer(op int) error {
	m := p.m
	if op == opResume {
		return p.resume()
	}
	l := p.leg()
	control := func(f simFrame) error { return m.control(l, f.kind, f.payload, p.now) }
	switch op {
	case opAnswer:
		r := resume{gen: l.gen, flags: uint64(p.next()), epoch: m.farEpoch, farEpoch: m.epoch, marks: p.marks(), from: m.in.q.end + 1}
		return control(simFrame{kindResumed, r.append(nil)})
	case opAck:
		return control(simFrame{kindAck, p.marks().append(nil)})
	case opSeek:
		return control(offsetFrame(kindSeek, p.about(m.in.q.end)))
	case opFin:
		return control(offsetFrame(kindFin, p.about(m.in.q.end)))
	case opRewind:
		return control(offsetFrame(kindRewind, p.about(m.out.q.off)))
	case opRaw:
		k := kindOpen + kind(p.next())%16
		b := make([]byte, p.next())
		p.script = p.script[copy(b, p.script):]
		if k != kindData {
			return control(simFrame{k, b})
		}
	}
	b := make([]byte, 100*p.next())
	off, counts, err := m.place(l, len(b))
	if counts && err == nil {
		m.in.takeBytes(off, b)
		m.arrived(p.now)
	}
	return err
}

func (p *puppet) marks() marks {
	o := &p.m.out
	received := o.received + uint64(p.next())
	return marks{received, min(o.safe+uint64(p.next()), received), o.credit + uint64(100*p.next())}
}

func (p *puppet) resume() error {
	m := p.m
	r := resume{gen: m.gen + uint64(p.next()), flags: uint64(p.next()), epoch: m.farEpoch + uint64(p.next()%2), farEpoch: m.epoch, marks: p.marks()}
	if r.gen%2 == 1 {
		r.from = p.about(m.in.q.end) + 1
	}
	if verdict, _ := m.judge(r, true, r.gen%3 == 0); verdict == claimRefused {
		return nil
	}
	l := newLeg(nil)
	p.addLeg(l)
	return m.resume(l, r, p.now)
}

// check finds what no end may be, whatever is done to it.
func (p *puppet) check(t *testing.T) {
	t.Helper()
	m, in, out := p.m, &p.m.in, &p.m.out
	most := func(queued uint64) int { return 4*int(queued) + 2*largestChunk }
	for what, bad := range map[string]bool{
		"window or replay above the most": in.window > testWindow || out.keep > testWindow,
		"memory for what came":            in.q.mem+in.ahead.mem > most(in.window) || in.q.len()+in.ahead.len() > 2*testWindow,
		"memory for what is to go":        out.q.mem > most(out.keep) || uint64(out.q.len()) > out.keep,
		"budget":                          p.budget.used < 0 || (m.over == nil && p.budget.used != int(in.window+out.keep-2*firstWindow)) || (m.over != nil && p.budget.used != int(m.unread)) || (m.unread > 0 && in.q.len() == 0),
		"memory after the end":            m.over != nil && (out.q.mem > 0 || (!m.closedWell() && in.q.mem+in.ahead.mem > 0)),
		"bytes beyond the credit":         !in.stopped && (in.q.end > in.credit || in.ahead.end > in.credit),
		"bytes beyond the gap":            in.ahead.len() > 0 && in.ahead.off <= in.q.end,
		"bytes after the end":             in.q.end > in.fin || (in.ahead.len() > 0 && in.ahead.end > in.fin),
		"credit withdrawn":                in.credit < p.credit,
		"order of what goes":              m.over == nil && (out.q.off > out.next || out.next > out.q.end || out.sent > out.q.end),
		"order of marks":                  out.safe > out.received || out.received > out.last(),
		"legs":                            len(m.old) > len(p.legs) || m.frozen && (m.cur != nil || m.ask != nil) && m.over == nil,
	} {
		if bad {
			t.Fatalf("%s: in %d-%d (ahead %d-%d, credit %d, window %d, mem %d, fin %d, stopped %v) out %d-%d (next %d, sent %d, received %d, safe %d, keep %d, mem %d) budget %d, over %v",
				what, in.q.off, in.q.end, in.ahead.off, in.ahead.end, in.credit, in.window, in.q.mem+in.ahead.mem, in.fin, in.stopped,
				out.q.off, out.q.end, out.next, out.sent, out.received, out.safe, out.keep, out.q.mem, p.budget.used, m.over)
		}
	}
	p.credit = in.credit
}
