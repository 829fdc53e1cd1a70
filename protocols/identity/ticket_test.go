package identity

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestTicketComesBackFromItsText(t *testing.T) {
	want := testTicket(t)
	got, err := ParseTicket(want.String())
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestTicketTakesRelayedAddresses(t *testing.T) {
	relay, _ := testPeer(t, 9).Peer()
	want := testTicket(t)
	want.Peers[0].Addrs = []ma.Multiaddr{ma.StringCast("/ip4/192.0.2.1/tcp/1/p2p/" + relay.String() + "/p2p-circuit")}
	if got, err := ParseTicket(want.String()); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestTicketSharesItsRoomFairly(t *testing.T) {
	ticket := Ticket{Overlay: "x"}
	for n := range byte(3) {
		id, _ := testPeer(t, n+1).Peer()
		p := peer.AddrInfo{ID: id}
		for i := range []int{40, 2, 40}[n] {
			p.Addrs = append(p.Addrs, ma.StringCast(fmt.Sprintf("/ip4/192.0.2.%d/tcp/%d", n, i+1)))
		}
		ticket.Peers = append(ticket.Peers, p)
	}
	got, err := ParseTicket(ticket.String())
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{7, 2, 7} {
		if have := got.Peers[i].Addrs; !reflect.DeepEqual(have, ticket.Peers[i].Addrs[:want]) {
			t.Errorf("peer %d has %v", i, have)
		}
	}
}

func TestTicketLeavesOutWhatCannotStandInIt(t *testing.T) {
	clean := testTicket(t)
	id := clean.Peers[0].ID
	dirty := testTicket(t)
	dirty.Peers[0].Addrs = append(dirty.Peers[0].Addrs,
		dirty.Peers[0].Addrs[0], // twice
		nil,
		ma.StringCast("/ip4/192.0.2.1/tcp/4001/p2p/"+id.String()),               // the same with its suffix
		ma.StringCast("/ip4/192.0.2.9/tcp/1/p2p/"+clean.Peers[1].ID.String()),   // of another peer
		ma.StringCast("/dns4/"+strings.Repeat("long.", 60)+"example.org/tcp/1"), // above 256 bytes
		ma.StringCast("/p2p/"+id.String()),                                      // no place
	)
	dirty.Peers = append(dirty.Peers, peer.AddrInfo{ID: "nonsense", Addrs: clean.Peers[0].Addrs}, peer.AddrInfo{})
	if dirty.String() != clean.String() {
		got, err := ParseTicket(dirty.String())
		t.Errorf("%+v, %v", got, err)
	}
}

func TestNonsenseTicketsAreRefused(t *testing.T) {
	id, _ := testPeer(t, 1).Peer()
	good := ma.StringCast("/ip4/192.0.2.1/tcp/1/p2p/" + id.String()).Bytes()
	hashed := ma.StringCast("/ip4/192.0.2.1/tcp/1/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N").Bytes()
	many := make([][]byte, MaxTicketAddrs+1)
	for i := range many {
		many[i] = good
	}
	for _, c := range []struct {
		name    string
		overlay string
		addrs   [][]byte
		want    wire.Code
	}{
		{"good", "panpipe", [][]byte{good}, wire.OK},
		{"good, with a hashed key", "panpipe", [][]byte{hashed}, wire.OK},
		{"no overlay", "", [][]byte{good}, wire.BadRequest},
		{"bad overlay", "Pan/pipe", [][]byte{good}, wire.BadRequest},
		{"long overlay", strings.Repeat("x", maxOverlay+1), [][]byte{good}, wire.TooLarge},
		{"no addresses", "panpipe", nil, wire.BadRequest},
		{"too many addresses", "panpipe", many, wire.TooLarge},
		{"not an address", "panpipe", [][]byte{{0xff, 0xff}}, wire.BadRequest},
		{"no peer", "panpipe", [][]byte{ma.StringCast("/ip4/192.0.2.1/tcp/1").Bytes()}, wire.BadRequest},
		{"no place", "panpipe", [][]byte{ma.StringCast("/p2p/" + id.String()).Bytes()}, wire.BadRequest},
		{"peer of another hash", "panpipe", [][]byte{append(ma.StringCast("/ip4/192.0.2.1/tcp/1").Bytes(), 0xa5, 3, 3, 0x13, 1, 7)}, wire.BadRequest},
	} {
		var b wire.Builder
		_, err := TicketFromBytes(b.String(ticketOverlay, c.overlay).List(ticketAddrs, c.addrs).Build())
		wantCode(t, c.name, err, c.want)
	}
	var b wire.Builder
	_, err := TicketFromBytes(b.String(1, "x").List(2, [][]byte{good}).Uint(3, 1).Build())
	wantCode(t, "unknown field", err, wire.Unsupported)
}

func TestEveryTruncatedTicketIsRefused(t *testing.T) {
	raw := testTicket(t).Bytes()
	for n := range raw {
		_, err := TicketFromBytes(raw[:n])
		wantCode(t, fmt.Sprintf("%d bytes", n), err, wire.BadRequest)
	}
}

func TestLargestTicketFits(t *testing.T) {
	id, _ := testPeer(t, 1).Peer()
	suffix := len(ma.StringCast("/p2p/" + id.String()).Bytes())
	ticket := Ticket{Overlay: strings.Repeat("x", maxOverlay), Peers: []peer.AddrInfo{{ID: id}}}
	for i := range MaxTicketAddrs {
		name := fmt.Sprintf("%s%02d", strings.Repeat("a", maxTicketAddr-suffix-3-3-2), i) // code and length; /tcp
		ticket.Peers[0].Addrs = append(ticket.Peers[0].Addrs, ma.StringCast("/dns4/"+name+"/tcp/1"))
	}
	got, err := ParseTicket(ticket.String())
	if err != nil || len(got.Peers[0].Addrs) != MaxTicketAddrs {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestOverlayNamesFitProtocolIDsAndDNSLabels(t *testing.T) {
	for _, good := range []string{"panpipe", "a", "7", "my-overlay-2", strings.Repeat("x", 32)} {
		wantCode(t, good, CheckOverlay(good), wire.OK)
	}
	for _, bad := range []string{"", "-a", "a-", "A", "a/b", "a.b", "a_b", "é", "a b", strings.Repeat("x", 33)} {
		wantCode(t, bad, CheckOverlay(bad), wire.BadRequest)
	}
}

func FuzzParseTicket(f *testing.F) {
	f.Add(testTicket(f).Bytes())
	one := testTicket(f)
	one.Peers = one.Peers[1:]
	f.Add(one.Bytes())
	f.Add([]byte{1, 1, 'x', 2, 2, 1, 4})
	f.Fuzz(func(t *testing.T, raw []byte) {
		ticket, err := TicketFromBytes(raw)
		if err != nil {
			switch wire.CodeOf(err) {
			case wire.BadRequest, wire.TooLarge, wire.Unsupported:
			default:
				t.Fatalf("unexpected %v", err)
			}
			return
		}
		if again, err := ParseTicket(ticket.String()); err != nil || !reflect.DeepEqual(again, ticket) {
			t.Fatalf("%+v comes back as %+v, %v", ticket, again, err)
		}
	})
}
