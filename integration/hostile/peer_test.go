package hostile

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
	"google.golang.org/protobuf/proto"

	"github.com/panpipe-net/panpipe/discovery"
	"github.com/panpipe-net/panpipe/integration/world"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/pipe/pb"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

const overlay = pipe.DefaultOverlay

// hand is a peer that is no node: it speaks the wire by hand.
type hand struct {
	host host.Host
	key  crypto.PrivKey
	addr ma.Multiaddr
}

// stranger makes a peer in a network of its own.
func (a *arena) stranger(t *testing.T) *hand {
	t.Helper()
	return a.peerAt(t, fmt.Sprintf("12.251.%d.1", len(a.hands)), 4001)
}

// peerAt makes a peer at an address.
func (a *arena) peerAt(t *testing.T, ip string, port int) *hand {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return a.peerWith(t, key, ip, port)
}

// peerWith makes a peer with a key.
func (a *arena) peerWith(t *testing.T, key crypto.PrivKey, ip string, port int) *hand {
	t.Helper()
	p := &hand{key: key, addr: ma.StringCast(fmt.Sprintf("/ip4/%s/udp/%d/quic-v1", ip, port))}
	opts := append(a.Net.Options(), libp2p.Identity(key), libp2p.ListenAddrs(p.addr), libp2p.DisableRelay(),
		libp2p.DisableMetrics(), libp2p.ResourceManager(&network.NullResourceManager{}))
	h, err := libp2p.New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	p.host = h
	a.hands = append(a.hands, p)
	return p
}

func (p *hand) close() { _ = p.host.Close() }

func (p *hand) principal() identity.Principal { return identity.PeerPrincipal(p.host.ID()) }

// pose makes the peer look like a server of the overlay, whom walks ask: it
// answers requests as tell says.
func (p *hand) pose(tell func(req *pb.Request) *pb.Answer) {
	p.host.SetStreamHandler(discovery.KadProtocol(overlay), func(st network.Stream) { _ = st.Reset() })
	p.host.SetStreamHandler(pipe.BindingProtocol(overlay), func(st network.Stream) {
		defer func() { _ = st.Close() }()
		var req pb.Request
		if wire.ReadMessage(st, &req, pipe.MaxRequest) == nil {
			_ = wire.WriteMessage(st, tell(&req), noCap)
		}
	})
}

// meet connects to a node.
func (p *hand) meet(t *testing.T, n *world.Node) {
	t.Helper()
	if err := p.host.Connect(t.Context(), peer.AddrInfo{ID: n.ID(), Addrs: n.Addrs()}); err != nil {
		t.Fatal(err)
	}
}

// stream opens a stream to a node.
func (p *hand) stream(t *testing.T, n *world.Node, id protocol.ID) network.Stream {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	p.host.Peerstore().AddAddrs(n.ID(), n.Addrs(), time.Hour)
	st, err := p.host.NewStream(ctx, n.ID(), id)
	if err != nil {
		t.Fatal(err)
	}
	_ = st.SetDeadline(time.Now().Add(time.Minute))
	return st
}

// say sends bytes as a request and reads the answer, nil if there is none.
func (p *hand) say(t *testing.T, n *world.Node, b []byte) *pb.Answer {
	t.Helper()
	st := p.stream(t, n, pipe.BindingProtocol(overlay))
	defer func() { _ = st.Reset() }()
	_, _ = st.Write(b)
	_ = st.CloseWrite()
	a := new(pb.Answer)
	if wire.ReadMessage(st, a, pipe.MaxAnswer) != nil {
		return nil
	}
	return a
}

// request puts a request to a node, and reads the answer, nil if there is none.
func (p *hand) request(t *testing.T, n *world.Node, req *pb.Request) *pb.Answer {
	t.Helper()
	return p.say(t, n, framed(req))
}

// framed is a message as it is sent, whatever its size.
func framed(m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		panic(err)
	}
	return append(uvarint(uint64(len(b))), b...)
}

func uvarint(n uint64) (b []byte) {
	for ; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

// store brings records, and returns what became of each.
func (p *hand) store(t *testing.T, n *world.Node, envelopes ...[]byte) []wire.Code {
	t.Helper()
	s := &pb.Store{}
	for _, e := range envelopes {
		s.Records = append(s.Records, &pb.Record{Record: &pb.Record_Binding{Binding: e}})
	}
	a := p.request(t, n, &pb.Request{Op: &pb.Request_Store{Store: s}})
	if a == nil {
		t.Fatal("a store is not answered")
	}
	if a.Code != 0 {
		return []wire.Code{wire.Code(a.Code)}
	}
	var codes []wire.Code
	for _, r := range a.Results {
		codes = append(codes, wire.Code(r.Code))
	}
	return codes
}

// query asks for a pipe with a good proof.
func (p *hand) query(id pipe.ID, n *world.Node) *pb.Request {
	nonce, key := garbage(pipe.NonceSize), id.Key()
	return &pb.Request{Op: &pb.Request_Query{Query: &pb.Query{
		Nonce: nonce, Key: key[:], Proof: pipe.QueryProof(id, nonce, p.host.ID(), n.ID()),
	}}}
}

// advertisement is of a pipe that the peer owns; salt tells such pipes apart.
func (p *hand) advertisement(salt ...byte) pipe.Advertisement {
	adv := pipe.Advertisement{
		Type: pipe.TypeUnicast, Owner: p.principal(), Binders: pipe.Exclusive, DialPolicy: pipe.DialOpen, Reliable: true,
	}
	copy(adv.Salt[:], salt)
	return adv
}

// binding is a good record by the peer, but for change.
func (p *hand) binding(adv pipe.Advertisement, change func(*pipe.Binding)) []byte {
	b := pipe.Binding{
		Pipe: adv.ID(), Advertisement: adv, Binder: p.principal(), Seq: 1, Term: 1,
		Issued: time.Now(), Life: 30 * time.Minute, Endpoints: []ma.Multiaddr{p.addr},
	}
	change(&b)
	return seal(p.key, identity.DomainBinding, b.Bytes())
}

// seal signs whatever it is given.
func seal(key crypto.PrivKey, d identity.Domain, body []byte) []byte {
	envelope, err := identity.Sign(key, d, body)
	if err != nil {
		panic(err)
	}
	return envelope
}

// asItIs changes nothing.
func asItIs(*pipe.Binding) {}
