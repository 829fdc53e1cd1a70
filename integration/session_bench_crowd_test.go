//go:build figures

package integration

import (
	"crypto/rand"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/integration/figures"
	"github.com/panpipe-net/panpipe/integration/world"
	"github.com/panpipe-net/panpipe/node"
	"github.com/panpipe-net/panpipe/protocols/buddy"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/session/account"
)

const (
	manyBuddies = 1000
	homes       = 250 // nodes that serve their presence pipes
	awayEach    = 5   // every so-manieth buddy is offline
)

// absent is a buddy of which no more than the presence pipe is there.
type absent struct {
	id      identity.Principal
	pipe    pipe.Advertisement
	key     crypto.PrivKey // of the pipe's owner
	offline bool
}

func newAbsent(t *testing.T, i int) absent {
	t.Helper()
	owner := func() (crypto.PrivKey, peer.ID) {
		key, _, err := crypto.GenerateEd25519Key(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		id, err := peer.IDFromPrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return key, id
	}
	root, _ := owner()
	id, err := identity.AccountPrincipal(root.GetPublic())
	if err != nil {
		t.Fatal(err)
	}
	key, presence := owner()
	var salt [16]byte
	rand.Read(salt[:])
	return absent{id: id, key: key, pipe: buddy.PresencePipe(identity.PeerPrincipal(presence), salt), offline: i%awayEach == 0}
}

// serve binds the presence pipe at a node. Whoever dials it is refused.
func (a absent) serve(t *testing.T, n *world.Node) {
	t.Helper()
	right, err := identity.Capability{
		Issuer: a.pipe.Owner, Subject: n.Principal(), Object: a.pipe.ID().Bytes(), Right: identity.RightBind,
		Expiry: time.Now().Add(24 * time.Hour).Truncate(time.Millisecond), Nonce: identity.NewNonce(),
	}.Sign(a.key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Pipes().Listen(t.Context(), a.pipe.ID(), pipe.ListenOptions{Advertisement: &a.pipe, Capability: right, Handler: func(i *pipe.Incoming) {}}); err != nil {
		t.Fatal(err)
	}
}

// measureBuddies measures how long a start takes until the state of a thousand
// buddies is known, and how many connections that needs.
func measureBuddies(t *testing.T, report *figures.Report) {
	dir := t.TempDir()
	withState := func(i int, c *node.Config) {
		if i == homes {
			c.StateDir = dir
		}
	}
	world.Run(t, world.Config{Nodes: homes + 1, MaxConnections: 100, Node: withState}, func(t *testing.T, w *world.World) {
		w.Settle(t)
		all := make([]absent, manyBuddies)
		changes := make([]account.Change, 0, 2*manyBuddies)
		var binding sync.WaitGroup
		for i := range all {
			all[i] = newAbsent(t, i)
			changes = append(changes, account.Add(all[i].id, account.Accepted), account.SetSecret(all[i].id, all[i].pipe.Bytes()))
			if !all[i].offline {
				binding.Go(func() { all[i].serve(t, w.Nodes[i%homes]) })
			}
			if i%50 == 49 {
				binding.Wait()
			}
		}
		me := newPerson(t, w.Nodes[homes], "alice")
		if _, err := me.EditAccount(t.Context(), changes...); err != nil {
			t.Fatal(err)
		}
		w.Pass(time.Minute)
		w.Stop(t, me.Node)
		w.Pass(time.Minute)
		began := time.Now()
		w.Restart(t, me.Node)
		took, peak, right := me.knowAll(t, w, began, all)
		report.Add("session_1000_buddies_known", took.Seconds(), "s", "<=10")
		report.Add("session_1000_buddies_right", float64(right), "buddies", ">=1000")
		report.Add("session_1000_buddies_connections_peak", float64(peak), "connections", "<=150")
	})
}

// knowAll waits until the state of all is known, at most a minute.
func (p *person) knowAll(t *testing.T, w *world.World, began time.Time, all []absent) (took time.Duration, peak, right int) {
	t.Helper()
	for took = 0; took < time.Minute; took = time.Since(began) {
		time.Sleep(100 * time.Millisecond)
		peak = max(peak, len(p.Host().Network().Conns()))
		known := 0
		for _, b := range p.roster().Buddies() {
			if b.Known {
				known++
			}
		}
		if known == len(all) {
			break
		}
	}
	for _, a := range all {
		if b, ok := p.roster().Buddy(a.id); ok && b.Known && (b.Presence.String() == "offline") == a.offline {
			right++
		}
	}
	return time.Since(began), peak, right
}
