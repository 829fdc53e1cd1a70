package roster

import (
	"crypto/sha256"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/account"
)

// names are devices that a log has, or has had. They never change.
type names map[peer.ID]bool

func namesOf(log *identity.DeviceLog) names {
	if log == nil {
		return nil
	}
	return named(log)
}

// has takes a device as conversations name it.
func (n names) has(device identity.Principal) bool {
	id, ok := device.Peer()
	return ok && n[id]
}

// logCache spares verifying the logs of those who are known again with each
// Hello: about 10 ms for a full one.
type logCache struct {
	logs map[[sha256.Size]byte]*identity.DeviceLog
	of   map[identity.Principal][sha256.Size]byte
}

func newLogCache() logCache {
	return logCache{logs: make(map[[sha256.Size]byte]*identity.DeviceLog), of: make(map[identity.Principal][sha256.Size]byte)}
}

// keep remembers the one log of an account that won.
func (c logCache) keep(log *identity.DeviceLog) {
	delete(c.logs, c.of[log.Account()])
	sum := sha256.Sum256(log.Bytes())
	c.logs[sum], c.of[log.Account()] = log, sum
}

// known returns a log that was verified before, nil for another.
func (r *Roster) known(raw []byte) *identity.DeviceLog {
	sum := sha256.Sum256(raw)
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.logs.logs[sum]
}

// open verifies a log.
func (r *Roster) open(raw []byte) (*identity.DeviceLog, error) {
	if log := r.known(raw); log != nil {
		return log, nil
	}
	return identity.ParseLog(raw)
}

// introduced is speaks for who says Hello here, of whom nothing is known yet: a
// few at a time are listened to.
func (r *Roster) introduced(device peer.ID, raw []byte) (identity.Principal, *identity.DeviceLog, error) {
	if r.known(raw) == nil {
		select {
		case r.verify <- struct{}{}:
			defer func() { <-r.verify }()
		default:
			return identity.Principal{}, nil, errBusy
		}
	}
	return r.speaks(device, raw)
}

// speaks verifies that a device speaks for the account whose log it shows, and
// keeps the log if the account is one that this one has to do with.
func (r *Roster) speaks(device peer.ID, raw []byte) (identity.Principal, *identity.DeviceLog, error) {
	log, err := r.open(raw)
	if err != nil {
		return identity.Principal{}, nil, err
	}
	if !log.Valid(device) {
		if log.Account() == r.me {
			_, _ = r.learnOwn(log) // which may tell this device that it was revoked
		}
		return log.Account(), nil, wire.Errorf(wire.Forbidden, "the device log of %s does not have device %s", log.Account(), device)
	}
	winner, err := r.learn(log)
	if err != nil {
		return log.Account(), nil, err
	}
	if !winner.Valid(device) {
		return log.Account(), nil, errRevoked
	}
	return log.Account(), winner, nil
}

// learn judges a log that was shown, and returns the one of its account that
// wins. What wins is kept, where this account has to do with the other.
func (r *Roster) learn(shown *identity.DeviceLog) (*identity.DeviceLog, error) {
	if shown.Account() == r.me {
		return r.learnOwn(shown)
	}
	winner, new := r.judge(shown)
	if new {
		r.net.showLog(winner)
		r.rouse()
	}
	return winner, nil
}

// judge keeps the winner of what is known of another account and what was shown.
func (r *Roster) judge(shown *identity.DeviceLog) (winner *identity.DeviceLog, new bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.book.contacts[shown.Account()]
	if c == nil || !c.speaks() && c.request == nil && c.log == nil {
		return shown, false
	}
	winner, outcome := identity.Judge(c.log, shown)
	if outcome != identity.LogExtends && outcome != identity.LogBeats {
		return winner, false
	}
	c.log = winner
	r.logs.keep(winner)
	r.storeLocked(c)
	r.tellLocked(Event{Kind: EventBuddy, Account: c.account})
	return winner, true
}

// learnOwn has the keeper judge, which tells followAccount of what is new.
func (r *Roster) learnOwn(shown *identity.DeviceLog) (*identity.DeviceLog, error) {
	a, _ := r.cfg.Keeper.Account()
	if _, outcome := identity.Judge(a.Log(), shown); outcome != identity.LogExtends && outcome != identity.LogBeats {
		return a.Log(), nil
	}
	a, err := r.change(func(a account.Account) (account.Account, error) {
		next, adoption, err := a.Adopt(r.cfg.Act(), shown)
		if len(adoption.Lost) > 0 {
			r.cfg.Log.Warn("what this device had signed lost against another device, and could not be signed again",
				"entries", len(adoption.Lost))
		}
		return next, err
	})
	return a.Log(), err
}

// change acts on the account, and on what that changes here. An act that changes
// nothing returns errSame.
func (r *Roster) change(act func(account.Account) (account.Account, error)) (account.Account, error) {
	a, err := r.cfg.Keeper.Update(r.ctx, act)
	if err == errSame {
		err = nil
	}
	r.catchUp()
	return a, err
}

// edit changes the profile.
func (r *Roster) edit(changes ...account.Change) (account.Account, error) {
	return r.change(func(a account.Account) (account.Account, error) {
		next, delta, err := a.Edit(changes...)
		if err == nil && delta.IsZero() {
			err = errSame
		}
		return next, err
	})
}
