package pipe

import (
	"context"
	"slices"
	"time"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// surveyTime is how long a grant looks for the highest term in use.
const surveyTime = 15 * time.Second

// Grant signs a capability for one principal, keeps a record of it, and returns
// its text. Only the pipe's owner can. A bind right on an exclusive pipe gets a
// term above every one that this node has stored or finds at holders. A pipe
// that no node has heard of is announced by a tombstone, so that whoever is to
// bind it can learn what it is.
//
// Errors: Unknown for a pipe that is not kept here, Forbidden for another's,
// BadRequest for a grant without subject or right, with a negative time, or of
// a right to dial with a term.
func (s *Service) Grant(ctx context.Context, id ID, o GrantOptions) (text string, c identity.Capability, err error) {
	adv, log, err := s.owned(ctx, id, o.As)
	if err != nil {
		return "", c, err
	}
	if o.Right != identity.RightBind && o.Right != identity.RightDial || o.To.IsZero() || o.For < 0 {
		return "", c, wire.Errorf(wire.BadRequest, "grant: expected a right (bind or dial), a principal and how long")
	}
	if o.Right == identity.RightDial && o.Term != 0 {
		return "", c, wire.Errorf(wire.BadRequest, "grant: a right to dial has no term").
			WithNext("leave the term out, or grant the right to bind")
	}
	if o.To.Kind() == identity.KindAccount && o.Right == identity.RightBind {
		return "", c, wire.Errorf(wire.Unsupported, "an account does not bind, its devices do").
			WithNext("grant to a node: its principal is printed by panpipe id")
	}
	if o.For == 0 {
		o.For = DefaultGrant
	}
	c = identity.Capability{
		Issuer: adv.Owner, Subject: o.To, Object: id.Bytes(), Right: o.Right,
		Expiry: time.Now().Add(o.For).Truncate(time.Millisecond), Nonce: identity.NewNonce(),
	}
	if log != nil {
		c.Proof = log.Bytes()
	}
	if o.Right == identity.RightBind {
		if c.Term, err = s.prepareBindGrant(ctx, id, adv, o); err != nil {
			return "", c, err
		}
	}
	envelope, err := c.Sign(s.cfg.Key)
	if err != nil {
		return "", c, err
	}
	err = s.cfg.Store.SaveGrant(ctx, GrantRecord{
		Pipe: id, Nonce: c.Nonce, Subject: c.Subject, Right: c.Right, Term: c.Term, Expiry: c.Expiry, Capability: envelope,
	})
	if err != nil {
		return "", c, err
	}
	return identity.FormatCapability(envelope), c, nil
}

// Grants lists the capabilities that this node has issued for a pipe, oldest
// first, and how each stands now.
func (s *Service) Grants(ctx context.Context, id ID) ([]GrantRecord, error) {
	all, err := s.cfg.Store.Grants(ctx, id)
	if err != nil {
		return nil, err
	}
	revoked, err := s.cfg.Store.Revocations(ctx, time.Time{}) // of expired ones too
	if err != nil {
		return nil, err
	}
	used, err := s.termUsed(ctx, id, all)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	out := slices.Clone(all)
	for i := range out {
		g := &out[i]
		g.Expired = !now.Before(g.Expiry)
		g.Overtaken = g.Right == identity.RightBind && g.Term > 0 && g.Term < used
		g.Revoked = slices.ContainsFunc(revoked, func(r RevocationRecord) bool { return r.Pipe == id && r.Nonce == g.Nonce })
	}
	return out, nil
}

// termUsed is the highest term that a binder is known here to have used: a
// term that was only granted is in nobody's way.
func (s *Service) termUsed(ctx context.Context, id ID, grants []GrantRecord) (uint64, error) {
	st, err := s.cfg.Store.State(ctx, id)
	if err != nil {
		return 0, err
	}
	k := s.cache.records(id)
	used := k.highestTerm()
	if b, err := s.openBinding(st.Successor); err == nil && st.Successor != nil {
		used = max(used, b.Term)
	}
	if !slices.ContainsFunc(grants, func(g GrantRecord) bool { return g.Term == st.Term }) {
		used = max(used, st.Term) // by this node itself, or seen
	}
	for _, l := range s.Listeners() {
		if l.pipe == id {
			used = max(used, l.Status().Binding.Term)
		}
	}
	return used, nil
}

// owned returns the advertisement of a pipe that this node owns, or that an
// account owns whose device it is, with the log that it speaks by: that one, or
// if it is nil the one that is known.
func (s *Service) owned(ctx context.Context, id ID, as *identity.DeviceLog) (Advertisement, *identity.DeviceLog, error) {
	p, err := s.cfg.Store.PipeByID(ctx, id)
	if wire.CodeOf(err) == wire.Unknown {
		return Advertisement{}, nil, wire.Errorf(wire.Unknown, "pipe %s is not kept here", id).
			WithNext("run this on the node that created it")
	}
	if err != nil {
		return Advertisement{}, nil, err
	}
	adv := p.Advertisement
	if adv.Owner == s.cfg.principal() {
		return adv, nil, nil
	}
	if as == nil {
		as = s.known.of(adv.Owner)
	}
	if as == nil || as.Account() != adv.Owner {
		return Advertisement{}, nil, wire.Errorf(wire.Forbidden, "pipe %s belongs to %s", id, adv.Owner).
			WithNext("only its owner grants and revokes")
	}
	log, err := s.speakAs(as)
	return adv, log, err
}

// prepareBindGrant sees what is bound now and returns the term to grant; zero
// on a pipe with many binders.
func (s *Service) prepareBindGrant(ctx context.Context, id ID, adv Advertisement, o GrantOptions) (uint64, error) {
	k := s.survey(ctx, id)
	st, err := s.cfg.Store.State(ctx, id)
	if err != nil {
		return 0, err
	}
	highest := max(st.Term, k.highestTerm())
	term := uint64(0)
	if adv.Binders == Exclusive {
		if term = o.Term; term == 0 {
			if highest == MaxNumber {
				return 0, wire.LimitError("terms of pipe "+id.String(), MaxNumber, "").WithNext("make a new pipe")
			}
			term = max(highest, 1) + 1
		}
		if term > MaxNumber {
			return 0, wire.Errorf(wire.BadRequest, "term %d is above %d", term, uint64(MaxNumber))
		}
	}
	if len(k.records) == 0 {
		s.announce(ctx, id, adv, max(highest, 1), o.As)
	}
	return term, s.updateState(ctx, id, func(st *BindState) error {
		st.Term = max(st.Term, term)
		return nil
	})
}

// survey finds all that can be found about a pipe, within its time.
func (s *Service) survey(ctx context.Context, id ID) known {
	ctx, cancel := context.WithTimeout(ctx, surveyTime)
	defer cancel()
	p := s.plan(id, ResolveOptions{})
	p.patient = true
	x := s.start(ctx, id, wants(id, "", nil), p)
	defer x.stop()
	select {
	case <-x.done:
	case <-ctx.Done():
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.known.clone()
}

// announce publishes the advertisement in a tombstone of the owner.
func (s *Service) announce(ctx context.Context, id ID, adv Advertisement, term uint64, as *identity.DeviceLog) {
	if adv.Binders == Many {
		term = 0
	}
	l := &Listener{s: s, pipe: id, advertisement: adv, life: MaxLife}
	if as != nil {
		l.account, l.as = as.Account(), func() *identity.DeviceLog { return as }
	}
	r, err := l.sign(ctx, term, 0, true)
	if err != nil {
		s.cfg.Log.Warn("pipe could not be announced", "pipe", id, "error", err)
		return
	}
	p := s.publish(ctx, r, false)
	select {
	case <-p.done:
	case <-p.over:
	case <-ctx.Done():
	}
}
