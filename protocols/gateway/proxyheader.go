package gateway

import (
	"net"
	"net/netip"
	"strconv"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"github.com/pires/go-proxyproto"

	"github.com/panpipe-net/panpipe/protocols/reach"
)

// TLVs of the PROXY header. 0xE0 is for the account, once there are some.
const (
	tlvPeer    = proxyproto.PP2Type(0xE1) // the dialer's peer ID as text
	tlvChannel = proxyproto.PP2Type(0xE2) // the channel's ID, 16 bytes
)

// caller is who a PROXY header tells of.
type caller struct {
	from    ma.Multiaddr // the dialer's end of the path; nil if it is not known
	peer    peer.ID
	channel []byte
}

// header is the PROXY header, version 2, for a connection to a target. A dialer
// whose address is not known, since it came over a relay, is told of under
// LOCAL, which every receiver takes.
func (c caller) header(target net.Addr) ([]byte, error) {
	h := localHeader()
	if src, ok := addrPort(c.from); ok {
		dst := destination(src, target)
		h.Command, h.TransportProtocol = proxyproto.PROXY, proxyproto.TCPv6
		if src.Addr().Is4() {
			h.TransportProtocol = proxyproto.TCPv4
		}
		h.SourceAddr, h.DestinationAddr = net.TCPAddrFromAddrPort(src), net.TCPAddrFromAddrPort(dst)
	}
	err := h.SetTLVs([]proxyproto.TLV{
		{Type: tlvPeer, Value: []byte(c.peer.String())},
		{Type: tlvChannel, Value: c.channel},
	})
	if err != nil {
		return nil, err
	}
	return h.Format()
}

// localHeader is of a connection that the gateway makes for itself.
func localHeader() *proxyproto.Header {
	return &proxyproto.Header{Version: 2, Command: proxyproto.LOCAL, TransportProtocol: proxyproto.UNSPEC}
}

// addrPort is the IP address and port at which a path's far end is; false for
// a relayed one, where the address is the relay's.
func addrPort(a ma.Multiaddr) (netip.AddrPort, bool) {
	if len(a) < 2 || reach.TransportOf(a) == reach.Relay {
		return netip.AddrPort{}, false
	}
	ip, err := manet.ToIP(a)
	addr, ok := netip.AddrFromSlice(ip)
	if code := a[1].Protocol().Code; err != nil || !ok || code != ma.P_TCP && code != ma.P_UDP {
		return netip.AddrPort{}, false
	}
	port, err := strconv.ParseUint(a[1].Value(), 10, 16)
	return netip.AddrPortFrom(addr.Unmap(), uint16(port)), err == nil
}

// destination is the target's address in the family of the source: a header
// has room for one family.
func destination(src netip.AddrPort, target net.Addr) netip.AddrPort {
	if dst, err := netip.ParseAddrPort(target.String()); err == nil {
		addr := dst.Addr().Unmap().WithZone("")
		if addr.Is4() == src.Addr().Is4() {
			return netip.AddrPortFrom(addr, dst.Port())
		}
	}
	if src.Addr().Is4() {
		return netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
	}
	return netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
}
