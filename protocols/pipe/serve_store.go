package pipe

import (
	"context"
	"time"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe/pb"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// answerStore judges each record for itself, and names closer nodes whatever
// becomes of them.
func (s *Service) answerStore(from asker, m *pb.Store) (Answer, error) {
	if n := len(m.GetRecords()); n > MaxStoreRecords {
		return Answer{}, wire.Errorf(wire.TooLarge, "store of %d records, at most %d", n, MaxStoreRecords)
	}
	var a Answer
	switch n := len(m.GetKey()); n {
	case 0:
	case len(wire.Key{}):
		a.Closer = s.cfg.Router.Closer(wire.Key(m.GetKey()), MaxCloser, from.id)
	default:
		return Answer{}, wire.Errorf(wire.BadRequest, "store: key of %d bytes", n)
	}
	d := DepositFrom(from.id, from.remote)
	logs := s.logsOf(from.id, d.Group)
	var revocations [][][]byte // for each record, of its pipe
	for _, rec := range m.GetRecords() {
		var one Answer
		out, err := s.hold(d, rec, logs, &one)
		revocations = append(revocations, one.Revocations)
		r := StoreResult{Code: wire.CodeOf(err), Outcome: out}
		if err != nil {
			r.Reason = err.Error()
		}
		a.Results = append(a.Results, r)
	}
	a.Revocations = inTurns(revocations, MaxAnswerRecords)
	return a, nil
}

// inTurns takes one from each list, then the next from each, up to most, each
// envelope once: a pipe with many revocations must not keep those of others
// from a binder of both.
func inTurns(lists [][][]byte, most int) (out [][]byte) {
	taken := make(map[string]bool)
	for i := 0; ; i++ {
		left := false
		for _, list := range lists {
			if i >= len(list) || len(out) == most {
				continue
			}
			left = true
			if e := list[i]; !taken[string(e)] {
				taken[string(e)] = true
				out = append(out, e)
			}
		}
		if !left {
			return out
		}
	}
}

// hold verifies a record and stores it, unless others are closer to its key.
func (s *Service) hold(d Deposit, m *pb.Record, logs identity.LogReader, a *Answer) (Outcome, error) {
	r, err := openRecord(m, logs)
	if err != nil {
		return Outcome{}, err
	}
	now := time.Now()
	s.learnStored(r, now)
	return s.holdVerified(d, r, now, a)
}

func (s *Service) holdVerified(d Deposit, r Record, now time.Time, a *Answer) (Outcome, error) {
	key := r.Pipe().Key()
	if n := s.cfg.Router.CloserThanSelf(key); n >= Replication {
		return Outcome{}, wire.Errorf(wire.NotClose, "this node knows %d nodes that are closer", n)
	}
	if by := r.speaker(); s.known.silences(by) {
		return Outcome{Standing: s.known.of(by.account()).Bytes()}, silenced(by)
	}
	s.holderMu.Lock()
	out, err := s.holder.Put(d, r, now)
	if h, ok := s.holder.Get(key, now); ok {
		// A binder must hear of revoked capabilities: it judges dialers by them.
		a.Revocations = append(a.Revocations, h.Revocations...)
	}
	s.holderMu.Unlock()
	if err == nil {
		s.learnHeld(d, r, now)
		s.cache.tell(r.Pipe()) // somebody here may be waiting for a binder
	}
	return out, err
}

// learnStored takes from a verified record what concerns this node's own
// listeners, close to the key or not.
func (s *Service) learnStored(r Record, now time.Time) {
	s.mu.Lock()
	l := s.listeners[r.Pipe()]
	s.mu.Unlock()
	if l == nil {
		return
	}
	s.learnLog(r.speaker().log, true)
	switch {
	case r.Revocation != nil:
		s.learnRevocation(*r.Revocation, r.Envelope, now)
	case r.Binding != nil && l.beatenBy(*r.Binding, now):
		s.spawn(func(ctx context.Context) { l.giveWay(ctx, *r.Binding, r.Envelope) })
	}
}

// answerReplaced hears from another binder that it has the pipe now. The
// answer is given when that is stored and this node has stopped to serve.
func (s *Service) answerReplaced(from asker, m *pb.Replaced) error {
	b, err := openBinding(m.GetBinding(), s.logsOf(from.id, from.group()))
	if err != nil {
		return err
	}
	now := time.Now()
	s.mu.Lock()
	l := s.listeners[b.Pipe]
	s.mu.Unlock()
	if l != nil {
		s.learnLog(b.log, true)
	}
	switch {
	case s.voids(b):
		return wire.Errorf(wire.Forbidden, "the right of the new binding is revoked")
	case l == nil:
		return nil // this node serves the pipe no more: all is as the sender wants it
	case !l.beatenBy(b, now):
		return wire.Errorf(wire.Taken, "the binding of this node stands")
	}
	return l.lose(s.ctx, b, m.GetBinding())
}
