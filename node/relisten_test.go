package node

import (
	"io"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// listening is what the node tells to listen on, by transport.
func listening(n *Node) map[reach.Transport]string {
	ports := make(map[reach.Transport]string)
	for _, a := range ported(n.host.Network()) {
		ports[reach.TransportOf(a)] = portOf(a)
	}
	return ports
}

func TestRelistenMovesConnectionsToTheNewPorts(t *testing.T) {
	all := []string{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/tcp/0/ws", "/ip4/127.0.0.1/udp/0/quic-v1"}
	binder := start(t, local(all...))
	cfg := local("/ip4/127.0.0.1/tcp/0")
	cfg.Join = []string{ticket(binder)}
	dialer := start(t, cfg)
	ctx := within(t, time.Minute)
	if err := dialer.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	created, err := binder.CreatePipe(ctx, "echo", pipe.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := binder.ListenPipe(ctx, "echo", pipe.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			_, _ = io.Copy(c, c)
			_ = c.Close()
		}
	}()
	c, err := dialer.DialPipe(ctx, created.ID.String(), pipe.DialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	said := func(words string) {
		t.Helper()
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.WriteString(c, words); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(words))
		if _, err := io.ReadFull(c, got); err != nil || string(got) != words {
			t.Fatalf("%q came back as %q: %v", words, got, err)
		}
	}
	said("at the old ports")
	for _, addrs := range [][]string{all, all[:2], all[2:], all} {
		before := listening(binder)
		had, err := binder.Relisten(addrs)
		if err != nil || len(had) != len(addrs) {
			t.Fatalf("%v: %v, %v", addrs, had, err)
		}
		for transport, port := range listening(binder) {
			if before[transport] == port {
				t.Errorf("still at port %s of %s", port, transport)
			}
		}
		said("at the new ones")
	}
}

func TestRelistenKeepsWhatStaysAndChangesNothingOnAnError(t *testing.T) {
	n, other := start(t, local("/ip4/127.0.0.1/tcp/0")), start(t, local("/ip4/127.0.0.1/tcp/0"))
	stays, taken := ported(n.host.Network())[0].String(), ported(other.host.Network())[0].String()
	for _, c := range []struct {
		addrs []string
		want  wire.Code
	}{
		{nil, wire.BadRequest},
		{[]string{"nonsense"}, wire.BadRequest},
		{[]string{"/ip4/127.0.0.1/udp/0/quic-v1", taken}, wire.Taken},
		{[]string{"/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/sctp/7"}, wire.Unsupported},
	} {
		if _, err := n.Relisten(c.addrs); wire.CodeOf(err) != c.want || wire.NextOf(err) == "" {
			t.Errorf("%v: %v (next %q), want %v", c.addrs, err, wire.NextOf(err), c.want)
		}
		if now := ported(n.host.Network()); len(now) != 1 || now[0].String() != stays {
			t.Errorf("%v: listens on %v, not on %s alone", c.addrs, now, stays)
		}
	}
	had, err := n.Relisten([]string{"/ip4/127.0.0.1/udp/0/quic-v1", stays})
	if err != nil || len(had) != 2 || had[0].String() != stays && had[1].String() != stays {
		t.Errorf("listens on %v, %v", had, err)
	}
}

func TestWhatComesInAtAPortThatWasGivenUpIsLate(t *testing.T) {
	at := func(port string) ma.Multiaddr { return ma.StringCast("/ip4/127.0.0.1/udp/" + port + "/quic-v1") }
	g := givenUp{ports: []ma.Multiaddr{at("1"), at("2")}}
	now := []ma.Multiaddr{at("2"), at("3")} // 2 was taken up again
	for _, tt := range []struct {
		direction network.Direction
		port      string
		want      bool
	}{
		{network.DirInbound, "1", true},
		{network.DirOutbound, "1", false},
		{network.DirInbound, "2", false},
		{network.DirInbound, "3", false},
	} {
		if got := g.late(tt.direction, at(tt.port), now); got != tt.want {
			t.Errorf("%s at port %s: %t", tt.direction, tt.port, got)
		}
	}
}
