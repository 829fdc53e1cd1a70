package hostile

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/pipe/pb"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// groundKey makes keys until one has its node near to a place.
func groundKey(t *testing.T, place wire.Key) crypto.PrivKey {
	t.Helper()
	for {
		key, pub, err := crypto.GenerateEd25519Key(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		id, err := peer.IDFromPublicKey(pub)
		if err != nil {
			t.Fatal(err)
		}
		if near(place, []byte(id), 8) {
			return key
		}
	}
}

// swallow takes everything to hold, and has found nothing.
func swallow(req *pb.Request) *pb.Answer {
	a := &pb.Answer{Nonce: req.GetQuery().GetNonce()}
	for range req.GetStore().GetRecords() {
		a.Results = append(a.Results, &pb.StoreResult{})
	}
	return a
}

// TestGroundNodesOfOneNetworkHideNoPipe: 25 servers, nearer to the key of a
// pipe than every honest node, say that they hold it, and deny it.
func TestGroundNodesOfOneNetworkHideNoPipe(t *testing.T) {
	attack(t, 10, func(t *testing.T, a *arena) {
		p, err := a.victim.CreatePipe(t.Context(), "hidden", pipe.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 25 {
			ground := a.peerWith(t, groundKey(t, p.ID.Key()), "12.252.7.1", 5000+i)
			ground.pose(swallow)
			for _, n := range a.Nodes {
				ground.meet(t, n)
			}
		}
		a.Pass(30 * time.Second)
		l, err := a.victim.Pipes().Listen(t.Context(), p.ID, pipe.ListenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		a.answer(l, "hidden")
		a.Pass(10 * time.Second)
		a.wantAnswer(t, p.ID, "hidden")
	})
}
