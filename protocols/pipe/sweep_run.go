package pipe

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// sweepTime is the longest that many records are carried around together.
const sweepTime = 5 * time.Minute

// sweeping carries many publications to their holders, as a sweep says. It is
// the other driver of publications, beside the walk of one.
type sweeping struct {
	s       *Service
	machine *sweep
	all     []*publication
	most    time.Duration
	answers chan sweptAnswer
}

// sweptAnswer is one letter and its outcome.
type sweptAnswer struct {
	letter  *letter
	to      peer.AddrInfo
	about   wire.Key
	records []*publication // in the letter's order
	answer  Answer
	err     error
}

// publishAll starts to bring many records to their holders with one message to
// each, where they fit. It takes no longer than most.
func (s *Service) publishAll(all []*publication, l sweepLimits, kind EventKind, most time.Duration) {
	if len(all) == 0 {
		return
	}
	w := &sweeping{s: s, machine: newSweep(s.cfg.Self, l), all: all, most: most, answers: make(chan sweptAnswer, 3*l.alpha)}
	if !s.spawn(func(ctx context.Context) { w.run(ctx, kind) }) {
		for _, p := range all {
			p.fail(errClosed())
		}
	}
}

func (w *sweeping) run(ctx context.Context, kind EventKind) {
	started := time.Now()
	w.machine.networkOf = w.s.cfg.Router.Network
	for i, p := range w.all {
		w.machine.addRecord(i, p.key, len(p.record.Envelope)+fieldOverhead)
		w.machine.addServers(p.begin())
	}
	w.carry(ctx)
	for _, p := range w.all {
		p.finish()
	}
	w.s.cfg.Tracer.Trace(Event{
		Kind: kind, Code: wire.CodeOf(context.Cause(ctx)), Took: time.Since(started), Records: len(w.all), Messages: w.machine.sent,
	})
}

// carry sends letters until all records are where they belong, or nobody wants
// that any more.
func (w *sweeping) carry(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, w.most)
	var letters sync.WaitGroup
	defer letters.Wait()
	defer cancel()
	began := time.Now()
	timer := time.NewTimer(w.most)
	defer timer.Stop()
	for w.wanted() {
		e := w.machine.step(time.Since(began))
		for _, l := range e.send {
			a := w.address(l)
			letters.Go(func() { w.send(ctx, a) })
		}
		if e.done {
			return
		}
		if e.wake > 0 {
			timer.Reset(e.wake - time.Since(began))
		}
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case a := <-w.answers:
			w.take(a, time.Since(began))
		}
	}
}

// wanted drops what has been stopped, and reports whether anything is left.
func (w *sweeping) wanted() bool {
	left := false
	for i, p := range w.all {
		if p.ctx.Err() != nil {
			w.machine.dropRecord(i)
		} else {
			left = true
		}
	}
	return left
}

// address looks up all that a letter needs: it is the machine's own, and must
// not be read while the machine goes on.
func (w *sweeping) address(l *letter) sweptAnswer {
	a := sweptAnswer{letter: l, to: l.info(), about: l.about.key}
	for _, i := range l.ids() {
		a.records = append(a.records, w.all[i])
	}
	return a
}

// send puts one letter to its server.
func (w *sweeping) send(ctx context.Context, a sweptAnswer) {
	var records []Record
	for _, p := range a.records {
		records = append(records, p.record)
	}
	a.answer, a.err = w.s.store(ctx, a.to, a.about, records)
	select {
	case w.answers <- a:
	case <-ctx.Done():
	}
}

// take hands the outcome of a letter to the machine, and to the publications
// that were in it.
func (w *sweeping) take(a sweptAnswer, now time.Duration) {
	if wire.CodeOf(a.err) == wire.Busy {
		w.machine.later(a.letter, now)
		if !a.letter.to.failed {
			return
		}
	} else if a.err != nil {
		w.machine.failed(a.letter, a.answer.Closer)
	}
	if a.err != nil {
		for _, p := range a.records {
			p.missed(a.to.ID, a.err)
		}
		return
	}
	codes := make([]wire.Code, len(a.records))
	for i := range a.records {
		codes[i] = a.answer.Results[i].Code
	}
	w.machine.answered(a.letter, codes, a.answer.Closer)
	w.readRevocations(a)
	for i, id := range a.letter.ids() {
		p := w.all[id]
		p.saw(true, w.machine.nearest(id))
		p.read(a.to.ID, a.answer.Results[i])
	}
}

// readRevocations applies revocations of the pipes that a letter was about.
func (w *sweeping) readRevocations(a sweptAnswer) {
	of := func(id ID) bool {
		return slices.ContainsFunc(a.records, func(p *publication) bool { return p.record.Pipe() == id })
	}
	hostile := 0
	for _, envelope := range a.answer.Revocations {
		if hostile == maxHostile {
			return
		}
		if slices.ContainsFunc(a.records, func(p *publication) bool { return w.s.revoked.knows(p.record.Pipe(), envelope) }) {
			continue
		}
		r, err := openRevocation(envelope, w.s.logs.read)
		if err == nil && !of(r.Pipe) {
			err = wire.Errorf(wire.BadRequest, "revocation of another pipe, %s", r.Pipe)
		}
		if err != nil {
			w.s.hostile(err)
			hostile++
			continue
		}
		if !w.s.readRevocation(r.Pipe, envelope) {
			hostile++
		}
	}
}
