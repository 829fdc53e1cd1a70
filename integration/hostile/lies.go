package hostile

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/pipe/pb"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// answer is a lie of the right form.
func (l *liar) answer(how Kind, req *pb.Request) *pb.Answer {
	a := &pb.Answer{Nonce: req.GetQuery().GetNonce(), ClockMs: uint64(time.Now().UnixMilli())}
	for range req.GetStore().GetRecords() {
		a.Results = append(a.Results, &pb.StoreResult{})
	}
	key := req.GetQuery().GetKey()
	if req.GetStore() != nil {
		key = req.GetStore().GetKey()
	}
	switch how {
	case Forges:
		a.Found = true
		for _, envelope := range l.forgeries(key) {
			a.Records = append(a.Records, &pb.HeldRecord{Envelope: envelope, Origin: pb.Origin_ORIGIN_HELD})
			a.Revocations = append(a.Revocations, envelope)
		}
		a.Advertisement = garbage(200)
	case Mismatches:
		a.Nonce = garbage(pipe.NonceSize)
		a.Results = append(a.Results, &pb.StoreResult{})
	case Misleads:
		a.Closer = ghosts(key, pipe.MaxCloser)
	case Misplaces:
		a.Closer = l.misplaced()
	case Crowds:
		a.Closer = l.crowd(3000)
	}
	return a
}

// forgeries are records that nobody signed, and one that is signed but of
// another pipe.
func (l *liar) forgeries(key []byte) [][]byte {
	foreign := signed(l.key(), pipe.Advertisement{
		Type: pipe.TypeUnicast, Name: "forged", Owner: identity.PeerPrincipal(l.host.ID()), Binders: pipe.Exclusive,
		DialPolicy: pipe.DialOpen, Reliable: true,
	})
	all := [][]byte{foreign, garbage(300), truncated(foreign), nil}
	if heard := l.binding(key); heard != nil {
		all = append(all, flipped(heard), truncated(heard), append(bytes.Clone(heard), 0))
	}
	return all
}

// signed is a good record of a pipe of the key's owner.
func signed(key crypto.PrivKey, adv pipe.Advertisement) []byte {
	b := pipe.Binding{
		Pipe: adv.ID(), Advertisement: adv, Binder: adv.Owner, Seq: uint64(time.Now().UnixMilli()), Term: 1,
		Issued: time.Now(), Life: time.Hour, Endpoints: []ma.Multiaddr{ma.StringCast("/ip4/12.250.0.1/udp/4001/quic-v1")},
	}
	envelope, err := b.Sign(key)
	if err != nil {
		return nil
	}
	return envelope
}

// flipped has one bit of the signature wrong.
func flipped(envelope []byte) []byte {
	out := bytes.Clone(envelope)
	if len(out) > 0 {
		out[len(out)-1] ^= 1
	}
	return out
}

// truncated lacks the second half.
func truncated(envelope []byte) []byte { return bytes.Clone(envelope[:len(envelope)/2]) }

// garbage is random.
func garbage(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

// nearness is how many leading bits a ghost has in common with the key it
// haunts: more than any node of a world of honest size.
const nearness = 10

// ghosts are nodes that do not exist, near to a key, at addresses where nobody
// is.
func ghosts(key []byte, n int) []*pb.Peer {
	var out []*pb.Peer
	for range n {
		id := ghost()
		for len(key) == len(wire.Key{}) && !near(wire.Key(key), id, nearness) {
			id = ghost()
		}
		out = append(out, &pb.Peer{Id: id, Addrs: [][]byte{nowhere()}})
	}
	return out
}

// near reports that the place of id has so many leading bits in common with key.
func near(key wire.Key, id []byte, bits int) bool {
	d := key.Distance(id)
	return binary.BigEndian.Uint32(d[:])>>(32-bits) == 0
}

// ghost is a peer ID whose private key nobody has: that of 32 random bytes, as
// an Ed25519 key has them.
func ghost() []byte {
	return append([]byte{0x00, 0x24, 0x08, 0x01, 0x12, 0x20}, garbage(32)...)
}

// nowhere is a public address of no node of a world.
func nowhere() []byte {
	b := garbage(2)
	ip := netip.AddrFrom4([4]byte{203, b[0], b[1], 9})
	return ma.StringCast(fmt.Sprintf("/ip4/%s/udp/4001/quic-v1", ip)).Bytes()
}

// misplaced are the nodes that the liar knows, at addresses where they are not.
func (l *liar) misplaced() []*pb.Peer {
	var out []*pb.Peer
	for _, p := range l.host.Network().Peers() {
		out = append(out, &pb.Peer{Id: []byte(p), Addrs: [][]byte{nowhere()}})
	}
	return out
}

// crowd is a list of n that holds the liar itself, the same node many times,
// IDs and addresses that are none, addresses without end, and ghosts.
func (l *liar) crowd(n int) []*pb.Peer {
	self := &pb.Peer{Id: []byte(l.host.ID()), Addrs: [][]byte{nowhere()}}
	long := bytes.Repeat([]byte{0x04, 1, 2, 3, 4}, 100) // 1.2.3.4 a hundred times
	odd := []*pb.Peer{
		self, self, {}, {Id: garbage(500)}, {Id: ghost()}, {Id: ghost(), Addrs: [][]byte{nil, garbage(9), long}},
		{Id: ghost(), Addrs: slices.Repeat([][]byte{nowhere()}, 50)},
		{Id: ghost(), Addrs: [][]byte{ma.StringCast("/ip4/0.0.0.0/udp/1/quic-v1").Bytes(), ma.StringCast("/ip4/224.0.0.1/udp/1/quic-v1").Bytes()}},
	}
	for len(odd) < n {
		odd = append(odd, &pb.Peer{Id: ghost(), Addrs: [][]byte{nowhere()}})
	}
	return odd
}
