package pipe

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// addIn starts nodes that the binder sees in one network, an own one each if
// the name is empty, and returns them.
func (w *sim) addIn(networks *sync.Map, count int, network string) []*node {
	var out []*node
	for i := range count {
		n := w.add()
		if networks.Store(n.id(), network); network == "" {
			networks.Store(n.id(), fmt.Sprintf("network %d of %s", i, n.id()))
		}
		out = append(out, n)
	}
	return out
}

// addSeeing starts a node that sees the others in these networks.
func (w *sim) addSeeing(networks *sync.Map) *node {
	return w.add(func(c *Config) {
		c.Router.(*mesh).network = func(id peer.ID) string {
			network, _ := networks.Load(id)
			name, _ := network.(string)
			return name
		}
	})
}

func TestABindIsNotDoneByACrowdOfOneNetworkWhileOthersMayTakeIt(t *testing.T) {
	for _, c := range []struct {
		name    string
		network string // of all but the crowd; empty: an own one each
		waits   bool
	}{
		{"others elsewhere", "", true},
		{"all in one network", "5.6.7.0/24", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			virtual(t, 0, func(t *testing.T, w *sim) {
				networks := new(sync.Map) // by peer ID
				binder := w.addSeeing(networks)
				w.addIn(networks, 6, "5.6.7.0/24")
				others := w.addIn(networks, 3, c.network)
				w.meet()
				for _, n := range others {
					w.mute(n)
				}
				began := time.Now()
				l := binder.bindOne(t)
				if took := time.Since(began); took > 15*time.Second || took > 2*time.Second != c.waits {
					t.Errorf("bound after %s with %d holders", took, l.Status().Holders)
				}
			})
		})
	}
}

func TestARecordIsStoredEarlyWhenACrowdOfOneNetworkIsLeftWithIt(t *testing.T) {
	virtual(t, 0, func(t *testing.T, w *sim) {
		networks := new(sync.Map) // by peer ID
		binder := w.addSeeing(networks)
		w.addIn(networks, 6, "5.6.7.0/24")
		others := w.addIn(networks, 5, "")
		w.meet()
		l := binder.bindOne(t)
		pass(5 * time.Minute)
		if _, _, times := binder.tally.renewed(EventRenew); times != 0 {
			t.Fatal("stored early though all holders are there")
		}
		for _, n := range slices.Clone(others) {
			n.stop()
		}
		w.addIn(networks, 5, "")
		w.meet()
		pass(2 * time.Minute)
		if _, _, times := binder.tally.renewed(EventRenew); times != 1 || l.Status().Holders != 12 {
			t.Errorf("stored %d times, %d holders", times, l.Status().Holders)
		}
	})
}
