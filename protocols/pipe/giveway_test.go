package pipe

import (
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe/pb"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// forgetRevocations makes a node one that has not heard of any of a pipe.
func (n *node) forgetRevocations(id ID) {
	n.revoked.mu.Lock()
	defer n.revoked.mu.Unlock()
	n.revoked.byID[id].all = nil
}

func TestAStandingBinderAsksBeforeItGivesWayToWhomItDoesNotKnowToBeRevoked(t *testing.T) {
	type scene struct {
		*sim
		liar, binder *node
		l            *Listener
		shown        Record
	}
	for _, c := range []struct {
		name string
		show func(s scene)
	}{
		{"at a renewal", func(s scene) {
			s.liar.answerStores(&pb.StoreResult{Code: uint32(wire.Taken), Standing: s.shown.Envelope})
			s.l.renewNow()
		}},
		{"by a store", func(s scene) {
			_, _ = s.liar.store(within(s.t), s.binder.info(), s.l.Pipe().Key(), []Record{s.shown}) // refused or not
		}},
		{"in an answer", func(s scene) {
			s.binder.learn(time.Now(), Found{Binding: *s.shown.Binding, Envelope: s.shown.Envelope, Origin: OriginHeld, received: time.Now()})
		}},
	} {
		for _, known := range []bool{true, false} { // to the holders
			virtual(t, 6, func(t *testing.T, w *sim) {
				owner, revoked := w.nodes[0], w.nodes[1]
				binder := w.add(func(c *Config) { c.Router = inTurn{c.Router.(*mesh), revoked.id()} })
				w.meet()
				id := owner.create(t, CreateOptions{})
				low := owner.letBind(t, id, binder, 3)
				high := owner.letBind(t, id, revoked, 5)
				l := binder.listen(t, id, ListenOptions{Capability: low})
				b := l.Status().Binding
				b.Binder, b.Term, b.Capability = revoked.principal(), 5, high
				envelope, err := b.Sign(revoked.key)
				must(t, err)
				b = openedBinding(t, envelope)
				if known {
					must(t, owner.Revoke(within(t), identity.FormatCapability(high)))
					pass(time.Second)
					binder.forgetRevocations(id)
				}
				c.show(scene{w, revoked, binder, l, Record{Binding: &b, Envelope: envelope}})
				pass(revokedTime + time.Second)
				if isClosed(l.over) == known {
					t.Errorf("%s, revoked %v: the listener ended %v, %v", c.name, known, isClosed(l.over), l.failure())
				}
			})
		}
	}
}
