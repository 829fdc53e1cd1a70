package link

import (
	"context"
	"time"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// attachOptions says how a link gets another leg.
type attachOptions struct {
	why     string
	planned bool // the leg before it is well
	own     bool // a carrier of its own
}

// attach gives the link a leg on a path.
func (l *Link) attach(ctx context.Context, p reach.Path, o attachOptions) error {
	a := newAttachment(l)
	if err := l.mayAttach(p); err != nil {
		return err
	}
	leg, err := l.links.cfg.Trunks.Attach(ctx, p, a, o.own)
	if err != nil {
		return err
	}
	l.mu.Lock()
	if a.dead || !l.m.takesLeg() {
		l.mu.Unlock()
		leg.Release()
		return wire.Errorf(wire.Unreachable, "the leg was lost at once, or came too late")
	}
	a.leg = leg
	a.mleg.strange = p.Peer() != l.far
	now := time.Now()
	a.beganLocked(o.why, now)
	l.m.attach(&a.mleg, o.planned, now)
	l.unlock(false)
	return nil
}

// mayAttach says why the link can have no leg on a path: it may not use it, or
// the far side is still to take the link, and the path leads to another node.
func (l *Link) mayAttach(p reach.Path) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case !l.m.heard && l.m.dialer && p.Peer() != l.far:
		return wire.Errorf(wire.Unreachable, "the path leads to %s, which the link was not opened to", p.Peer())
	case !l.fitsLocked(p):
		return wire.Errorf(wire.Unsupported, "the link may not use this path")
	}
	return nil
}
