package pipe

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// maxAlias caps a pipe's local name, in bytes.
const maxAlias = 64

// Create makes a pipe owned by this node, or by an account of which it is a
// device, and keeps it under a local name. Errors: Taken when another pipe has
// the name, BadRequest for what cannot be described, Forbidden for another's
// account.
func (s *Service) Create(ctx context.Context, name string, o CreateOptions) (Pipe, error) {
	if err := checkAlias(name); err != nil {
		return Pipe{}, err
	}
	owner := s.cfg.principal()
	if o.As != nil {
		log, err := s.speakAs(o.As)
		if err != nil {
			return Pipe{}, err
		}
		owner = log.Account()
	}
	a := Advertisement{
		Type: o.Type, Name: o.PublicName, Owner: owner, Binders: o.Binders,
		Transports: slices.Compact(slices.Sorted(slices.Values(o.Transports))),
		DialPolicy: o.DialPolicy, Reliable: !o.Unreliable,
	}
	if a.Type == TypePropagate {
		return Pipe{}, wire.Errorf(wire.Unsupported, "propagate pipes are not in this version").
			WithNext("create a unicast or a secure pipe")
	}
	setZero(&a.Type, TypeUnicast)
	setZero(&a.Binders, Exclusive)
	setZero(&a.DialPolicy, DialOpen)
	rand.Read(a.Salt[:])
	if err := a.Validate(); err != nil {
		return Pipe{}, err
	}
	p := Pipe{ID: a.ID(), Name: name, Advertisement: a, Created: time.Now()}
	if err := s.cfg.Store.SavePipe(ctx, p); err != nil {
		return Pipe{}, err
	}
	s.describe(a)
	return p, nil
}

func setZero[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// checkAlias refuses none at all, and names that could be taken for an ID, or spoil a terminal.
func checkAlias(name string) error {
	if name == "" {
		return wire.Errorf(wire.BadRequest, "a pipe needs a local name").WithNext("choose a name that no other pipe has here")
	}
	if _, err := ParseID(name); err == nil || strings.HasPrefix(name, uriPrefix) {
		return wire.Errorf(wire.BadRequest, "name %q looks like a pipe ID", name).WithNext("choose another name")
	}
	if _, err := identity.ParsePrincipal(name); err == nil || likePrincipal(name) {
		return wire.Errorf(wire.BadRequest, "name %.80q looks like a peer", name).WithNext("choose another name")
	}
	if len(name) > maxAlias || !plainText(name) || strings.TrimSpace(name) != name {
		return wire.Errorf(wire.BadRequest, "name %.80q: expected at most %d bytes without control characters or space around", name, maxAlias)
	}
	return nil
}

// likePrincipal reports that text begins as a principal does.
func likePrincipal(text string) bool {
	return strings.HasPrefix(text, identity.KindPeer.String()+":") || strings.HasPrefix(text, identity.KindAccount.String()+":")
}

// Pipes lists the pipes that this node keeps.
func (s *Service) Pipes(ctx context.Context) ([]Pipe, error) { return s.cfg.Store.Pipes(ctx) }

// Lookup turns a local name or the text of an ID into an ID, with the
// advertisement if this node keeps it, else nil. Errors: Unknown for a name
// that no pipe has, BadRequest for a mistyped ID.
func (s *Service) Lookup(ctx context.Context, ref string) (ID, *Advertisement, error) {
	if p, err := s.cfg.Store.PipeByName(ctx, ref); ref != "" && err == nil {
		return p.ID, &p.Advertisement, nil
	} else if err != nil && wire.CodeOf(err) != wire.Unknown {
		return ID{}, nil, err
	}
	id, err := ParseID(ref)
	if err != nil {
		if strings.HasPrefix(ref, uriPrefix) || strings.HasPrefix(ref, "bafkrei") {
			return ID{}, nil, err
		}
		return ID{}, nil, wire.Errorf(wire.Unknown, "no pipe is named %q here, and it is not a pipe ID", shortened(ref)).
			WithNext("see the names: panpipe pipe ls")
	}
	p, err := s.cfg.Store.PipeByID(ctx, id)
	switch wire.CodeOf(err) {
	case wire.OK:
		return id, &p.Advertisement, nil
	case wire.Unknown:
		return id, nil, nil
	}
	return ID{}, nil, err
}

// shortened clips a text that is told back to whoever gave it.
func shortened(text string) string {
	const most = 80
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "…"
	}
	return text
}

// Remove forgets a pipe. Nobody can bind it as owner any more unless the
// advertisement is known elsewhere. A pipe that is served is Busy.
func (s *Service) Remove(ctx context.Context, ref string) error {
	id, adv, err := s.Lookup(ctx, ref)
	if err != nil {
		return err
	}
	if adv == nil {
		return wire.Errorf(wire.Unknown, "pipe %s is not kept here", id)
	}
	if _, serving := s.serves(id); serving {
		return wire.Errorf(wire.Busy, "pipe %s is being served", id).WithNext("close its listener first")
	}
	s.mu.Lock()
	delete(s.described, id.Key())
	s.mu.Unlock()
	return s.cfg.Store.RemovePipe(ctx, id)
}

// advertisementFor finds the description of a pipe that is to be bound: given,
// kept here, or told by holders, binders or the owner.
func (s *Service) advertisementFor(ctx context.Context, id ID, o ListenOptions) (Advertisement, error) {
	if o.Advertisement != nil {
		if err := o.Advertisement.Validate(); err != nil {
			return Advertisement{}, err
		}
		if o.Advertisement.ID() != id {
			return Advertisement{}, wire.Errorf(wire.BadRequest, "advertisement is not that of pipe %s", id)
		}
		return *o.Advertisement, nil
	}
	p, err := s.cfg.Store.PipeByID(ctx, id)
	if err == nil {
		return p.Advertisement, nil
	}
	if wire.CodeOf(err) != wire.Unknown {
		return Advertisement{}, err
	}
	if k := s.cache.records(id); len(k.records) > 0 {
		return k.records[0].Binding.Advertisement, nil
	}
	return s.askAdvertisement(ctx, id, o.Capability)
}

func (s *Service) askAdvertisement(ctx context.Context, id ID, capability []byte) (Advertisement, error) {
	q := wants(id, "", nil)
	q.WantAdvertisement = true
	ask := plan{walk: true, here: true}
	if c, err := identity.LogReader(s.logs.read).OpenCapability(capability); err == nil {
		if owner, ok := c.Issuer.Peer(); ok && owner != s.cfg.Self {
			ask.direct = []peer.AddrInfo{{ID: owner}}
		}
	}
	x := s.start(ctx, id, q, ask)
	defer x.stop()
	select {
	case <-x.found:
	case <-x.described:
	case <-x.done:
	case <-ctx.Done():
		return Advertisement{}, waitError(ctx, id, nil)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.advertisement == nil {
		return Advertisement{}, wire.Errorf(wire.Unknown, "nobody knows what pipe %s is (%d nodes asked)", id, x.asked).
			WithNext("check the ID; its owner may have to be online")
	}
	return *x.advertisement, nil
}
