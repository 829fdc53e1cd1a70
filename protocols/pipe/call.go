package pipe

import (
	"context"
	"errors"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe/pb"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// whileCurrent returns a context that ends when a newer record speaks against
// the candidate, or when it has held up the next one for long enough. A
// candidate that is late has the overlay asked for a newer record.
func (d *dialing) whileCurrent(ctx context.Context, f candidate, late time.Duration) (current context.Context, done func()) {
	current, cancel := context.WithCancelCause(ctx)
	enough := func() bool { return true }
	if !f.patient && len(d.queue) > 0 {
		enough = time.AfterFunc(patience, func() { cancel(errPatience) }).Stop
	}
	stop := d.s.cache.onChange(d.id, func() {
		if d.superseded(f.Found) {
			cancel(errSuperseded)
		}
	})
	slow := time.AfterFunc(late, func() { d.searchOn(ctx) })
	return current, func() {
		enough()
		slow.Stop()
		stop()
		cancel(nil)
	}
}

// call makes a path to one candidate and sends Open.
func (d *dialing) call(ctx context.Context, f candidate) (*call, error) {
	ctx, done := d.whileCurrent(ctx, f, headStart)
	defer done()
	c, err := d.try(ctx, f)
	if wire.CodeOf(err) == wire.Unreachable && len(f.Binding.Endpoints) == 0 && ctx.Err() == nil {
		if f.Found = d.s.whereabouts(ctx, f.Found); len(f.Binding.Endpoints) > 0 {
			c, err = d.try(ctx, f)
		}
	}
	if err != nil {
		d.later(ctx, f)
	}
	return c, err
}

// try makes a path to the endpoints of a candidate and sends Open.
func (d *dialing) try(ctx context.Context, f candidate) (*call, error) {
	err := error(wire.Errorf(wire.Unsupported, "the binding has no endpoint on an allowed transport"))
	for _, w := range d.paths(f.Found) {
		begun := time.Now()
		var c carrier
		var attempts []reach.Attempt
		c, attempts, err = d.s.openStream(ctx, w, streamOptions{
			raw: d.o.Raw || f.raw, way: wayOf(d.id, d.advertisement, d.o), grace: d.o.Grace,
		})
		d.record(f.Found, w, begun, attempts, err)
		if err != nil {
			if wire.CodeOf(err) == wire.Limit {
				d.decisive = err // no other way leads past it
			}
			continue
		}
		var sent *call
		if sent, err = d.send(c, f); err == nil {
			return sent, nil
		}
		d.note(err)
	}
	return nil, err
}

// paths lists which paths to try: the required transport alone, or each that
// the pipe allows, or any, as the path policy has it.
func (d *dialing) paths(f Found) []reach.Want {
	adv := f.Binding.Advertisement
	to, ok := f.Binding.Binder.Peer()
	if !ok {
		return nil
	}
	transports := []reach.Transport{d.o.Transport}
	if d.o.Transport == reach.Any && len(adv.Transports) > 0 {
		transports = transportsOf(f.Binding)
	}
	base := reach.Want{
		Peer: to, Addrs: f.Binding.Endpoints, Unproven: f.unproven(), Seen: f.seen(), Explicit: true,
	}
	return d.o.PathPolicy.wants(base, transports, adv.Allows(reach.Relay))
}

// record keeps the attempts of one path. Where the path itself fails, its
// attempts tell it; an attempt stands in for one that reach could not even make.
func (d *dialing) record(f Found, w reach.Want, begun time.Time, attempts []reach.Attempt, err error) {
	if len(attempts) == 0 {
		attempts = []reach.Attempt{{Transport: w.Transport, Started: begun, Took: time.Since(begun), Err: err}}
	} else if last := &attempts[len(attempts)-1]; err != nil && last.Err == nil {
		last.Err = err
	}
	for _, a := range attempts {
		d.attempts = append(d.attempts, Attempt{Binder: f.Binding.Binder, Attempt: a})
	}
}

// send writes Open. The stream's deadlines cover the opening until settle.
func (d *dialing) send(c carrier, f candidate) (*call, error) {
	open := &pb.Open{
		Pipe: d.id.Bytes(), Capability: d.o.Capability, Term: f.Binding.Term, Probe: d.o.probe,
		Hops: uint32(d.o.Hops), Watch: d.o.watch,
	}
	if d.o.As != nil {
		open.Principal, open.Proof = d.o.As.Account().Bytes(), d.o.As.Bytes()
	}
	sent, err := d.s.sendOpen(c, f, open)
	if err == nil {
		sent.shake.DialerPrincipal = d.local()
	}
	return sent, err
}

// local is who this end is.
func (d *dialing) local() identity.Principal {
	if d.o.As != nil {
		return d.o.As.Account()
	}
	return d.s.cfg.principal()
}

// sendOpen writes Open with a fresh nonce. On failure the carrier is gone.
func (s *Service) sendOpen(c carrier, f candidate, open *pb.Open) (*call, error) {
	c.opening(time.Now().Add(s.cfg.Limits.OpenTimeout))
	nonce := identity.NewNonce()
	open.Nonce = nonce[:]
	if err := wire.WriteMessage(c.words(), open, MaxOpen); err != nil {
		c.drop()
		return nil, err
	}
	return &call{carrier: c, to: f, remote: f.Binding.Binder, shake: Handshake{
		Pipe: f.Binding.Pipe, Dialer: s.cfg.Self, Listener: c.opened.peer, DialerNonce: nonce,
	}}, nil
}

// accepted reads the reply, and on a secure pipe proves each side to the other.
// On failure the carrier is gone, and the reason is among the attempts.
func (d *dialing) accepted(ctx context.Context, c *call) error {
	current, done := d.whileCurrent(ctx, c.to, lateAfter(c.carrier.path))
	stop := context.AfterFunc(current, c.carrier.drop)
	doubt := time.AfterFunc(doubtAfter, func() { d.s.doubt(c.carrier.path) })
	defer doubt.Stop()
	err := d.reply(c)
	if !stop() {
		err = context.Cause(current) // why the carrier was dropped under the reply
	}
	if err != nil {
		c.carrier.drop()
		if d.note(err); c.answered {
			d.decisive = err
		}
		if d.later(current, c.to); current.Err() == nil {
			d.anew(c, err)
		}
	}
	done()
	if err != nil {
		return err
	}
	d.s.cache.prefer(d.id, c.to.Binding.Binder)
	return nil
}

func (d *dialing) reply(c *call) error {
	moved, err := c.reply(d.s, d.advertisement.Type == TypeSecure, d.o.probe)
	if wire.CodeOf(err) == wire.Moved && !d.follow(moved, c.to.Found) {
		return c.movedNowhere()
	}
	return err
}

// movedNowhere is why a dial fails that was told that the pipe has moved.
func (c *call) movedNowhere() error {
	return wire.Errorf(wire.Unbound, "binder %s serves the pipe no more, nor does whom it names", c.to.Binding.Binder)
}

// reply reads what the listener answers, and on a secure pipe proves each side
// to the other; to a probe only the listener proves itself. moved is the envelope
// that comes with wire.Moved.
func (c *call) reply(s *Service, secure, probe bool) (moved []byte, err error) {
	var m pb.OpenReply
	if err := wire.ReadMessage(c.carrier, &m, MaxOpenReply); err != nil {
		return nil, c.unanswered(err)
	}
	c.answered = true
	if code := codeOf(m.GetCode()); code != wire.OK {
		return m.GetMoved(), wire.Errorf(code, "binder %s refused: %s", c.to.Binding.Binder, clip(m.GetReason()))
	}
	who, by, err := openPrincipal(m.GetPrincipal(), m.GetProof(), c.carrier.opened.peer, s.logs.read)
	if err != nil || !secure {
		return nil, err
	}
	if s.learnLog(by.log, true); s.known.silences(by) {
		return nil, silenced(by)
	}
	c.remote, c.shake.ListenerPrincipal = who, who
	if err := c.proven(&m); err != nil || probe {
		return nil, err
	}
	return nil, c.prove(s)
}

// unanswered says why no reply could be read.
func (c *call) unanswered(err error) error {
	if c.carrier.wantsRaw() {
		return errRaw
	}
	code := wire.CodeOf(err)
	if code == wire.Internal && errors.Is(err, network.ErrReset) {
		code = wire.Unreachable // it has gone, or does not speak, and did not say which
	}
	return wire.Errorf(code, "binder %s did not answer: %w", c.to.Binding.Binder, err)
}

// proven checks the listener's signature.
func (c *call) proven(m *pb.OpenReply) error {
	if len(m.GetNonce()) != NonceSize {
		return wire.Errorf(wire.BadRequest, "binder's nonce has %d bytes, expected %d", len(m.GetNonce()), NonceSize)
	}
	c.shake.ListenerNonce = identity.Nonce(m.GetNonce())
	return c.shake.CheckListener(m.GetSignature())
}

// prove gives this side's signature.
func (c *call) prove(s *Service) error {
	sig, err := c.shake.SignDialer(s.cfg.Key)
	if err != nil {
		return err
	}
	return wire.WriteMessage(c.carrier, &pb.Confirm{Signature: sig}, MaxConfirm)
}

// follow puts the binding that an old binder names in front, if it has not been
// tried. It is false for one that does not prove itself, or serves no more.
func (d *dialing) follow(envelope []byte, old Found) bool {
	f, ok := d.s.movedTo(d.id, envelope, old)
	if ok && d.hops < maxHops && !d.tried[string(envelope)] && d.usable(f) {
		d.hops++
		d.tried[string(envelope)] = true
		d.queue = append([]candidate{{Found: f}}, d.queue...)
	}
	return ok
}

// movedTo judges, and learns, the binding that an old binder names as the one
// which serves now. It is false for one that does not prove itself, or serves no
// more.
func (s *Service) movedTo(id ID, envelope []byte, old Found) (Found, bool) {
	now := time.Now()
	b, err := s.openBindingOf(id, envelope, now)
	if err == nil && (!b.LiveAt(now) || !b.Beats(old.Binding) || b.Binder == old.Binding.Binder || s.voids(b)) {
		err = wire.Errorf(wire.BadRequest, "binder %s says that the pipe has moved to where it is not", old.Binding.Binder)
	}
	if err != nil {
		s.hostile(err)
		return Found{}, false
	}
	f := unseen(Found{Binding: b, Envelope: envelope, From: "", Origin: OriginCached, received: now})
	f.From, _ = old.Binding.Binder.Peer()
	s.learn(now, f)
	return f, true
}

// usable reports whether a binding is what the dial asks for.
func (d *dialing) usable(f Found) bool {
	if len(offering([]Found{f}, d.o.Transport)) == 0 {
		return false
	}
	if len(d.o.Binders) == 0 {
		return true
	}
	for _, p := range d.o.Binders {
		if identity.PeerPrincipal(p) == f.Binding.Binder {
			return true
		}
	}
	return false
}

func equalAddrs(a, b ma.Multiaddr) bool { return a.Equal(b) }
