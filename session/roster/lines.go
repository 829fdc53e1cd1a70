package roster

import (
	"context"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/buddy"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Line is a link for a call, with a device of a buddy or an own one, on which
// both have said Hello. It ends with an error as soon as its device or account
// has no place here any more.
type Line struct {
	conn
	Account identity.Principal
	Device  peer.ID
	link    *link
}

// Close ends the line. What was written is still delivered.
func (l Line) Close() error {
	l.link.forget()
	return l.conn.Close()
}

// ResetWith drops the line, with a word for the far side.
func (l Line) ResetWith(code wire.Code, reason string) {
	l.link.forget()
	l.conn.ResetWith(code, reason)
}

// forget gives the place of a line back.
func (l *link) forget() {
	l.r.mu.Lock()
	defer l.r.mu.Unlock()
	l.cancel()
	delete(l.r.links, l.number)
}

// ServeCalls has f called with each line that others dial, on a goroutine of its
// own, which Close joins: so f ends when its line fails. Without it calls are
// refused. It is called once, before Run.
func (r *Roster) ServeCalls(f func(Line)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = f
}

// Reach returns the devices of a buddy, or of this account without this device,
// that a call can ring on now: those that are announced or connected, the latter
// first. Errors: Unknown for no buddy, NotReady for one that has yet to accept,
// Forbidden for a blocked one, Unreachable where nobody is there.
func (r *Roster) Reach(id identity.Principal) ([]peer.ID, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if id != r.me {
		if err := r.mayWriteLocked(id); err != nil {
			return nil, err
		}
	}
	c, now := r.book.contact(id), time.Now()
	var all []*device
	for _, d := range c.devices {
		if d.id != r.cfg.Self && !c.revoked(d.id) && d.presenceAt(now) != Offline {
			all = append(all, d)
		}
	}
	if len(all) == 0 {
		return nil, wire.Errorf(wire.Unreachable, "no device of %s is there", id)
	}
	slices.SortFunc(all, func(x, y *device) int { return int(y.presenceAt(now)) - int(x.presenceAt(now)) })
	ids := make([]peer.ID, len(all))
	for i, d := range all {
		ids[i] = d.id
	}
	return ids, nil
}

// Dial opens a line to a device. The far side's Hello has come when it returns.
func (r *Roster) Dial(ctx context.Context, id identity.Principal, device peer.ID) (Line, error) {
	r.mu.Lock()
	c := r.book.contacts[id]
	if c == nil || c.presence == nil {
		r.mu.Unlock()
		return Line{}, errNoBuddy(id.String())
	}
	a := action{account: id, device: device, purpose: buddy.PurposeCall, pipe: *c.presence}
	r.mu.Unlock()
	l, err := r.reachOut(ctx, a)
	if err != nil {
		return Line{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.installLocked(l); err != nil {
		l.conn.ResetWith(wire.CodeOf(err), reasonOf(err))
		return Line{}, err
	}
	_ = l.conn.SetDeadline(time.Time{}) // what fails, fails at the first read
	return Line{l.conn, l.account, l.device, l}, nil
}

// cutLinesLocked ends the lines of those who have no place here any more, all of
// them at the end.
func (r *Roster) cutLinesLocked() {
	for _, l := range r.links {
		if l.purpose != buddy.PurposeCall {
			continue
		}
		switch c := r.book.contact(l.account); {
		case !c.speaks():
			l.end(errUnbound)
		case c.revoked(l.device):
			l.end(errRevoked)
		case r.account.Revoked() || r.ended:
			l.end(errClosed)
		}
	}
}
