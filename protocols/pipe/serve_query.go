package pipe

import (
	"time"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe/pb"
	"github.com/panpipe-net/panpipe/protocols/reach"
)

// answerQuery answers a query. Any node may answer for any other; whoever has
// not proven that it knows the pipe is told closer peers alone.
func (s *Service) answerQuery(from asker, m *pb.Query) (Answer, error) {
	q, err := ParseQuery(m)
	if err != nil {
		return Answer{}, err
	}
	a := Answer{Nonce: q.Nonce, Closer: s.cfg.Router.Closer(q.Key, MaxCloser, from.id)}
	proven := func(id ID) bool { return q.Proves(id, from.id, s.cfg.Self) }
	now := time.Now()
	s.answerOwn(&a, q, proven)
	if !q.NoCache {
		s.answerHeld(&a, q, proven, now)
		s.answerCached(&a, q, proven, now)
	}
	a.Found = len(a.Records) > 0
	if !a.Found && q.WantAdvertisement && a.Advertisement == nil {
		s.answerDescribed(&a, q, proven)
	}
	return a, nil
}

// answerOwn gives what this node serves itself.
func (s *Service) answerOwn(a *Answer, q Query, proven func(ID) bool) {
	s.mu.Lock()
	l := s.byKey[q.Key]
	s.mu.Unlock()
	if l == nil || !proven(l.pipe) {
		return
	}
	f, ok := l.found()
	if ok && q.Wants(f.Binding.Binder, f.overrides(), transportsOf(f.Binding)) {
		a.give(f.Envelope, f.aged(time.Now()).Age, OriginAuthoritative, nil)
	}
}

// answerHeld gives what this node holds for others.
func (s *Service) answerHeld(a *Answer, q Query, proven func(ID) bool, now time.Time) {
	s.holderMu.Lock()
	h, ok := s.holder.Get(q.Key, now)
	s.holderMu.Unlock()
	if !ok || !proven(h.Pipe) {
		return
	}
	for _, r := range h.Records {
		// What is over is given too: it proves that lower terms are dead.
		if q.Wants(r.Binder, r.Withdrawn || r.Over || h.Advertisement.Binders == Exclusive, r.Transports) {
			a.give(r.Envelope, r.Age, OriginHeld, r.Unproven)
		}
	}
	a.Revocations = h.Revocations
	if q.WantAdvertisement {
		a.Advertisement = h.Advertisement.Bytes()
	}
}

// answerCached gives what this node has learned for its own use.
func (s *Service) answerCached(a *Answer, q Query, proven func(ID) bool, now time.Time) {
	id, k, ok := s.cache.underKey(q.Key)
	if !ok || !proven(id) {
		return
	}
	for _, f := range k.records {
		if k.tells(f, now) && q.Wants(f.Binding.Binder, f.overrides(), transportsOf(f.Binding)) {
			a.give(f.Envelope, f.aged(now).Age, OriginCached, f.Unproven)
		}
	}
	if a.Revocations == nil {
		a.Revocations = s.revoked.of(id)
	}
}

// overrides reports that the record may put an end to others, on whatever
// transport they are.
func (f Found) overrides() bool {
	return f.Binding.Withdrawn || f.Binding.Advertisement.Binders == Exclusive
}

// answerDescribed gives the advertisement of a pipe that this node keeps.
func (s *Service) answerDescribed(a *Answer, q Query, proven func(ID) bool) {
	s.mu.Lock()
	adv, ok := s.described[q.Key]
	s.mu.Unlock()
	if ok && proven(adv.ID()) {
		a.Advertisement = adv.Bytes()
	}
}

// give adds a record unless the answer has it already.
func (a *Answer) give(envelope []byte, age time.Duration, origin Origin, unproven []int) {
	for _, r := range a.Records {
		if string(r.Envelope) == string(envelope) {
			return
		}
	}
	a.Records = append(a.Records, AnswerRecord{Envelope: envelope, Age: age, Origin: origin, Unproven: unproven})
}

// wants is the query of a resolver: one transport, or these binders alone.
func wants(id ID, t reach.Transport, binders []identity.Principal) Query {
	q := Query{Key: id.Key(), Transport: t}
	for _, b := range binders {
		if p, ok := b.Peer(); ok && len(q.Only) < MaxOnlyPeers {
			q.Only = append(q.Only, p)
		}
	}
	return q
}
