package pipe

import (
	"context"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Revoke voids a capability that this node has granted, given by its text or
// by its nonce in hex. The revocation is stored here, brought to the holders
// and to whoever serves the pipe, and brought there again while the capability
// would live. For a pipe of an account any of its devices does, which knows the
// account's log (ShowLog). Errors: Unknown for a capability that this node has not granted,
// Forbidden for another's pipe, Limit when this node keeps as many already as
// it may.
func (s *Service) Revoke(ctx context.Context, capability string) error {
	g, err := s.granted(ctx, strings.TrimSpace(capability))
	if err != nil {
		return err
	}
	adv, log, err := s.owned(ctx, g.Pipe, nil)
	if err != nil {
		return err
	}
	now := time.Now()
	r := Revocation{
		Pipe: g.Pipe, Advertisement: adv, Issuer: adv.Owner, Nonce: g.Nonce, Expiry: g.Expiry, Issued: now,
	}
	if log != nil {
		r.Proof = log.Bytes()
	}
	envelope, r, err := r.sign(s.cfg.Key, s.logs.read)
	if err != nil {
		return err
	}
	if err := s.revoked.room(g.Pipe, g.Nonce, len(envelope)); err != nil {
		return err
	}
	err = s.cfg.Store.SaveRevocation(ctx, RevocationRecord{
		Pipe: g.Pipe, Nonce: g.Nonce, Expiry: g.Expiry, Envelope: envelope,
	})
	if err != nil {
		return err
	}
	binders := s.survey(ctx, g.Pipe) // before the revoked one is forgotten
	s.revoked.keep(g.Pipe)
	s.learnRevocation(r, envelope, now)
	return s.spread(ctx, Record{Revocation: &r, Envelope: envelope}, binders)
}

// granted finds the record of a capability.
func (s *Service) granted(ctx context.Context, text string) (GrantRecord, error) {
	if strings.HasPrefix(strings.ToLower(text), "cap:") {
		_, c, err := identity.ParseCapability(text)
		if err != nil {
			return GrantRecord{}, err
		}
		id, err := IDFromBytes(c.Object)
		if err != nil {
			return GrantRecord{}, err
		}
		if c.Issuer != s.cfg.principal() && c.Issuer.Kind() != identity.KindAccount {
			return GrantRecord{}, wire.Errorf(wire.Forbidden, "capability was granted by %s", c.Issuer).
				WithNext("only who granted it revokes it")
		}
		// Signed by this node, or a device of its account: good even without a record of it.
		return GrantRecord{Pipe: id, Nonce: c.Nonce, Expiry: c.Expiry}, nil
	}
	nonce, err := identity.ParseNonce(text)
	if err != nil {
		return GrantRecord{}, wire.Errorf(wire.BadRequest, "expected the text of a capability or its nonce: %w", err)
	}
	pipes, err := s.cfg.Store.Pipes(ctx)
	if err != nil {
		return GrantRecord{}, err
	}
	for _, p := range pipes {
		grants, err := s.cfg.Store.Grants(ctx, p.ID)
		if err != nil {
			return GrantRecord{}, err
		}
		for _, g := range grants {
			if g.Nonce == nonce {
				return g, nil
			}
		}
	}
	return GrantRecord{}, wire.Errorf(wire.Unknown, "this node has granted no capability %s", nonce)
}

// spread brings a revocation to the holders and to the binders that are known.
func (s *Service) spread(ctx context.Context, r Record, binders known) error {
	p := s.publish(ctx, r, false)
	for _, to := range addrsOfBinders(s.cfg.Self, binders.records, MaxOnlyPeers) {
		s.spawn(func(ctx context.Context) { s.bring(ctx, to, r) })
	}
	select {
	case <-p.done:
	case <-p.over:
	case <-ctx.Done():
		return wire.Errorf(wire.CodeOf(ctx.Err()), "the revocation is stored here and goes on to the holders: %w", ctx.Err())
	}
	if err := p.result(); err != nil {
		s.cfg.Log.Warn("revocation is stored here alone so far", "pipe", r.Pipe(), "error", err)
	}
	return nil
}

func (s *Service) bring(ctx context.Context, to peer.AddrInfo, r Record) {
	if _, err := s.store(ctx, to, r.Pipe().Key(), []Record{r}); err != nil {
		s.cfg.Log.Info("a binder could not be told of a revocation", "pipe", r.Pipe(), "binder", to.ID, "error", err)
	}
}

// restoreRevocations brings what this node has revoked to the holders again, in
// one sweep: holders come and go. It does nothing while it is still at it.
func (s *Service) restoreRevocations(ctx context.Context) {
	if !s.restoring.CompareAndSwap(false, true) {
		return
	}
	defer s.restoring.Store(false)
	all, err := s.cfg.Store.Revocations(ctx, time.Now())
	if err != nil {
		s.cfg.Log.Warn("revocations could not be read", "error", err)
		return
	}
	var publications []*publication
	for _, stored := range all {
		r, err := openRevocation(stored.Envelope, s.logs.read)
		if err != nil {
			s.cfg.Log.Warn("a stored revocation is damaged", "pipe", stored.Pipe, "error", err)
			continue
		}
		publications = append(publications, s.newPublication(ctx, Record{Revocation: &r, Envelope: stored.Envelope}, sweepTime))
	}
	s.publishAll(publications, defaultSweepLimits(), EventRestore, sweepTime)
	for _, p := range publications {
		<-p.over
	}
}
