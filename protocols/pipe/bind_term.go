package pipe

import (
	"context"
	"slices"
	"time"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// firstTerm is the capability's, or what the owner asks for, or the highest
// that this node has bound itself, or one above the highest of another binder.
func (l *Listener) firstTerm(ctx context.Context, asked uint64) (uint64, error) {
	switch {
	case l.advertisement.Binders != Exclusive:
		return l.grant.Term, nil
	case l.capability != nil:
		return l.grant.Term, nil
	case asked > 0:
		return asked, nil
	}
	st, err := l.s.cfg.Store.State(ctx, l.pipe)
	if err != nil {
		return 0, err
	}
	term := st.Term
	var others []Binding
	if st.Successor != nil {
		term++
		if by, err := l.s.openBinding(st.Successor); err == nil {
			others = append(others, by)
		}
	} else if term, err = l.belowGrant(ctx, term); err != nil {
		return 0, err
	}
	k := l.s.cache.records(l.pipe)
	for _, f := range k.records {
		if f.Binding.Binder != l.s.cfg.principal() {
			others = append(others, f.Binding)
		}
	}
	term = min(max(term, k.highestTerm(), 1), MaxNumber)
	for _, other := range others {
		next, err := l.above(other)
		if err != nil {
			return 0, err
		}
		term = max(term, next)
	}
	return term, nil
}

// above is the term under which another's binding is replaced. Under the highest
// there is nobody is replaced, but whoever was bound under it may be followed.
func (l *Listener) above(other Binding) (uint64, error) {
	if other.Term < MaxNumber {
		return other.Term + 1, nil
	}
	if other.LiveAt(time.Now()) && !l.s.voids(other) {
		return 0, l.noHigherTerm(other)
	}
	return MaxNumber, nil
}

// belowGrant takes one off a term that this node has granted and that nobody is
// known to have used: an owner that starts again must not be in the way of whom
// it has let bind the pipe. If that term was used, the holders show it.
func (l *Listener) belowGrant(ctx context.Context, term uint64) (uint64, error) {
	grants, err := l.s.cfg.Store.Grants(ctx, l.pipe)
	now := time.Now()
	granted := func(g GrantRecord) bool {
		return g.Right == identity.RightBind && g.Term == term && now.Before(g.Expiry) &&
			!l.s.revoked.revokes(l.pipe, identity.Capability{Nonce: g.Nonce, Expiry: g.Expiry})
	}
	if err == nil && term > 1 && slices.ContainsFunc(grants, granted) {
		term--
	}
	return term, err
}

func (l *Listener) taken(by Binding) error {
	own := l.Status().Binding.Term
	err := wire.Errorf(wire.Taken, "term %d of pipe %s, above this node's %d, was used by %s, whether it serves now or not", by.Term, l.pipe, own, by.Binder)
	if l.capability != nil {
		return err.WithNext("ask the owner for a new grant: panpipe pipe grant %s --bind --to %s", l.pipe, l.s.cfg.principal())
	}
	return err.WithNext("bind under a higher term, or leave the term open")
}

// noHigherTerm says that a binder has the highest term there is.
func (l *Listener) noHigherTerm(by Binding) error {
	err := wire.Errorf(wire.Taken, "pipe %s is served by %s under the highest term there is, %d", l.pipe, by.Binder, by.Term)
	if grant, ok := by.Grant(); ok {
		return err.WithNext("revoke its capability: panpipe pipe revoke %s", grant.Nonce)
	}
	return err.WithNext("make a new pipe")
}
