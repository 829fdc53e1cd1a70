package roster

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/buddy"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session"
	"github.com/panpipe-net/panpipe/session/account"
)

// link is one on which both have said Hello.
type link struct {
	// Fixed after newLink.
	r       *Roster
	conn    conn
	account identity.Principal
	device  peer.ID
	purpose buddy.Purpose
	mine    bool // this device dialled it
	run     buddy.Run
	since   time.Time
	wake    chan struct{}
	ctx     context.Context
	cancel  context.CancelFunc
	done    chan struct{} // closed when it is over

	// Guarded by r.mu.
	number   uint64 // 0 before it has its place
	sayings  sayings
	attended bool // the far side looks at this account
	why      error
	told     account.Profile // what an own device is known to have
	synced   bool            // told is known
}

func (r *Roster) newLink(c conn, id identity.Principal, p buddy.Purpose, mine bool, run buddy.Run) *link {
	l := &link{
		r: r, conn: c, account: id, device: c.RemotePeer(), purpose: p, mine: mine, run: run,
		since: r.cfg.Now(), wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	l.ctx, l.cancel = context.WithCancel(r.ctx)
	return l
}

func (l *link) own() bool { return l.account == l.r.me }

// installLocked gives a link its place, which another may have to leave.
func (r *Roster) installLocked(l *link) error {
	c := r.book.contact(l.account)
	switch {
	case r.leaving || r.ended:
		return errClosed
	case !c.speaks():
		return errUnbound
	case r.account.Revoked():
		return errRevoked
	}
	r.last++
	l.number = r.last
	if l.purpose == buddy.PurposeCall {
		r.links[l.number] = l
		return nil
	}
	s := &c.device(l.device).links[l.purpose]
	if s.arrives(r.cfg.Self, l.device, l.mine, l.run) == refuse {
		return errTaken
	}
	if before := r.links[s.number]; before != nil && s.live {
		before.end(errOver)
	}
	r.links[l.number] = l
	r.book.stands(c, l.device, l.purpose, l.mine, l.run, l.number)
	c.device(l.device).direct = l.conn.Direct()
	return nil
}

// end ends a link, for the first reason that is given. r.mu is held.
func (l *link) end(why error) {
	if l.why != nil {
		return
	}
	l.why = why
	l.cancel()
	l.conn.ResetWith(wire.CodeOf(why), reasonOf(why))
}

// dismiss ends a link with a device that its account has revoked: an own one is
// shown the log, so that it knows. r.mu is held.
func (l *link) dismiss(why error) {
	if why != errRevoked || !l.own() || l.purpose != buddy.PurposeRoster {
		l.end(why)
		return
	}
	l.say(func(s *sayings) { s.log, s.last = true, true })
}

// say notes what is to be said on a roster link. r.mu is held.
func (l *link) say(f func(*sayings)) {
	f(&l.sayings)
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// serve runs a link that has its place until it is over.
func (l *link) serve() {
	_ = l.conn.SetDeadline(time.Time{}) // what fails, fails at the first read
	if l.purpose == buddy.PurposeCall {
		l.r.calls(Line{l.conn, l.account, l.device, l})
		return // Line.Close ends it
	}
	var err error
	if l.purpose == buddy.PurposeRoster {
		err = l.talk()
	} else {
		err = l.chat()
	}
	l.cancel()
	r := l.r
	r.mu.Lock()
	l.end(err)
	left, lost := l.why == errLeft || wire.CodeOf(err) == wire.Unbound, false
	if l.purpose == buddy.PurposeRoster && !left {
		switch wire.CodeOf(l.why) {
		case wire.Gone, wire.Timeout, wire.Unreachable, wire.Reset:
			lost = true
		}
	}
	delete(r.links, l.number)
	c := r.book.contact(l.account)
	c.seen = r.cfg.Now()
	r.book.ended(c, l.device, l.purpose, l.number, left, lost, time.Now())
	if l.purpose == buddy.PurposeRoster {
		r.storeLocked(c)
	}
	r.mu.Unlock()
	close(l.done)
	r.rouse()
}

// chat runs conversations on a link.
func (l *link) chat() error {
	r := l.r
	return r.talks.Run(l.ctx, l.conn, session.Far{
		Device: identity.PeerPrincipal(l.device), Account: l.account,
		Ours: func(device identity.Principal) bool {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.ours.has(device)
		},
		Theirs: func(device identity.Principal) bool {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.book.contact(l.account).names().has(device)
		},
		LogShown: l.logShown,
	})
}

// logShown takes the log of the far side's account.
func (l *link) logShown(raw []byte) error {
	id, _, err := l.r.speaks(l.device, raw)
	if err == nil && id != l.account {
		err = wire.Errorf(wire.Forbidden, "device log is that of %s, not of %s", id, l.account)
	}
	return err
}
