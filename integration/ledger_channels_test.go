package integration

import (
	"bytes"
	"encoding/hex"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	"google.golang.org/protobuf/proto"

	"github.com/panpipe-net/panpipe/protocols/gateway"
	"github.com/panpipe-net/panpipe/protocols/pipe/pb"
	"github.com/panpipe-net/panpipe/protocols/trunk"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// TestChannelMultiplexingLedger shows each element of channel multiplexing,
// literally, one a subtest: real nodes, a proxy and the far node that it leads
// to, TCP clients, a TCP service, and what passes on the trunk between the nodes
// read as its specification has it. That the same goes over the HTTP transport
// is for when there is one.
func TestChannelMultiplexingLedger(t *testing.T) {
	t.Run("TheTrunkIsOpenedByTheProxyAndKept", trunkIsKept)
	t.Run("EachClientHasAUniqueID", uniqueIDs)
	t.Run("ARegisterSignalGoesOverTheTrunkFirst", registerSignal)
	t.Run("TheIDIsInFrontOfTheDataBothWays", idInFront)
	t.Run("TheFarNodeLooksTheChannelUpByTheID", lookUp)
	t.Run("TheIDIsStrippedBeforeDelivery", stripped)
}

func trunkIsKept(t *testing.T) {
	m := multiplex(t)
	m.client("first")
	// trunks are the trunk streams that the proxy has opened to the far node.
	trunks := func() (ids []string) {
		for _, c := range m.proxy.Host().Network().ConnsToPeer(m.far.ID()) {
			for _, s := range c.GetStreams() {
				if s.Protocol() == trunk.Protocol(m.proxy.Overlay()) && s.Stat().Direction == network.DirOutbound {
					ids = append(ids, s.ID())
				}
			}
		}
		return ids
	}
	before := trunks()
	if len(before) != 1 {
		t.Fatalf("the proxy has opened %d trunks to the far node, want one", len(before))
	}
	for _, c := range []net.Conn{m.client("second"), m.client("third")} {
		_ = c.Close() // the client leaves, the trunk stays
	}
	m.clients(50)
	if after := trunks(); !slices.Equal(after, before) {
		t.Errorf("after 53 clients the trunks are %v, before them %v", after, before)
	}
	if n := len(m.tap.opened()); n != 1 {
		t.Errorf("the far node was opened %d trunks, want one", n)
	}
}

func uniqueIDs(t *testing.T) {
	m := multiplex(t)
	const count = 100
	m.clients(count)
	near, far := m.ids(m.proxy, m.forwarded), m.ids(m.far, m.exposed)
	if n := len(slices.Compact(slices.Clone(near))); n != count {
		t.Errorf("%d clients have %d IDs", count, n)
	}
	if !slices.Equal(near, far) {
		t.Error("the far node knows the clients by other IDs than the proxy")
	}
}

func registerSignal(t *testing.T) {
	m := multiplex(t)
	opened := make(chan struct{}, 2)
	defer m.far.WatchGateway(func(e gateway.Event) {
		if e.Kind == gateway.EventOpened {
			opened <- struct{}{}
		}
	})()
	// One that says nothing: what the far node has of it is what was signalled.
	c, err := net.Dial("tcp", m.entry)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	m.client("another")
	for range 2 {
		<-opened
		<-m.service.accepted
	}
	ids := m.ids(m.far, m.exposed)
	if len(ids) != 2 {
		t.Fatalf("%d channels are registered at the far node, want 2", len(ids))
	}
	for _, id := range ids {
		m.register(id)
	}
	if heard := m.service.all(); !slices.Equal(heard, []string{"", "another"}) {
		t.Errorf("the service heard %q", heard)
	}
}

func idInFront(t *testing.T) {
	m := multiplex(t)
	said := m.clients(20)
	var up, down []string
	for _, id := range m.ids(m.proxy, m.forwarded) {
		r := m.register(id)
		up = append(up, clientsBytes(t, dataOf(r.up, r.handle), new(pb.Open)))
		down = append(down, clientsBytes(t, dataOf(r.down, r.handle), new(pb.OpenReply)))
	}
	for name, got := range map[string][]string{"up": up, "down": down} {
		if slices.Sort(got); !slices.Equal(got, said) {
			t.Errorf("%s, behind each ID there is %q", name, got)
		}
	}
}

// clientsBytes is what is behind the first message of a channel's stream.
func clientsBytes(t *testing.T, data []byte, first proto.Message) string {
	t.Helper()
	r := bytes.NewReader(data)
	if err := wire.ReadMessage(r, first, 64<<10); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(r) // of a slice
	return string(rest)
}

func lookUp(t *testing.T) {
	m := multiplex(t)
	var said []string
	for i := range 20 {
		said = append(said, strings.Repeat("x", i+1)) // told apart by its length
		m.client(said[i])
	}
	all, err := m.far.Gateway().Channels(m.exposed)
	if err != nil || len(all) != len(said) {
		t.Fatalf("%d channels, %v", len(all), err)
	}
	// What is marked with an ID on the trunk has gone through the connection to
	// the service that the far node has under this ID, and through no other.
	for _, c := range all {
		r := m.register(c.ID)
		text := clientsBytes(t, dataOf(r.up, r.handle), new(pb.Open))
		if c.In != uint64(len(text)) || c.Out != uint64(len(text)) {
			t.Errorf("channel %s: %d bytes in, %d out, of %q", c.ID, c.In, c.Out, text)
		}
	}
	if heard := m.service.all(); !slices.Equal(heard, said) {
		t.Errorf("the service heard %q", heard)
	}
}

func stripped(t *testing.T) {
	m := multiplex(t)
	said := m.clients(20)
	heard := m.service.all()
	if !slices.Equal(heard, said) {
		t.Errorf("clients said %q, the service heard %q", said, heard)
	}
	for _, id := range m.ids(m.far, m.exposed) {
		raw, err := hex.DecodeString(id)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range heard {
			if bytes.Contains([]byte(text), raw) {
				t.Errorf("ID %s was delivered", id)
			}
		}
	}
}
