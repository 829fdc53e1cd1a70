package roster

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/buddy"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

const (
	lookTime  = 30 * time.Second
	dialTime  = 15 * time.Second
	helloTime = 10 * time.Second
	// rosterGrace is how long a roster link waits for a path: a device that
	// changes networks takes less, and one that is dead is to be seen.
	rosterGrace = 20 * time.Second
)

// dial connects to a device for a purpose, and says Hello.
func (r *Roster) dial(a action) {
	l, err := r.reachOut(r.ctx, a)
	r.mu.Lock()
	c := r.book.contact(a.account)
	r.book.dialled(c, a.device, a.purpose, err, time.Now())
	if err == nil {
		err = r.installLocked(l)
	}
	r.mu.Unlock()
	r.rouse()
	if err != nil {
		if l != nil {
			l.cancel()
			l.conn.ResetWith(wire.CodeOf(err), err.Error())
		}
		return
	}
	l.serve()
}

// reachOut returns a link whose far side has said Hello.
func (r *Roster) reachOut(ctx context.Context, a action) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	defer context.AfterFunc(r.ctx, cancel)()
	grace := time.Duration(0)
	if a.purpose == buddy.PurposeRoster {
		grace = rosterGrace
	}
	c, err := r.net.dial(ctx, a.pipe, a.device, grace)
	if err != nil {
		return nil, err
	}
	h, id, err := r.greet(c, a.purpose)
	if err == nil && (id != a.account || c.RemotePeer() != a.device) {
		err = wire.Errorf(wire.Forbidden, "device %s is not one of %s", c.RemotePeer(), a.account)
	}
	if err != nil {
		c.ResetWith(wire.CodeOf(err), err.Error())
		return nil, err
	}
	return r.newLink(c, a.account, a.purpose, true, h.Run), nil
}

// greet says Hello on a link that this device has dialled, and returns what the
// far side says and whose device it is.
func (r *Roster) greet(c conn, p buddy.Purpose) (h buddy.Hello, id identity.Principal, err error) {
	stop := context.AfterFunc(r.ctx, func() { _ = c.SetDeadline(time.Now()) })
	defer stop()
	_ = c.SetDeadline(time.Now().Add(helloTime)) // what fails, fails at the write
	if err := buddy.WriteHello(c, r.hello(p)); err != nil {
		return h, id, err
	}
	if h, err = buddy.ReadHello(c); err != nil {
		return h, id, err
	}
	if h.Purpose != p {
		return h, id, wire.Errorf(wire.BadRequest, "hello for purpose %s, not %s", h.Purpose, p)
	}
	id, _, err = r.speaks(c.RemotePeer(), h.Log)
	return h, id, err
}

func (r *Roster) hello(p buddy.Purpose) buddy.Hello {
	a, _ := r.cfg.Keeper.Account()
	return buddy.Hello{Purpose: p, Log: a.Log().Bytes(), Run: r.run}
}

// servePresence has a link that was dialled on the presence pipe. To those who
// may not speak it is as if there were none.
func (r *Roster) servePresence(c conn) {
	l, err := r.welcome(c)
	if err != nil {
		c.ResetWith(wire.CodeOf(err), reasonOf(err))
		return
	}
	l.serve()
}

// welcome reads the Hello of a dialer, and answers it if it may speak.
func (r *Roster) welcome(c conn) (*link, error) {
	if !r.strict.take(c.RemotePeer(), time.Now()) {
		return nil, errBusy
	}
	stop := context.AfterFunc(r.ctx, func() { _ = c.SetDeadline(time.Now()) })
	defer stop()
	_ = c.SetDeadline(time.Now().Add(helloTime))
	h, err := buddy.ReadHello(c)
	if err != nil {
		return nil, err
	}
	id, _, err := r.introduced(c.RemotePeer(), h.Log)
	if err != nil {
		return nil, r.dismissed(c, id, h.Purpose, err)
	}
	if err := r.mayEnter(id, c.RemotePeer(), h); err != nil {
		return nil, err
	}
	if err := buddy.WriteHello(c, r.hello(h.Purpose)); err != nil {
		return nil, err
	}
	l := r.newLink(c, id, h.Purpose, false, h.Run)
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.rouse()
	if err := r.installLocked(l); err != nil {
		l.cancel()
		return nil, err
	}
	return l, nil
}

// dismissed shows a device of this account that was revoked, and may not know,
// the log by which it was.
func (r *Roster) dismissed(c conn, id identity.Principal, p buddy.Purpose, why error) error {
	if why == errRevoked && id == r.me && buddy.WriteHello(c, r.hello(p)) == nil {
		_ = c.Close() // what was said is delivered
	}
	return why
}

// mayEnter says whether a device may have a link here.
func (r *Roster) mayEnter(id identity.Principal, device peer.ID, h buddy.Hello) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.book.contacts[id]
	switch {
	case c == nil || !c.speaks() || device == r.cfg.Self || r.account.Revoked():
		return errUnbound
	case h.Purpose == buddy.PurposeAsk, h.Purpose == buddy.PurposeCall && r.calls == nil,
		c.standing == requested && h.Purpose != buddy.PurposeRoster:
		return wire.Errorf(wire.Unsupported, "purpose %s has no place here", h.Purpose)
	case h.Purpose == buddy.PurposeCall:
		return nil // any number
	}
	if d := c.devices[device]; d != nil && d.links[h.Purpose].arrives(r.cfg.Self, device, false, h.Run) == refuse {
		return errTaken
	}
	return nil
}

// reasonOf is what the far side may know of an error.
func reasonOf(err error) string {
	if code := wire.CodeOf(err); code == wire.Internal {
		return code.String()
	}
	return err.Error()
}
