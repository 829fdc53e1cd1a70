package discovery

import (
	"errors"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

const somebody = "12D3KooWEZXjE41uU4EL2gpkAQeDXYok6wghN7wwNVPF5bwkaNfS"

func TestJoinByMultiaddr(t *testing.T) {
	got, err := ParseJoin(" /ip4/192.0.2.1/tcp/4001/p2p/"+somebody+"\n", "panpipe")
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].ID.String() != somebody || got[0].Addrs[0].String() != "/ip4/192.0.2.1/tcp/4001" {
		t.Fatalf("%v", got)
	}
}

func TestJoinByTicket(t *testing.T) {
	id, _ := peer.Decode(somebody)
	ticket := identity.Ticket{Overlay: "panpipe", Peers: []peer.AddrInfo{{ID: id, Addrs: []ma.Multiaddr{makeAddr(1), makeAddr(2)}}}}
	got, err := ParseJoin(ticket.String(), "panpipe")
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].ID != id || len(got[0].Addrs) != 2 {
		t.Fatalf("%v", got)
	}
	_, err = ParseJoin(ticket.String(), "orchestra")
	if !errors.Is(err, wire.BadRequest) || !strings.Contains(err.Error(), `"panpipe"`) || !strings.Contains(err.Error(), `"orchestra"`) {
		t.Fatalf("a ticket of another overlay: %v", err)
	}
}

func TestMalformedJoinIsRefusedInWords(t *testing.T) {
	for _, s := range []string{
		"", " ", "host:4001", "ticket:", "ticket:aaaa", "/", "/ip4/192.0.2.1/tcp/4001", "/p2p/" + somebody,
		"/ip4/192.0.2.1/tcp/4001/p2p/nonsense", "/ip4/999.0.2.1/tcp/4001/p2p/" + somebody, "https://example.org",
	} {
		_, err := ParseJoin(s, "panpipe")
		if !errors.Is(err, wire.BadRequest) {
			t.Errorf("%q: %v", s, err)
		}
		if wire.NextOf(err) == "" {
			t.Errorf("%q: does not say what to do: %v", s, err)
		}
	}
}

func FuzzParseJoin(f *testing.F) {
	id, _ := peer.Decode(somebody)
	ticket := identity.Ticket{Overlay: "panpipe", Peers: []peer.AddrInfo{{ID: id, Addrs: []ma.Multiaddr{makeAddr(1)}}}}.String()
	for _, s := range []string{"", "/", ticket, ticket[:len(ticket)-1], "/ip4/192.0.2.1/tcp/4001/p2p/" + somebody} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseJoin(s, "panpipe")
		if (err == nil) != (len(got) > 0) {
			t.Fatalf("%v, %v", got, err)
		}
		for _, in := range got {
			if in.ID.Validate() != nil || len(in.Addrs) == 0 {
				t.Fatalf("%v", in)
			}
		}
	})
}

func FuzzSanitise(f *testing.F) {
	id, _ := peer.Decode(somebody)
	f.Add([]byte(id), makeAddr(1).Bytes(), 3)
	f.Add([]byte{}, []byte{}, 0)
	f.Add([]byte("nonsense"), []byte{4, 0}, 10000)
	f.Fuzz(func(t *testing.T, id, addr []byte, count int) {
		a, _ := ma.NewMultiaddrBytes(addr)
		in := make([]peer.AddrInfo, min(max(count, 0), 200))
		for i := range in {
			in[i] = peer.AddrInfo{ID: peer.ID(id), Addrs: []ma.Multiaddr{a, a, makeAddr(i)}}
		}
		out := sanitise(in, makePeer(testSelf))
		if len(out) > K {
			t.Fatal(len(out))
		}
		for _, o := range out {
			if o.ID.Validate() != nil || len(o.Addrs) == 0 || len(o.Addrs) > maxAddrs {
				t.Fatalf("%v", o)
			}
		}
	})
}
