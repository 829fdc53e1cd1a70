package pipe

import (
	"crypto/sha256"
	"slices"
	"time"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

func (h *Holder) putBinding(d Deposit, b Binding, envelope []byte, now time.Time) (Outcome, error) {
	if id, ok := b.Binder.Peer(); !ok || id != d.From {
		return Outcome{}, wire.Errorf(wire.Forbidden, "a binding is taken from its binder alone")
	}
	if err := depositTime(b, now); err != nil {
		return Outcome{}, err
	}
	s := h.shelf(b.Pipe, b.Advertisement)
	e := newBindingEntry(s, d, b, envelope, now)
	if standing, err := h.judgeLog(e); err != nil {
		return Outcome{Standing: standing}, err
	}
	if standing, err := s.refuses(e); err != nil {
		return Outcome{Standing: standing}, err
	}
	if err := h.makeRoomOnShelf(s, e); err != nil {
		return Outcome{}, err
	}
	beaten := s.beatenBy(e)
	var out Outcome
	for _, o := range beaten {
		out.Displaced = append(out.Displaced, o.envelope)
	}
	if err := h.replace(s.of(b.Binder), e); err != nil {
		return Outcome{}, err
	}
	for _, o := range beaten {
		if o.charge.held() { // else making room has taken it
			h.toMark(o)
		}
	}
	h.settle(s)
	h.dropSilenced(e.account())
	return out, nil
}

// depositTime refuses a record whose clock is not this holder's: a life is
// counted from receipt, so that an old record brought late would live too long.
func depositTime(b Binding, now time.Time) error {
	if err := b.InTime(now); err != nil {
		return err
	}
	if ago := now.Sub(b.Issued); ago > Skew {
		return wire.Errorf(wire.Expired, "binding: issued %s ago by this node's clock, at most %s", ago.Round(time.Second), Skew).
			WithNext("sign it anew; check the clocks of both machines")
	}
	return nil
}

func newBindingEntry(s *shelf, d Deposit, b Binding, envelope []byte, now time.Time) *entry {
	e := &entry{
		shelf: s, sum: bodySum(envelope), envelope: envelope, live: true,
		received: now, ends: now.Add(b.Life),
		rank: rankOf(b), withdrawn: b.Withdrawn, unproven: Unproven(b.Endpoints, d.SeenIP), deposit: d,
		speaker: b.speaker,
	}
	if c, ok := b.Grant(); ok {
		e.grant = c.Nonce
		if c.Expiry.Before(e.ends) {
			e.ends = c.Expiry
		}
	}
	e.forget = e.ends.Add(HighWater)
	for _, a := range b.Endpoints {
		if t := reach.TransportOf(a); !slices.Contains(e.transports, t) {
			e.transports = append(e.transports, t)
		}
	}
	return e
}

// bodySum tells records apart by what they say: some signature schemes let one
// body have many signatures.
func bodySum(envelope []byte) [sha256.Size]byte {
	f, err := wire.ParseFields(envelope)
	if err != nil {
		return sha256.Sum256(envelope)
	}
	return sha256.Sum256(f.Bytes(1, MaxBinding))
}

// refuses says why the shelf does not take e, with the envelope that stands in
// its way. It is the whole rule of what a holder takes from a binder.
func (s *shelf) refuses(e *entry) (standing []byte, err error) {
	if e.grant != (identity.Nonce{}) {
		if r := s.revoked(e.grant); r != nil {
			return r.envelope, wire.Errorf(wire.Forbidden, "the capability %s is revoked", e.grant)
		}
	}
	if old := s.of(e.rank.binder); old != nil && e.sum != old.sum && e.rank.seq <= old.rank.seq {
		return old.envelope, wire.Errorf(wire.Expired, "seq %d is not above seq %d, which this binder has stored before", e.rank.seq, old.rank.seq)
	}
	if !s.exclusive() {
		return nil, nil
	}
	if top := s.top(); top != nil && top.rank.term > e.rank.term {
		return top.envelope, wire.Errorf(wire.Taken, "term %d is over, %s has bound the pipe under term %d", e.rank.term, top.rank.binder, top.rank.term).
			WithNext("bind under a higher term")
	}
	for _, o := range s.bindings {
		if o.serves() && !e.withdrawn && o.rank.binder != e.rank.binder && o.rank.beats(e.rank, true) {
			return o.envelope, wire.Errorf(wire.Taken, "%s has bound the pipe under the same term %d and wins", o.rank.binder, o.rank.term).
				WithNext("bind under a higher term")
		}
	}
	return nil, nil
}

// beatenBy lists the serving entries of other binders that e displaces. A
// tombstone displaces by its term alone.
func (s *shelf) beatenBy(e *entry) []*entry {
	var list []*entry
	for _, o := range s.bindings {
		if !s.exclusive() || !o.serves() || o.rank.binder == e.rank.binder {
			continue
		}
		if e.rank.term > o.rank.term || (!e.withdrawn && e.rank.beats(o.rank, true)) {
			list = append(list, o)
		}
	}
	return list
}

// makeRoomOnShelf keeps to PipeBinders by forgetting the mark that would be
// forgotten first, but never the pipe's highest term.
func (h *Holder) makeRoomOnShelf(s *shelf, e *entry) error {
	if s.of(e.rank.binder) != nil || len(s.bindings) < h.limits.PipeBinders {
		return nil
	}
	var oldest *entry
	top := s.top()
	for _, o := range s.bindings {
		if !o.live && o != top && (oldest == nil || o.forget.Before(oldest.forget)) {
			oldest = o
		}
	}
	if oldest == nil {
		return holderFull("binders of one pipe that one node keeps", h.limits.PipeBinders)
	}
	h.detach(oldest)
	return nil
}

// replace puts e in the place of old, which may be nil. On error old is as it was.
func (h *Holder) replace(old, e *entry) error {
	account := e.account()
	known := h.logOf(account)
	if old != nil {
		h.detach(old)
	}
	if err := h.admit(e); err != nil {
		if old != nil {
			h.attach(old)
		}
		if held := h.logs[account]; held != nil && held.log != known {
			h.bear(held, held.bearer, known) // there may be no room for e's
		}
		return err
	}
	return nil
}

// toMark ends an entry's life.
func (h *Holder) toMark(e *entry) {
	e.live = false
	h.ledger.changed(e) // before settle, which moves others in the same heap
	h.settle(e.shelf)
}

// settle drops the envelopes of marks that prove nothing.
func (h *Holder) settle(s *shelf) {
	top := s.top()
	for _, e := range s.bindings {
		if e.live || e == top || e.envelope == nil {
			continue
		}
		e.envelope, e.transports, e.unproven = nil, nil, nil
		h.ledger.changed(e)
	}
}

func (h *Holder) putRevocation(d Deposit, r Revocation, envelope []byte, now time.Time) (Outcome, error) {
	if err := r.InTime(now); err != nil {
		return Outcome{}, err
	}
	s := h.shelf(r.Pipe, r.Advertisement)
	ends := r.Expiry.Add(Skew)
	if latest := now.Add(MaxRevocationLife); latest.Before(ends) {
		ends = latest
	}
	by := r.speaker
	r.speaker = speaker{} // the entry's is kept alone
	e := &entry{
		shelf: s, envelope: envelope, live: true,
		received: now, ends: ends, revocation: &r, deposit: d, speaker: by,
	}
	if standing, err := h.judgeLog(e); err != nil {
		return Outcome{Standing: standing}, err
	}
	old := s.revoked(r.Nonce)
	owner, ok := r.Issuer.Peer()
	if !ok {
		owner = by.device
	}
	if old != nil && d.From != owner && !r.Expiry.After(old.revocation.Expiry) {
		// It stays charged to whoever brought it first: a flooder cannot draw
		// the revocations of others into its own account, to be evicted there.
		return Outcome{}, nil
	}
	if old == nil {
		if err := h.makeRoomForRevocation(s, e); err != nil {
			return Outcome{}, err
		}
	}
	if err := h.replace(old, e); err != nil {
		return Outcome{}, err
	}
	var out Outcome
	for _, b := range slices.Clone(s.bindings) {
		if b.grant == r.Nonce {
			if b.serves() {
				out.Displaced = append(out.Displaced, b.envelope)
			}
			h.detach(b)
		}
	}
	h.dropSilenced(e.account())
	return out, nil
}

// makeRoomForRevocation keeps to PipeRevocations by dropping the one that ends
// first.
func (h *Holder) makeRoomForRevocation(s *shelf, e *entry) error {
	if len(s.revocations) < h.limits.PipeRevocations {
		return nil
	}
	first := slices.MinFunc(s.revocations, func(a, b *entry) int { return a.ends.Compare(b.ends) })
	if !first.ends.Before(e.ends) {
		return holderFull("revocations of one pipe that one node keeps", h.limits.PipeRevocations)
	}
	h.detach(first)
	return nil
}
