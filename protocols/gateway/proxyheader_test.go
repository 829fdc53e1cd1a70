package gateway

import (
	"bufio"
	"bytes"
	"net"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/pires/go-proxyproto"
)

const peerID = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"

func readHeader(t *testing.T, b []byte) *proxyproto.Header {
	t.Helper()
	r := bufio.NewReader(bytes.NewReader(append(b, "data"...)))
	h, err := proxyproto.Read(r)
	if err != nil {
		t.Fatalf("header % x: %v", b, err)
	}
	if rest := r.Buffered(); rest != len("data") {
		t.Fatalf("%d bytes behind the header", rest)
	}
	return h
}

func TestProxyHeadersTellWhoComes(t *testing.T) {
	id, err := peer.Decode(peerID)
	if err != nil {
		t.Fatal(err)
	}
	channel := bytes.Repeat([]byte{0xab}, 16)
	v4, v6 := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}, &net.TCPAddr{IP: net.IPv6loopback, Port: 80}
	unix := &net.UnixAddr{Net: "unix", Name: "/run/x.sock"}
	for _, c := range []struct {
		from     string
		target   net.Addr
		src, dst string // empty: LOCAL
	}{
		{"/ip4/192.0.2.7/tcp/4001", v4, "192.0.2.7:4001", "127.0.0.1:80"},
		{"/ip4/192.0.2.7/udp/4001/quic-v1", v4, "192.0.2.7:4001", "127.0.0.1:80"},
		{"/ip4/192.0.2.7/tcp/4001/ws", v6, "192.0.2.7:4001", "0.0.0.0:0"},
		{"/ip6/2001:db8::7/tcp/4001", v6, "[2001:db8::7]:4001", "[::1]:80"},
		{"/ip6/2001:db8::7/udp/4001/quic-v1/webtransport", unix, "[2001:db8::7]:4001", "[::]:0"},
		{"/ip4/192.0.2.7/tcp/4001/p2p/" + peerID + "/p2p-circuit", v4, "", ""},
		{"/dns4/example.org/tcp/4001", v4, "", ""},
		{"", v4, "", ""},
	} {
		who := caller{peer: id, channel: channel}
		if c.from != "" {
			who.from = ma.StringCast(c.from)
		}
		b, err := who.header(c.target)
		if err != nil {
			t.Fatalf("%s: %v", c.from, err)
		}
		h := readHeader(t, b)
		if c.src == "" {
			if !h.Command.IsLocal() || !h.TransportProtocol.IsUnspec() {
				t.Errorf("%s: %+v", c.from, h)
			}
		} else if h.SourceAddr.String() != c.src || h.DestinationAddr.String() != c.dst {
			t.Errorf("%s: from %s to %s", c.from, h.SourceAddr, h.DestinationAddr)
		}
		tlvs, err := h.TLVs()
		if err != nil || len(tlvs) != 2 || tlvs[0].Type != 0xE1 || string(tlvs[0].Value) != peerID ||
			tlvs[1].Type != 0xE2 || !bytes.Equal(tlvs[1].Value, channel) {
			t.Errorf("%s: TLVs %+v, %v", c.from, tlvs, err)
		}
	}
}

func FuzzProxyHeader(f *testing.F) {
	f.Add(ma.StringCast("/ip4/192.0.2.7/tcp/4001").Bytes(), "127.0.0.1:80")
	f.Add(ma.StringCast("/ip6/fe80::1/udp/1/quic-v1").Bytes(), "[fe80::1%eth0]:80")
	f.Add([]byte{}, "@")
	f.Fuzz(func(t *testing.T, from []byte, target string) {
		a, err := ma.NewMultiaddrBytes(from)
		if err != nil {
			return
		}
		b, err := caller{from: a, peer: peerID, channel: make([]byte, 16)}.header(&net.UnixAddr{Name: target})
		if err != nil {
			t.Fatalf("%s: %v", a, err)
		}
		readHeader(t, b)
	})
}
