package pipe

import (
	"context"
	"time"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe/pb"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// acceptCarrier answers a dialer and hands the connection to the listener.
//
//	Open ─▶ judged ─┬─ no  ─▶ OpenReply{code, moved} and the end
//	                ├─ yes ─▶ OpenReply ─┬─ probe   ─▶ the end, or a watch
//	                │                    ├─ unicast ─▶ Accept
//	                │                    └─ secure  ─▶ Confirm ─▶ Accept
//	                └─ yes, and there is a handler, which gives OpenReply
func (s *Service) acceptCarrier(ctx context.Context, c carrier) {
	started := time.Now()
	err := s.accept(ctx, c)
	s.trace(EventAccept, err, time.Since(started))
}

func (s *Service) accept(ctx context.Context, c carrier) error {
	c.opening(time.Now().Add(s.cfg.Limits.OpenTimeout))
	var m pb.Open
	if err := wire.ReadMessage(c, &m, MaxOpen); err != nil {
		c.drop()
		return err
	}
	from := c.opened.peer
	logs := s.logsOf(from, c.group())
	o, err := parseOpen(&m, from, logs)
	if err != nil {
		return s.refuse(c, err, nil)
	}
	l, moved, err := s.judge(ctx, c, o, logs)
	if err != nil {
		return s.refuse(c, err, moved)
	}
	if c.link != nil && !l.takes(c.link) {
		return errRaw
	}
	of := s.shareOf(c)
	switch {
	case o.probe && o.watch:
		return s.watched(l, c, o, of)
	case l.handler == nil || o.probe && l.advertisement.Type == TypeSecure:
		return s.queue(l, c, o, of)
	}
	if err := s.place(of); err != nil {
		return s.refuse(c, err, nil)
	}
	return s.handle(ctx, l, c, o, of)
}

// queue answers an admitted dialer, and has it wait for Accept.
func (s *Service) queue(l *Listener, c carrier, o opening, of share) error {
	if err := l.room(of); err != nil {
		s.limited(CapBacklog, err)
		return s.refuse(c, err, nil)
	}
	if o.probe {
		l.waiting.give(of)
		_, err := s.agree(l, c, o)
		c.Close()
		return err
	}
	if err := s.place(of); err != nil {
		l.waiting.give(of)
		return s.refuse(c, err, nil)
	}
	conn, err := s.servedConn(l, c, o, of)
	if err != nil {
		l.waiting.give(of)
		return s.refuse(c, err, nil)
	}
	conn.waits = of
	if err := s.complete(l, conn, c, o); err != nil {
		l.waiting.give(of)
		conn.Reset()
		return err
	}
	return nil
}

// servedConn makes the connection of a dialer that has a place, which it gives
// back on failure.
func (s *Service) servedConn(l *Listener, c carrier, o opening, of share) (*Conn, error) {
	if c.opened.peer != s.cfg.Self && c.link == nil { // of a link the trunk takes care
		c.stream = held(c.stream, s.cfg.Reach.Hold(c.opened.peer))
	}
	conn := newConn(o.pipe, s.cfg.Self, c, l.local(), o.principal)
	conn.served = true
	if err := s.track(conn, of); err != nil {
		c.drop()
		return nil, err
	}
	return conn, nil
}

// shareOf is whose share a dialer's connection takes: a node's own ends joined
// within the process take its own.
func (s *Service) shareOf(c carrier) share {
	if c.opened.peer == s.cfg.Self {
		return ownShare
	}
	return shareOf(c.opened.peer, c.group())
}

// judge finds the listener for a dialer. Refused because another binder serves
// the pipe now, it returns that binding.
func (s *Service) judge(ctx context.Context, c carrier, o opening, logs identity.LogReader) (l *Listener, moved []byte, err error) {
	s.mu.Lock()
	l = s.listeners[o.pipe]
	s.mu.Unlock()
	now := time.Now()
	if l == nil {
		if err := s.limitRate(c, now); err != nil {
			return nil, nil, err
		}
		if moved = s.successor(ctx, o.pipe, now); moved != nil {
			return nil, moved, wire.Errorf(wire.Moved, "the pipe is served by another binder now")
		}
		return nil, nil, wire.Errorf(wire.Unbound, "this node does not serve the pipe")
	}
	s.learnLog(o.log, true)
	g := l.gate(now, logs)
	if l.advertisement.Type == TypeSecure || !g.lists(o) && !l.permits.has(o.capability) {
		if err := s.limitRate(c, now); err != nil {
			return nil, nil, err
		}
	}
	if err := g.admit(o, c.opened.transport); err != nil {
		return nil, nil, err
	}
	return l, nil, nil
}

// limitRate counts what an Open costs beyond a look at a list: signatures, and
// what the store has. Whom the list has, or who has
// shown its capability before, pays by the places that it takes alone.
func (s *Service) limitRate(c carrier, now time.Time) error {
	if c.opened.peer == s.cfg.Self {
		return nil
	}
	err := s.limiter.allow(c.opened.peer, c.group(), 1, now)
	if err != nil {
		s.limited(CapRate, err)
	}
	return err
}

// successor returns the binding that replaced this node's, nil when there is
// none, or none that still serves.
func (s *Service) successor(ctx context.Context, id ID, now time.Time) []byte {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Limits.OpenTimeout)
	defer cancel()
	st, err := s.cfg.Store.State(ctx, id)
	if err != nil || st.Successor == nil {
		return nil
	}
	// One whose right is revoked has not the pipe any more, nor has this node.
	// The cache may have its renewals, which are as good and newer.
	newest := known{}
	if b, err := s.openBinding(st.Successor); err == nil && !s.voids(b) {
		newest.add(Found{Binding: b, Envelope: st.Successor})
	}
	for _, f := range s.cache.records(id).records {
		newest.add(f)
	}
	if live := newest.live(now); len(live) > 0 && live[0].Binding.Binder != s.cfg.principal() {
		return live[0].Envelope
	}
	return nil
}

func (s *Service) refuse(c carrier, err error, moved []byte) error {
	reply := &pb.OpenReply{Code: uint32(wire.CodeOf(err)), Reason: reasonOf(err), Moved: moved}
	if wire.WriteMessage(c, reply, MaxOpenReply) != nil {
		c.drop()
		return err
	}
	c.Close()
	return err
}

// emptyReply is an OpenReply without fields, with its length: accepted.
var emptyReply = []byte{0}

// agree answers an admitted dialer, on a secure pipe with this side's proof.
func (s *Service) agree(l *Listener, c carrier, o opening) (Handshake, error) {
	h := Handshake{
		Pipe: o.pipe, Dialer: c.opened.peer, Listener: s.cfg.Self,
		DialerPrincipal: o.principal, ListenerPrincipal: l.account, DialerNonce: o.nonce,
	}
	if l.advertisement.Type != TypeSecure {
		_, err := c.words().Write(emptyReply)
		return h, err
	}
	h.ListenerNonce = identity.NewNonce()
	sig, err := h.SignListener(s.cfg.Key)
	if err != nil {
		return h, err
	}
	reply := &pb.OpenReply{Nonce: h.ListenerNonce[:], Signature: sig}
	if !l.account.IsZero() {
		log, err := l.deviceLog()
		if err != nil {
			return h, err
		}
		reply.Principal, reply.Proof = l.account.Bytes(), log.Bytes()
	}
	return h, wire.WriteMessage(c, reply, MaxOpenReply)
}

// complete answers an admitted dialer, on a secure pipe takes its proof, and
// hands the connection over.
func (s *Service) complete(l *Listener, conn *Conn, c carrier, o opening) error {
	if err := s.prove(l, c, o); err != nil {
		return err
	}
	// The stream's deadlines were the opening's; settle sets the user's.
	conn.settle(o.principal, nil)
	l.offer(conn)
	return nil
}

// prove answers an admitted dialer, and on a secure pipe takes its proof.
func (s *Service) prove(l *Listener, c carrier, o opening) error {
	h, err := s.agree(l, c, o)
	if err != nil || l.advertisement.Type != TypeSecure {
		return err
	}
	var confirm pb.Confirm
	if err := wire.ReadMessage(c, &confirm, MaxConfirm); err != nil {
		return err
	}
	return h.CheckDialer(confirm.GetSignature())
}
