//go:build figures

package integration

import (
	"crypto/rand"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/integration/world"
	"github.com/panpipe-net/panpipe/protocols/buddy"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/session/account"
	"github.com/panpipe-net/panpipe/session/roster"
)

// bindPresence has a node serve the presence pipe of an account that is not its
// own: there are more accounts in this world than nodes. It returns the secret.
func bindPresence(t *testing.T, n *world.Node, p account.Presence, bound bool) []byte {
	t.Helper()
	key, err := p.Key()
	if err != nil {
		t.Fatal(err)
	}
	owner, err := peer.IDFromPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	a := buddy.PresencePipe(identity.PeerPrincipal(owner), p.Salt)
	if !bound {
		return a.Bytes()
	}
	right, err := identity.Capability{
		Issuer: a.Owner, Subject: n.Principal(), Object: a.ID().Bytes(), Right: identity.RightBind,
		Expiry: time.Now().Add(24 * time.Hour), Nonce: identity.NewNonce(),
	}.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	_, err = n.Pipes().Listen(t.Context(), a.ID(), pipe.ListenOptions{
		Advertisement: &a, Capability: right, Handler: func(*pipe.Incoming) {},
	})
	if err != nil {
		t.Errorf("node %d: %v", n.Index, err)
	}
	return a.Bytes()
}

// TestFigureOfAThousandBuddies: half of them are there. Their state is known
// within 10 s of a start, with never more than 150 connections.
func TestFigureOfAThousandBuddies(t *testing.T) {
	const buddies = 1000
	world.Run(t, world.Config{Nodes: 250}, func(t *testing.T, w *world.World) {
		w.Settle(t)
		changes := []account.Change{account.SetName("alice")}
		var binding sync.WaitGroup
		places := make(chan struct{}, 50)
		for i := range buddies {
			root, _, err := crypto.GenerateEd25519Key(rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			id, err := identity.AccountPrincipal(root.GetPublic())
			if err != nil {
				t.Fatal(err)
			}
			p, err := account.NewPresence(rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			n := w.Nodes[1+i%(len(w.Nodes)-1)]
			secret := bindPresence(t, n, p, false)
			changes = append(changes, account.Add(id, account.Accepted), account.SetSecret(id, secret))
			if i%2 == 0 {
				binding.Go(func() {
					places <- struct{}{}
					bindPresence(t, n, p, true)
					<-places
				})
			}
		}
		binding.Wait()
		w.Pass(time.Minute)
		alice := w.Add(t)
		w.Settle(t)
		root, _, err := crypto.GenerateEd25519Key(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		box, err := account.NewBox()
		if err != nil {
			t.Fatal(err)
		}
		act := account.Act{Key: alice.Host().Peerstore().PrivKey(alice.ID()), At: time.Now(), Random: rand.Reader}
		a, err := account.New(root, act, box, changes...)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := alice.KeepAccount(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		r, err := alice.Roster()
		if err != nil {
			t.Fatal(err)
		}
		most, known, there := 0, 0, 0
		for known < buddies && time.Since(began) < time.Minute {
			w.Pass(100 * time.Millisecond)
			most = max(most, len(alice.Host().Network().Conns()))
			known, there = 0, 0
			for _, b := range r.Buddies() {
				if b.Known {
					known++
				}
				if b.Presence != roster.Offline {
					there++
				}
			}
		}
		fmt.Printf("1,000 buddies of 250 nodes: %d known and %d announced after %v, at most %d connections\n", known, there, time.Since(began), most)
		if took := time.Since(began); known < buddies || there != buddies/2 || took > 10*time.Second || most > 150 {
			t.Errorf("%d known, %d there after %v, with %d connections", known, there, took, most)
		}
	})
}
