package roster

import (
	"sync"
	"time"

	"github.com/panpipe-net/panpipe/protocols/buddy"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/account"
)

const (
	pingEvery = 3 * time.Second  // while this side attends to the other
	deathTime = 8 * time.Second  // without a frame, while either side does
	idlePing  = 25 * time.Second // otherwise
	idleDeath = 75 * time.Second
	writeTime = 20 * time.Second // for what is said at once
	// lingerTime is how long a new buddy, or one that nobody looks at any more, is
	// connected.
	lingerTime = 5 * time.Minute
)

var errLeft error = wire.Errorf(wire.Closed, "the device goes offline")

// sayings is what is to be said on a roster link, by flags: it is composed when
// it is sent, of what is then the case.
type sayings struct {
	status, secret, log, digest, bundle, delta bool
	ping, pong, leave, last                    bool                 // last: nothing follows
	requests                                   []identity.Principal // that wait here, or were declined
}

// talk runs a roster link, and returns why it is over: errLeft where the far
// side has said so.
func (l *link) talk() error {
	l.r.mu.Lock()
	l.say(func(s *sayings) {
		s.status, s.secret, s.digest = true, !l.own(), l.own()
		if l.own() {
			s.requests = l.r.waitingLocked()
		}
	})
	l.r.mu.Unlock()
	var writer sync.WaitGroup
	writer.Go(l.write)
	err := l.read()
	l.cancel()
	writer.Wait()
	return err
}

// read takes frames until the link is over.
func (l *link) read() error {
	all := bucket{burst: frameBurst, every: frameEvery}
	logs := bucket{burst: logBurst, every: logEvery}
	for {
		l.r.mu.Lock()
		patience := l.patienceLocked()
		l.r.mu.Unlock()
		_ = l.conn.SetReadDeadline(time.Now().Add(patience))
		f, err := buddy.ReadFrame(l.conn, l.own())
		if err != nil {
			return err
		}
		now := time.Now()
		if !all.take(now) {
			return errBusy
		}
		if _, log := f.(buddy.Log); log && !logs.take(now) {
			return errBusy
		}
		if err := l.hear(f); err != nil {
			return err
		}
	}
}

// patienceLocked is how long the far side may be silent.
func (l *link) patienceLocked() time.Duration {
	if l.attends() || l.attended {
		return deathTime
	}
	return idleDeath
}

// attends reports whether this side looks at the far one. r.mu is held.
func (l *link) attends() bool {
	c := l.r.book.contact(l.account)
	return c.attended > 0
}

// attendedAnew has a change of attention act at once. r.mu is held.
func (l *link) attendedAnew() {
	_ = l.conn.SetReadDeadline(time.Now().Add(l.patienceLocked()))
	l.say(func(s *sayings) { s.status, s.ping = true, true })
}

// write says what there is to say, and pings, until the link is over.
func (l *link) write() {
	for {
		l.r.mu.Lock()
		every := idlePing
		if l.attends() {
			every = pingEvery
		}
		frames, last := l.composeLocked()
		l.r.mu.Unlock()
		_ = l.conn.SetWriteDeadline(time.Now().Add(writeTime))
		for _, f := range frames {
			if err := buddy.WriteFrame(l.conn, f); err != nil {
				l.r.mu.Lock()
				l.end(wire.Errorf(wire.CodeOf(err), "the far side takes nothing: %w", err))
				l.r.mu.Unlock()
				return
			}
		}
		if last {
			_ = l.conn.Close() // what was said is delivered
			return
		}
		if !l.rest(every) {
			return
		}
	}
}

// rest waits until there is something to say. It is false when the link is over.
func (l *link) rest(every time.Duration) bool {
	pause := time.NewTimer(every)
	defer pause.Stop()
	select {
	case <-l.wake:
	case <-pause.C:
		l.r.mu.Lock()
		l.sayings.ping = true
		l.r.mu.Unlock()
	case <-l.ctx.Done():
		return false
	}
	return true
}

// composeLocked makes frames of what is to be said. last: nothing follows.
func (l *link) composeLocked() (frames []buddy.Frame, last bool) {
	s := l.sayings
	l.sayings = sayings{}
	r, c := l.r, l.r.book.contact(l.account)
	if c.revoked(l.device) { // it hears why, and nothing that came after
		s = sayings{log: s.log && l.own(), leave: s.leave, last: s.last}
	}
	if s.log {
		frames = append(frames, buddy.Log(r.account.Log().Bytes()))
	}
	if s.status {
		frames = append(frames, buddy.Status{Name: r.account.Profile().Name(), Text: r.status, Attends: l.attends()})
	}
	if presence := r.book.presence; s.secret && c.standing == accepted && presence != nil {
		frames = append(frames, buddy.Secret(presence.Bytes()))
	}
	frames = append(frames, l.composeOwnLocked(s)...)
	if s.ping {
		frames = append(frames, buddy.Ping{})
	}
	if s.pong {
		frames = append(frames, buddy.Pong{})
	}
	if s.leave {
		frames = append(frames, buddy.Leave{})
	}
	return frames, s.leave || s.last
}

// hear acts on a frame.
func (l *link) hear(f buddy.Frame) error {
	l.r.mu.Lock()
	out := l.r.book.contact(l.account).revoked(l.device)
	l.r.mu.Unlock()
	switch {
	case out && l.own():
		return nil // it is about to hear why
	case out:
		return errRevoked
	}
	switch f := f.(type) {
	case buddy.Status:
		l.hearStatus(f)
	case buddy.Secret:
		return l.hearSecret(f)
	case buddy.Log:
		return l.logShown(f)
	case buddy.Ping:
		l.r.mu.Lock()
		defer l.r.mu.Unlock()
		l.say(func(s *sayings) { s.pong = true })
	case buddy.Leave:
		return errLeft
	case buddy.Digest:
		l.hearDigest(f)
	case buddy.Profile:
		return l.hearProfile(f)
	case buddy.Request:
		return l.r.hearRequest(f)
	}
	return nil
}

func (l *link) hearStatus(f buddy.Status) {
	r := l.r
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.book.contact(l.account)
	d := c.device(l.device)
	d.links[buddy.PurposeRoster].asked = f.Attends
	if f.Attends != l.attended {
		l.attended = f.Attends
		_ = l.conn.SetReadDeadline(time.Now().Add(l.patienceLocked()))
	}
	if d.status == f.Text && (c.name == f.Name || l.own()) {
		return
	}
	d.status = f.Text
	if !l.own() && c.name != f.Name {
		c.name = f.Name
		r.storeLocked(c)
	}
	r.tellLocked(Event{Kind: EventPresence, Account: l.account, Device: l.device, Presence: Connected})
}

// hearSecret takes where the far account is to be found, which is its yes if it
// was asked.
func (l *link) hearSecret(f buddy.Secret) error {
	r := l.r
	r.mu.Lock()
	c := r.book.contact(l.account)
	standing := c.standing
	known := c.presence != nil && string(c.presence.Bytes()) == string(f)
	r.mu.Unlock()
	if standing != requested && (standing != accepted || known) {
		return nil
	}
	if err := r.befriend(l.account, f); err != nil {
		return err
	}
	if standing == requested {
		r.mu.Lock()
		defer r.mu.Unlock()
		l.say(func(s *sayings) { s.secret, s.status = true, true })
	}
	return nil
}

// befriend notes that another account has agreed, and where it is. Unbound where
// a person has ended the friendship just now: nobody else makes one.
func (r *Roster) befriend(id identity.Principal, secret []byte) error {
	_, err := r.change(func(a account.Account) (account.Account, error) {
		if b, _ := a.Profile().Buddy(id); b.State != account.Requested && b.State != account.Accepted {
			return a, errUnbound
		}
		next, delta, err := a.Edit(account.Add(id, account.Accepted), account.SetSecret(id, secret))
		if err == nil && delta.IsZero() {
			err = errSame
		}
		return next, err
	})
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.book.contact(id).lingers = time.Now().Add(lingerTime)
	r.rouse()
	return nil
}
