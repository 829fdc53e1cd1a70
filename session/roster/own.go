package roster

import (
	"crypto/sha256"
	"time"

	"github.com/panpipe-net/panpipe/protocols/buddy"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/account"
)

// digestOf tells one state of the account from others.
func digestOf(a account.Account) buddy.Digest {
	return buddy.Digest{Head: a.Log().Head(), Profile: a.Profile().Digest(), Current: a.Current()}
}

// composeOwnLocked makes the frames that only own devices are told.
func (l *link) composeOwnLocked(s sayings) (frames []buddy.Frame) {
	if !l.own() {
		return nil
	}
	r, a := l.r, l.r.account
	if s.digest {
		frames = append(frames, digestOf(a))
	}
	switch {
	case s.bundle && a.Current():
		b, err := a.Bundle(r.cfg.Act())
		if err != nil {
			r.cfg.Log.Error("own devices cannot be brought up to date", "error", err)
			break
		}
		frames = append(frames, buddy.Profile{Bundle: b.Bytes()})
		l.told, l.synced = a.Profile(), true
	case s.delta && l.synced && a.Current():
		if d := a.Profile().Since(l.told); !d.IsZero() {
			frames = append(frames, buddy.Profile{Delta: d.Bytes()})
			l.told = a.Profile()
		}
	}
	for _, id := range s.requests {
		frames = append(frames, r.requestLocked(id))
	}
	return frames
}

// requestLocked is a request as own devices are told of it.
func (r *Roster) requestLocked(id identity.Principal) buddy.Request {
	c := r.book.contact(id)
	if c.request == nil || c.log == nil {
		return buddy.Request{Account: id, At: time.UnixMilli(0), Declined: true}
	}
	return buddy.Request{Account: id, Ask: c.request.Ask, Log: c.log.Bytes(), At: c.request.at}
}

// hearDigest sends the account to an own device that has another.
func (l *link) hearDigest(f buddy.Digest) {
	r := l.r
	r.mu.Lock()
	defer r.mu.Unlock()
	if f == digestOf(r.account) {
		l.told, l.synced = r.account.Profile(), true
		r.agree()
		return
	}
	l.say(func(s *sayings) { s.bundle = true })
}

// hearProfile takes over what an own device has.
func (l *link) hearProfile(f buddy.Profile) error {
	var gained account.Profile
	_, err := l.r.change(func(a account.Account) (account.Account, error) {
		next, err := l.merged(a, f)
		if err != nil {
			return a, err
		}
		if digestOf(next) == digestOf(a) && string(mustRecord(next)) == string(mustRecord(a)) {
			return a, errSame
		}
		gained = next.Profile().Since(a.Profile())
		return next, nil
	})
	switch wire.CodeOf(err) {
	case wire.OK:
		l.r.agree()
	case wire.NotReady, wire.Expired, wire.Limit:
		l.r.cfg.Log.Warn("what another device of the account says cannot be taken over", "device", l.device, "error", err)
		return nil
	default:
		return err
	}
	l.r.mu.Lock()
	defer l.r.mu.Unlock()
	if l.synced { // what it has said itself need not be said to it
		if told, err := l.told.Merge(gained); err == nil {
			l.told = told
		}
	}
	return nil
}

func (l *link) merged(a account.Account, f buddy.Profile) (account.Account, error) {
	if len(f.Bundle) > 0 {
		b, err := account.ParseBundle(f.Bundle)
		if err != nil {
			return a, err
		}
		return a.Take(l.r.cfg.Act(), b, 0)
	}
	p, err := account.ParseProfile(f.Delta)
	if err != nil {
		return a, err
	}
	return a.Merge(p)
}

// mustRecord is the account's stored form, for comparing; nil where there is none.
func mustRecord(a account.Account) []byte {
	raw, err := a.Record()
	if err != nil {
		return nil
	}
	sum := sha256.Sum256(raw)
	return sum[:]
}
