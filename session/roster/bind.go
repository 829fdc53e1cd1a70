package roster

import (
	"context"
	"fmt"
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/account"
)

// syncTime is how long a device with others waits for one of them before it binds
// a presence that may have been replaced.
const syncTime = 3 * time.Second

// bindPresence serves the presence pipe of now, until the end.
func (r *Roster) bindPresence() {
	r.awaitOwn()
	r.serveWhile(func(a account.Account) (key string, listen func(context.Context) (bound, error)) {
		p, ok := a.Profile().Presence()
		if !ok || a.Revoked() || !a.Current() {
			return "", nil
		}
		pipe, err := presencePipe(p)
		if err != nil {
			return "", nil
		}
		return pipe.ID().String(), func(ctx context.Context) (bound, error) {
			return r.net.bindPresence(ctx, p, func(c conn) { r.serving(c, r.servePresence) })
		}
	})
}

// bindContact serves the contact pipe while the profile says so.
func (r *Roster) bindContact() {
	r.serveWhile(func(a account.Account) (key string, listen func(context.Context) (bound, error)) {
		how := a.Profile().Contact()
		if how == account.ContactOff || a.Revoked() {
			return "", nil
		}
		return fmt.Sprint(how), func(ctx context.Context) (bound, error) {
			return r.net.bindContact(ctx, func(c conn) { r.serving(c, r.serveAsk) })
		}
	})
}

// serving runs what serves a link, unless the roster has ended.
func (r *Roster) serving(c conn, serve func(conn)) {
	done := make(chan struct{})
	if !r.spawn(func() { defer close(done); serve(c) }) {
		c.ResetWith(wire.Closed, "")
		return
	}
	<-done
}

// serveWhile serves what want names by a key, as long as it names that one, and
// the next when it changes. What is lost is bound again, later each time.
func (r *Roster) serveWhile(want func(account.Account) (string, func(context.Context) (bound, error))) {
	failed := 0
	for r.ctx.Err() == nil {
		a, changed := r.acted()
		key, listen := want(a)
		if listen == nil {
			select {
			case <-changed:
			case <-r.ctx.Done():
			}
			continue
		}
		if err := r.serveOne(key, listen, want); err != nil && r.ctx.Err() == nil {
			failed++
			r.cfg.Log.Warn("a pipe of the account is not served", "retry", backoff(failed), "error", err)
			r.restUntil(changed, backoff(failed))
			continue
		}
		failed = 0
	}
}

// serveOne serves a pipe until it is lost, which is an error, or not wanted.
func (r *Roster) serveOne(key string, listen func(context.Context) (bound, error), want func(account.Account) (string, func(context.Context) (bound, error))) error {
	l, err := listen(r.ctx)
	if err != nil {
		return err
	}
	lost := make(chan error, 1)
	go func() { // ends with the listener, which is closed below
		_, err := l.Accept()
		lost <- err
	}()
	for {
		a, changed := r.acted()
		if now, _ := want(a); now != key {
			break
		}
		select {
		case err := <-lost:
			_ = l.Close() // it is over already
			return err
		case <-changed:
			continue
		case <-r.ctx.Done():
		}
		break
	}
	withdraw := func() {
		_ = l.Close() // withdraws what it can
		<-lost
	}
	if !r.spawn(withdraw) { // beside the next, which is bound meanwhile
		withdraw()
	}
	return nil
}

// awaitOwn waits for a device of this account that is there to have told what it
// has, for a moment: the presence may have been replaced while this one was away.
func (r *Roster) awaitOwn() {
	a, _ := r.acted()
	if len(a.Log().Devices()) > 1 {
		r.restUntil(r.agreed, syncTime)
	}
}

// acted is the account as it has been acted upon, and a channel that is closed
// when there is another.
func (r *Roster) acted() (account.Account, <-chan struct{}) {
	r.following.Lock()
	defer r.following.Unlock()
	a, _ := r.cfg.Keeper.Account()
	return a, r.changed
}

func (r *Roster) restUntil(wake <-chan struct{}, most time.Duration) {
	pause := time.NewTimer(most)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-wake:
	case <-r.ctx.Done():
	}
}
