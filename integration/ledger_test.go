package integration

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/integration/world"
	"github.com/panpipe-net/panpipe/node"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/pipe/pb"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// TestPipesLedger shows each element of what a pipe is, literally, one a
// subtest. What concerns transports runs on real sockets.
func TestPipesLedger(t *testing.T) {
	t.Run("SeveralTransportsPerNode", severalTransports)
	t.Run("QueryNamesThePipeInTheBindingProtocolsFormat", queryNamesThePipe)
	t.Run("ThePipeHasASpecifiedTransport", specifiedTransport)
	t.Run("TheAnswerGivesTheUniqueEndpointOfABoundPeerOnThatTransport", uniqueEndpoint)
	t.Run("AnAdvertisementWithType", advertisementWithType)
	t.Run("CreateDiscoverBindCommunicate", createDiscoverBindCommunicate)
	t.Run("EndsMove", endsMove)
	t.Run("PointToPoint", pointToPoint)
	t.Run("Bidirectional", bidirectional)
	t.Run("NoDirectLinkIsNeededToResolve", noDirectLink)
	t.Run("NoDirectLinkIsNeededToCommunicate", noDirectLinkToCommunicate)
	t.Run("AQueryToParticularPeers", particularPeers)
	t.Run("CacheRefusal", cacheRefusal)
}

// three are the transports of the nodes on loopback.
var three = []reach.Transport{"tcp", "quic-v1", "ws"}

func severalTransports(t *testing.T) {
	nodes := startNodes(t, 3)
	binder, dialer := nodes[1], nodes[2]
	id, _ := bind(t, binder, "binder", pipe.CreateOptions{})
	for _, transport := range three {
		if len(on(transport, binder.Addrs())) == 0 {
			t.Errorf("the node is not on %s: %v", transport, binder.Addrs())
		}
		c, err := dialer.Pipes().Dial(t.Context(), id, pipe.DialOptions{Transport: transport})
		if err != nil {
			t.Fatalf("dial on %s: %v", transport, err)
		}
		if got := exchange(t, c); got != "binder" || c.Transport() != transport {
			t.Errorf("asked for %s: answered by %q on %s", transport, got, c.Transport())
		}
		_ = c.Close()
	}
}

// query puts a query, made from the specification alone, to a node, over a
// connection of a host that is no node.
func query(t *testing.T, asked *node.Node, id pipe.ID, transport reach.Transport) *pb.Answer {
	t.Helper()
	h, err := libp2p.New(libp2p.NoListenAddrs)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = h.Close() }()
	if err := h.Connect(t.Context(), peer.AddrInfo{ID: asked.ID(), Addrs: asked.Addrs()}); err != nil {
		t.Fatal(err)
	}
	st, err := h.NewStream(t.Context(), asked.ID(), "/panpipe/pipe-binding/1")
	if err != nil {
		t.Fatal(err)
	}
	nonce := make([]byte, 16)
	if _, err := rand.Read(nonce); err != nil {
		t.Fatal(err)
	}
	key := sha256.Sum256(append([]byte("panpipe/key"), id.Bytes()...))
	proof := hmac.New(sha256.New, id.Bytes())
	proof.Write([]byte("panpipe/query"))
	proof.Write(nonce)
	proof.Write([]byte(h.ID()))
	proof.Write([]byte(asked.ID()))
	request := &pb.Request{Op: &pb.Request_Query{Query: &pb.Query{
		Nonce: nonce, Key: key[:], Proof: proof.Sum(nil), Transport: string(transport),
	}}}
	if err := wire.WriteMessage(st, request, pipe.MaxRequest); err != nil {
		t.Fatal(err)
	}
	answer := new(pb.Answer)
	if err := wire.ReadMessage(st, answer, pipe.MaxAnswer); err != nil {
		t.Fatal(err)
	}
	if answer.Code != 0 || !slices.Equal(answer.Nonce, nonce) {
		t.Fatalf("answer %v to nonce %x", answer, nonce)
	}
	return answer
}

func queryNamesThePipe(t *testing.T) {
	nodes := startNodes(t, 3)
	id, _ := bind(t, nodes[1], "binder", pipe.CreateOptions{})
	other, _ := bind(t, nodes[2], "another", pipe.CreateOptions{})
	for _, named := range []pipe.ID{id, other} {
		answer := query(t, nodes[0], named, reach.Any)
		if len(answer.Records) != 1 {
			t.Fatalf("%d records of pipe %s", len(answer.Records), named)
		}
		b, err := pipe.OpenBinding(answer.Records[0].Envelope)
		if err != nil || b.Pipe != named {
			t.Errorf("asked for %s, given %s: %v", named, b.Pipe, err)
		}
	}
}

func specifiedTransport(t *testing.T) {
	nodes := startNodes(t, 3)
	for _, transport := range three {
		id, _ := bind(t, nodes[1], string(transport), pipe.CreateOptions{Transports: []reach.Transport{transport}})
		c, err := nodes[2].Pipes().Dial(t.Context(), id, pipe.DialOptions{})
		if err != nil {
			t.Fatalf("dial of the pipe on %s: %v", transport, err)
		}
		if got := exchange(t, c); got != string(transport) || c.Transport() != transport {
			t.Errorf("pipe on %s: answered by %q on %s", transport, got, c.Transport())
		}
		_ = c.Close()
	}
}

func uniqueEndpoint(t *testing.T) {
	nodes := startNodes(t, 3)
	binder := nodes[1]
	for _, transport := range three {
		id, _ := bind(t, binder, string(transport), pipe.CreateOptions{Transports: []reach.Transport{transport}})
		answer := query(t, nodes[0], id, transport)
		if len(answer.Records) != 1 {
			t.Fatalf("%d records on %s", len(answer.Records), transport)
		}
		b, err := pipe.OpenBinding(answer.Records[0].Envelope)
		if err != nil {
			t.Fatal(err)
		}
		interfaces := on(transport, binder.Addrs())
		if len(b.Endpoints) != 1 || len(interfaces) != 1 || !b.Endpoints[0].Equal(interfaces[0]) {
			t.Errorf("on %s: endpoints %v, the binder's interface is %v", transport, b.Endpoints, interfaces)
		}
		if b.Binder != binder.Principal() {
			t.Errorf("on %s: endpoint of %s, who has not bound the pipe", transport, b.Binder)
		}
	}
}

func advertisementWithType(t *testing.T) {
	world.Run(t, world.Config{Nodes: 3}, func(t *testing.T, w *world.World) {
		w.AwaitReady(t)
		for typ, name := range map[pipe.Type]string{pipe.TypeUnicast: "unicast", pipe.TypeSecure: "secure"} {
			id, _ := bind(t, w.Nodes[1].Node, name, pipe.CreateOptions{Type: typ, PublicName: name})
			found, err := w.Nodes[2].Pipes().Resolve(t.Context(), id, pipe.ResolveOptions{})
			if err != nil {
				t.Fatal(err)
			}
			adv, err := pipe.ParseAdvertisement(found.Advertisement.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			if adv.ID() != id || adv.Type != typ || adv.Name != name || adv.Owner != w.Nodes[1].Principal() {
				t.Errorf("advertisement of the %s pipe: %+v", name, adv)
			}
		}
	})
}

func createDiscoverBindCommunicate(t *testing.T) {
	world.Run(t, world.Config{Nodes: 4}, func(t *testing.T, w *world.World) {
		w.AwaitReady(t)
		p, err := w.Nodes[1].CreatePipe(t.Context(), "tune", pipe.CreateOptions{})
		if err != nil {
			t.Fatalf("create: %v", err)
		}
		l, err := w.Nodes[1].ListenPipe(t.Context(), "tune", pipe.ListenOptions{})
		if err != nil {
			t.Fatalf("bind: %v", err)
		}
		serve(l, "tune")
		found, err := w.Nodes[3].Pipes().Resolve(t.Context(), p.ID, pipe.ResolveOptions{})
		if err != nil || found.Bindings[0].Binding.Binder != w.Nodes[1].Principal() {
			t.Fatalf("discover: %v, %v", found, err)
		}
		c, err := w.Nodes[3].DialPipe(t.Context(), p.ID.String(), pipe.DialOptions{})
		if err != nil {
			t.Fatalf("dial: %v", err)
		}
		if got := exchange(t, c.(*pipe.Conn)); got != "tune" {
			t.Errorf("answered by %q", got)
		}
	})
}

func endsMove(t *testing.T) {
	world.Run(t, world.Config{Nodes: 5}, func(t *testing.T, w *world.World) {
		w.AwaitReady(t)
		owner, heir := w.Nodes[1], w.Nodes[2]
		id, first := bind(t, owner.Node, "owner", pipe.CreateOptions{})
		if got := ask(t, w.Nodes[3].Node, id, pipe.DialOptions{}); got != "owner" {
			t.Fatalf("answered by %q", got)
		}
		bindID(t, heir.Node, id, "heir", pipe.ListenOptions{Capability: grantBind(t, owner.Node, heir.Node, id)})
		<-first.Replaced()
		// The dialing end may be anywhere too: the ID is all it takes.
		for _, dialer := range w.Nodes {
			if got := ask(t, dialer.Node, id, pipe.DialOptions{}); got != "heir" {
				t.Errorf("node %d was answered by %q", dialer.Index, got)
			}
		}
	})
}

func pointToPoint(t *testing.T) {
	world.Run(t, world.Config{Nodes: 4}, func(t *testing.T, w *world.World) {
		w.AwaitReady(t)
		id, _ := bind(t, w.Nodes[1].Node, "only", pipe.CreateOptions{Binders: pipe.Exclusive})
		if _, err := w.Nodes[2].Pipes().Listen(t.Context(), id, pipe.ListenOptions{}); !errors.Is(err, wire.Forbidden) {
			t.Errorf("a second end without a capability: %v, want forbidden", err)
		}
		for _, dialer := range []*world.Node{w.Nodes[2], w.Nodes[3]} {
			if got := ask(t, dialer.Node, id, pipe.DialOptions{}); got != "only" {
				t.Errorf("node %d was answered by %q", dialer.Index, got)
			}
		}
	})
}

func bidirectional(t *testing.T) {
	world.Run(t, world.Config{Nodes: 2}, func(t *testing.T, w *world.World) {
		w.AwaitReady(t)
		p, err := w.Nodes[0].CreatePipe(t.Context(), "both", pipe.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		l, err := w.Nodes[0].Pipes().Listen(t.Context(), p.ID, pipe.ListenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		up, down := make([]byte, 1<<20), make([]byte, 1<<20)
		for _, b := range [][]byte{up, down} {
			if _, err := rand.Read(b); err != nil {
				t.Fatal(err)
			}
		}
		// Each end sends all it has while it reads what the other sends.
		talk := func(c io.ReadWriter, send []byte) []byte {
			written := make(chan error, 1)
			go func() {
				_, err := c.Write(send)
				written <- err
			}()
			heard := make([]byte, 1<<20)
			if _, err := io.ReadFull(c, heard); err != nil {
				t.Errorf("read: %v", err)
			}
			if err := <-written; err != nil {
				t.Errorf("write: %v", err)
			}
			return heard
		}
		arrived := make(chan []byte)
		go func() {
			c, err := l.Accept()
			if err != nil {
				t.Error(err)
				close(arrived)
				return
			}
			arrived <- talk(c, down)
		}()
		c, err := w.Nodes[1].Pipes().Dial(t.Context(), p.ID, pipe.DialOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got := talk(c, up); !slices.Equal(got, down) {
			t.Error("what came down differs")
		}
		if got := <-arrived; !slices.Equal(got, up) {
			t.Error("what came up differs")
		}
	})
}

func noDirectLink(t *testing.T) {
	world.Run(t, world.Config{Nodes: 6}, func(t *testing.T, w *world.World) {
		w.AwaitReady(t)
		binder, reader := w.Nodes[2], w.Nodes[4]
		w.Net.SetDrop(func(p world.Packet) bool {
			return p.From == binder.IP && p.To == reader.IP || p.From == reader.IP && p.To == binder.IP
		})
		id, _ := bind(t, binder.Node, "far", pipe.CreateOptions{})
		found, err := reader.Pipes().Resolve(t.Context(), id, pipe.ResolveOptions{})
		if err != nil {
			t.Fatalf("resolve: %v", err)
		}
		b := found.Bindings[0]
		if b.Binding.Binder != binder.Principal() || b.From == binder.ID() || len(b.Binding.Endpoints) == 0 {
			t.Errorf("found %+v, want the binder's endpoints from a third node", b)
		}
	})
}

// Two nodes between which no packet passes talk through a third one.
func noDirectLinkToCommunicate(t *testing.T) {
	relays := func(i int, c *node.Config) {
		if i == 0 {
			c.Relay = node.Relay{Serve: true, MaxData: 1 << 30, MaxDuration: time.Hour}
			c.Role = "server"
		}
	}
	world.Run(t, world.Config{Nodes: 6, Node: relays}, func(t *testing.T, w *world.World) {
		w.AwaitReady(t)
		relay, binder, reader := w.Nodes[0], w.Nodes[2], w.Nodes[4]
		w.Net.SetDrop(func(p world.Packet) bool {
			return p.From == binder.IP && p.To == reader.IP || p.From == reader.IP && p.To == binder.IP
		})
		through := peer.AddrInfo{ID: relay.ID(), Addrs: relay.Addrs()}
		if _, err := client.Reserve(t.Context(), binder.Host(), through); err != nil {
			t.Fatal(err)
		}
		circuit := ma.StringCast(fmt.Sprintf("%s/p2p/%s/p2p-circuit", relay.Addrs()[0], relay.ID()))
		if _, _, err := reader.Reach().Path(t.Context(), reach.Want{
			Peer: binder.ID(), Addrs: []ma.Multiaddr{circuit}, Transport: reach.Relay,
		}); err != nil {
			t.Fatal(err)
		}
		id, _ := bind(t, binder.Node, "far", pipe.CreateOptions{})
		c, err := reader.Pipes().Dial(t.Context(), id, pipe.DialOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		if got := exchange(t, c); got != "far" || c.Transport() != reach.Relay {
			t.Errorf("answered by %q on %s, want the far node over a relay", got, c.Transport())
		}
	})
}

func particularPeers(t *testing.T) {
	world.Run(t, world.Config{Nodes: 24}, func(t *testing.T, w *world.World) {
		w.Settle(t)
		id, _ := bind(t, w.Nodes[1].Node, "pipe", pipe.CreateOptions{})
		order := nearest(w, id)
		holder, stranger := order[0], order[len(order)-1]
		reader := order[len(order)-2]
		if reader == w.Nodes[1] || stranger == w.Nodes[1] {
			stranger, reader = order[len(order)-3], order[len(order)-4]
		}
		_, err := reader.Pipes().Resolve(t.Context(), id, pipe.ResolveOptions{Only: []peer.ID{stranger.ID()}})
		if !errors.Is(err, wire.Unbound) {
			t.Errorf("asked a node that knows nothing: %v, want unbound", err)
		}
		before := reader.Traffic.Writes(pipe.BindingProtocol(pipe.DefaultOverlay))
		found, err := reader.Pipes().Resolve(t.Context(), id, pipe.ResolveOptions{Only: []peer.ID{holder.ID()}})
		if err != nil {
			t.Fatalf("asked a holder: %v", err)
		}
		if found.Bindings[0].From != holder.ID() {
			t.Errorf("answered by %s, asked %s alone", found.Bindings[0].From, holder.ID())
		}
		if sent := reader.Traffic.Writes(pipe.BindingProtocol(pipe.DefaultOverlay)) - before; sent != 1 {
			t.Errorf("%d messages were sent, want one to the peer that was named", sent)
		}
	})
}

func cacheRefusal(t *testing.T) {
	world.Run(t, world.Config{Nodes: 6}, func(t *testing.T, w *world.World) {
		w.AwaitReady(t)
		binder, reader := w.Nodes[2], w.Nodes[4]
		id, _ := bind(t, binder.Node, "pipe", pipe.CreateOptions{})
		if _, err := reader.Pipes().Resolve(t.Context(), id, pipe.ResolveOptions{}); err != nil {
			t.Fatal(err)
		}
		found, err := reader.Pipes().Resolve(t.Context(), id, pipe.ResolveOptions{NoCache: true})
		if err != nil {
			t.Fatal(err)
		}
		if b := found.Bindings[0]; b.Origin != pipe.OriginAuthoritative || b.From != binder.ID() {
			t.Errorf("answered by %s with what it has %s, want the binder's own word", b.From, b.Origin)
		}
		w.Kill(binder)
		if _, err := reader.Pipes().Resolve(t.Context(), id, pipe.ResolveOptions{}); err != nil {
			t.Errorf("from the cache: %v", err)
		}
		if _, err := reader.Pipes().Resolve(t.Context(), id, pipe.ResolveOptions{NoCache: true}); err == nil {
			t.Error("a dead binder was taken from somebody's cache, which was refused")
		}
	})
}
