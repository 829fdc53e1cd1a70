package trunk

import "github.com/panpipe-net/panpipe/protocols/wire"

// unknownLocked takes in a frame whose handle belongs to no leg: it opens one,
// or comes too late. It unlocks mu.
func (c *carrier) unknownLocked(h header) error {
	switch mine := c.line.mine(h.handle); {
	case mine && h.handle > c.given:
		c.mu.Unlock()
		return wire.Errorf(wire.BadRequest, "handle %d was not given", h.handle)
	case mine || h.handle <= c.highest:
		c.mu.Unlock()
		c.t.counts.late.Add(1)
		return nil
	case h.kind < FirstKind:
		c.mu.Unlock()
		return wire.Errorf(wire.BadRequest, "a leg began with kind %d", h.kind)
	}
	l, full, err := c.comingLocked(h.handle)
	c.mu.Unlock()
	if full || err != nil {
		return err
	}
	return c.accept(l, h.kind)
}

// comingLocked makes a leg that the far side opens. Above the caps it is left
// at once, and above that the far side does not listen.
func (c *carrier) comingLocked(handle uint64) (l *Leg, full bool, err error) {
	limits, peer := c.t.cfg.Limits, c.line.peer
	if c.legCount() >= limits.Legs+limits.Refusals {
		return nil, false, wire.LimitError("legs on one carrier", int64(limits.Legs), "")
	}
	full = c.legCount() >= limits.Legs || peer.legs.Load() >= int64(limits.LegsPerPeer)
	c.highest = handle
	l = &Leg{c: c, accepting: !full}
	l.turn.leg = l
	l.setHandle(handle)
	c.legs[handle] = l
	peer.legs.Add(1)
	c.life.legsCame(c)
	if full {
		l.released, l.code = true, wire.Limit
		c.settleLocked(l)
	}
	return l, full, nil
}

// accept asks who takes a leg.
func (c *carrier) accept(l *Leg, k Kind) error {
	var o Owner
	if ask := c.t.cfg.Accept; ask != nil {
		var err error
		if o, err = ask(l, k, &c.in); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	l.accepting, l.owner = false, o
	switch {
	case o == nil && !l.released:
		l.released, l.code = true, wire.Unsupported
		c.settleLocked(l)
	case l.ready && !l.released:
		c.turns.push(&l.turn)
		c.kickLocked()
	}
	return nil
}
