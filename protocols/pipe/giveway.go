package pipe

import (
	"context"
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// revokedTime is how long a binder goes on asking, at most, whether what is in
// its way is revoked.
const revokedTime = 2 * time.Second

// beatenBy reports whether a verified binding of another takes the pipe from
// this listener.
func (l *Listener) beatenBy(b Binding, now time.Time) bool {
	own, ok := l.found()
	if !ok || b.Pipe != l.pipe || b.Binder == own.Binding.Binder || l.advertisement.Binders != Exclusive ||
		b.Issued.Sub(now) > Skew || l.s.voids(b) {
		return false
	}
	if b.Term != own.Binding.Term {
		return b.Term > own.Binding.Term
	}
	return b.LiveAt(now) && b.Beats(own.Binding)
}

// lose stores who has the pipe now, then stops to serve.
func (l *Listener) lose(ctx context.Context, successor Binding, envelope []byte) error {
	l.losing.Store(true)
	err := l.s.updateState(ctx, l.pipe, func(st *BindState) error {
		st.Successor = envelope
		st.Term = max(st.Term, successor.Term)
		return nil
	})
	if err != nil {
		l.losing.Store(false)
		return err
	}
	l.s.learn(time.Now(), unseen(Found{
		Binding: successor, Envelope: envelope, From: l.s.cfg.Self, Origin: OriginCached, received: time.Now(),
	}))
	why := wire.Errorf(wire.Replaced, "pipe %s is served by %s now, under term %d", l.pipe, successor.Binder, successor.Term).
		WithNext("to take it back, its owner grants or binds anew")
	if l.end(why) {
		close(l.replaced)
		l.s.trace(EventReplaced, why, 0)
		l.s.cfg.Log.Info("pipe moved to another binder", "pipe", l.pipe, "binder", successor.Binder)
	}
	return nil
}

// loseOrEnd is lose, and stops to serve even if the store fails.
func (l *Listener) loseOrEnd(ctx context.Context, successor Binding, envelope []byte) {
	if err := l.lose(ctx, successor, envelope); err != nil {
		l.end(err)
	}
}

// giveWay ends the listener for a binding that takes the pipe from it, unless
// the holders tell that its capability is revoked: who shows it may not have
// heard of that yet. It reports whether the listener has ended.
func (l *Listener) giveWay(ctx context.Context, successor Binding, envelope []byte) bool {
	if !l.weighing.CompareAndSwap(false, true) {
		return isClosed(l.over) // what the other finds out ends it, or not
	}
	defer l.weighing.Store(false)
	l.askRevoked(ctx, successor)
	found := append([]Found{{Binding: successor, Envelope: envelope}}, l.s.cache.records(l.pipe).records...)
	for _, f := range found {
		if l.beatenBy(f.Binding, time.Now()) {
			l.loseOrEnd(ctx, f.Binding, f.Envelope)
			return true
		}
	}
	return isClosed(l.over)
}

// askRevoked asks the nodes near the pipe's key for revocations, as far as a
// binding may rest on a revoked capability, or on a device that was revoked. An
// owner knows what it has revoked, but an account has several devices.
func (l *Listener) askRevoked(ctx context.Context, b Binding) {
	_, granted := b.Grant()
	if doubtful := b.log != nil || granted && l.capability != nil; !doubtful || l.s.voids(b) {
		return
	}
	x := l.s.start(ctx, l.pipe, wants(l.pipe, "", nil), plan{here: true, walk: true, patient: true})
	defer x.stop()
	enough := time.NewTimer(revokedTime)
	defer enough.Stop()
	select {
	case <-x.done:
	case <-enough.C:
	case <-l.over:
	case <-ctx.Done():
	}
}
