package reach

import (
	"slices"
	"strings"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Transport names what carries a path. The words are part of wire formats and
// of the API; they follow libp2p's multiaddr protocols.
type Transport string

// The transports. Any is the zero value: any transport where one is wished
// for, and none of these where an address is judged.
const (
	Any          Transport = ""
	TCP          Transport = "tcp"
	QUIC         Transport = "quic-v1"
	WS           Transport = "ws"  // WebSocket without TLS of its own
	WSS          Transport = "wss" // WebSocket over TLS
	WebTransport Transport = "webtransport"
	WebRTC       Transport = "webrtc-direct"
	Relay        Transport = "relay" // a circuit through another node, whatever carries that
)

// Transports lists all, Any not among them.
func Transports() []Transport {
	return []Transport{TCP, QUIC, WS, WSS, WebTransport, WebRTC, Relay}
}

// ParseTransport reads a name. The empty text is Any; a name that is none of
// Transports is BadRequest.
func ParseTransport(s string) (Transport, error) {
	if t := Transport(s); t == Any || slices.Contains(Transports(), t) {
		return t, nil
	}
	var names []string
	for _, t := range Transports() {
		names = append(names, string(t))
	}
	return Any, wire.Errorf(wire.BadRequest, "%q is not a transport", s).
		WithNext("use one of %s", strings.Join(names, ", "))
}

// TransportOf names the transport of a multiaddr, with or without a /p2p part.
// It is Any for an address that none of Transports serves: a transport that
// is layered on one of them by a protocol unknown here is not that transport.
func TransportOf(a ma.Multiaddr) Transport {
	t, tls := Any, false
	for _, c := range a {
		switch c.Code() {
		case ma.P_CIRCUIT:
			return Relay
		case ma.P_TCP:
			t = TCP
		case ma.P_TLS:
			t, tls = Any, true
		case ma.P_WS:
			if t = WS; tls {
				t = WSS
			}
		case ma.P_WSS:
			t = WSS
		case ma.P_QUIC_V1:
			t = QUIC
		case ma.P_WEBTRANSPORT:
			t = WebTransport
		case ma.P_WEBRTC_DIRECT:
			t = WebRTC
		case ma.P_IP4, ma.P_IP6, ma.P_IP6ZONE, ma.P_DNS, ma.P_DNS4, ma.P_DNS6, ma.P_UDP, ma.P_SNI, ma.P_CERTHASH, ma.P_P2P:
			// Parts that change neither carrier nor layers.
		default:
			t = Any
		}
	}
	return t
}
