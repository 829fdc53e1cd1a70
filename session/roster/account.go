package roster

import (
	"slices"
	"time"

	"github.com/panpipe-net/panpipe/protocols/buddy"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/session/account"
)

// rotateTurn is how long each more senior device has to rotate the profile key
// when that is due.
const rotateTurn = 30 * time.Second

// followAccount acts on every change of the account, whoever made it.
func (r *Roster) followAccount() {
	for {
		_, changed := r.cfg.Keeper.Account()
		r.catchUp()
		select {
		case <-changed:
		case <-r.ctx.Done():
			return
		}
	}
}

// catchUp acts on what has changed in the account since it was last called.
func (r *Roster) catchUp() {
	r.following.Lock()
	defer r.following.Unlock()
	a, _ := r.cfg.Keeper.Account()
	if a.IsZero() {
		return // node ends this roster
	}
	r.mu.Lock()
	before := r.account
	first := !r.adopted
	newLog := a.Log().Head() != before.Log().Head()
	if !first && !newLog && a.Current() == before.Current() && a.Profile().Equal(before.Profile()) {
		r.mu.Unlock()
		return
	}
	r.adopted = true
	r.account = a
	r.book.contact(r.me).log = a.Log()
	r.logs.keep(a.Log())
	r.book.adopt(r.me, a.Profile())
	r.tellOthersLocked(before, newLog)
	r.tellChangesLocked(before.Profile(), newLog)
	if a.Revoked() {
		r.goLocked(a.Log())
	}
	r.mu.Unlock()
	if newLog || first {
		r.net.showLog(a.Log())
	}
	if newLog {
		r.talks.Show(a.Log().Bytes())
		r.mu.Lock()
		r.ours = namesOf(a.Log())
		r.mu.Unlock()
	}
	if (newLog || first) && a.NeedsRotation() {
		r.spawn(r.rotateInTurn)
	}
	close(r.changed)
	r.changed = make(chan struct{})
	r.rouse()
}

// goLocked ends all links of a device that was revoked. One that has left by
// itself says so first: nobody else knows.
func (r *Roster) goLocked(log *identity.DeviceLog) {
	entries := log.Entries()
	last := entries[len(entries)-1]
	by, _ := last.Author.Peer()
	left := last.Op == identity.OpRevoke && last.Device.ID == r.cfg.Self && by == r.cfg.Self
	for _, l := range r.links {
		if left && l.purpose == buddy.PurposeRoster {
			l.say(func(s *sayings) { s.log, s.leave = true, true })
		} else {
			l.end(errRevoked)
		}
	}
}

// tellOthersLocked has all who are connected told what has changed.
func (r *Roster) tellOthersLocked(before account.Account, newLog bool) {
	was, _ := before.Profile().Presence()
	is, _ := r.account.Profile().Presence()
	renamed := before.Profile().Name() != r.account.Profile().Name()
	generation, _ := before.Log().Generation()
	now, _ := r.account.Log().Generation()
	for _, l := range r.links {
		if l.purpose != buddy.PurposeRoster {
			continue
		}
		l.say(func(s *sayings) {
			s.log = s.log || newLog
			s.status = s.status || renamed
			s.secret = s.secret || was != is && !l.own()
			s.bundle = s.bundle || l.own() && (generation != now || newLog)
			s.delta = true
		})
	}
}

// tellChangesLocked tells watchers which buddies have changed.
func (r *Roster) tellChangesLocked(before account.Profile, newLog bool) {
	is := r.account.Profile()
	if newLog || !slices.EqualFunc(r.account.Log().Devices(), r.account.Log().Devices(), func(a, b identity.Device) bool {
		return a.ID == b.ID && before.DeviceName(a.ID) == is.DeviceName(b.ID)
	}) {
		r.tellLocked(Event{Kind: EventDevices, Account: r.me})
	}
	for _, q := range is.Buddies() {
		old, _ := before.Buddy(q.Account)
		if old.State != q.State || old.Blocked != q.Blocked || old.Petname != q.Petname {
			r.tellLocked(Event{Kind: EventBuddy, Account: q.Account})
		}
	}
}

// rotateInTurn replaces the profile key when a device has left, unless a more
// senior one does.
func (r *Roster) rotateInTurn() {
	a, _ := r.cfg.Keeper.Account()
	turn := slices.IndexFunc(a.Log().Devices(), func(d identity.Device) bool { return d.ID == r.cfg.Self })
	if turn < 0 {
		return
	}
	pause := time.NewTimer(time.Duration(turn) * rotateTurn)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-r.ctx.Done():
		return
	}
	_, err := r.change(func(a account.Account) (account.Account, error) {
		if !a.NeedsRotation() || a.Revoked() || !a.Current() {
			return a, errSame
		}
		return a.Rotate(r.cfg.Act())
	})
	if err != nil {
		r.cfg.Log.Error("the profile key could not be replaced after a device has left", "error", err)
	}
}

// linksOfLocked are those with devices of an account.
func (r *Roster) linksOfLocked(id identity.Principal) (all []*link) {
	for _, l := range r.links {
		if l.account == id {
			all = append(all, l)
		}
	}
	return all
}
