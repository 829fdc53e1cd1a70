package reach

import (
	"sync"
	"time"

	"github.com/libp2p/go-yamux/v5"
	"github.com/quic-go/quic-go"
)

// RTT is the round-trip time of the path as its own transport measures it:
// smoothed for QUIC (RFC 9002, section 5.3), the least of the last pings for the
// node's own yamux, the last for another. It is zero where nothing has been
// measured, as on WebRTC.
func (p Path) RTT() time.Duration {
	if p.IsZero() {
		return 0
	}
	below := muxers.Get().(*muxer)
	defer func() {
		*below = muxer{} // which may end before it is asked for again
		muxers.Put(below)
	}()
	switch {
	case p.conn.As(&below.quic):
		return below.quic.ConnectionStats().SmoothedRTT
	case p.conn.As(&below.ours):
		return below.ours.RTT()
	case p.conn.As(&below.yamux):
		return below.yamux.RTT()
	}
	return 0
}

// muxer is what a connection is made of: the one that it has.
type muxer struct {
	quic  *quic.Conn
	ours  interface{ RTT() time.Duration } // of the node's own muxer
	yamux *yamux.Session
}

// muxers are used again: whoever carries bulk asks for its round trip often.
var muxers = sync.Pool{New: func() any { return new(muxer) }}
