package reach

import (
	"time"

	"github.com/libp2p/go-yamux/v5"
	"github.com/quic-go/quic-go"
)

// RTT is the round-trip time of the path as its own transport measures it:
// smoothed for QUIC (RFC 9002, section 5.3), the last ping's for yamux. It is
// zero where nothing has been measured, as on WebRTC.
func (p Path) RTT() time.Duration {
	if p.IsZero() {
		return 0
	}
	var q *quic.Conn
	if p.conn.As(&q) {
		return q.ConnectionStats().SmoothedRTT
	}
	var y *yamux.Session
	if p.conn.As(&y) {
		return y.RTT()
	}
	return 0
}
