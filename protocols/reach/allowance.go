package reach

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Allowance is what a relay grants one relayed path, as it announced when the
// path began, and what is left of it. The relay closes the path when time or
// data, either way, is used up (circuit v2, Limit).
type Allowance struct {
	Relay    peer.ID
	Duration time.Duration // granted; 0 is without limit
	Data     int64         // bytes granted each way; 0 is without limit

	Elapsed time.Duration // of Duration
	// Bytes of the streams that reach has opened or handled. The relay counts
	// encryption, framing and other protocols as well: what is left is less by
	// some per cent.
	Sent, Received int64
}

// TimeLeft is what is left of Duration; zero means none if there is a limit.
func (a Allowance) TimeLeft() time.Duration { return max(0, a.Duration-a.Elapsed) }

// DataLeft is what is left of Data in the direction that has used more.
func (a Allowance) DataLeft() int64 { return max(0, a.Data-max(a.Sent, a.Received)) }

// Allowance tells the limits of a relayed path. It is false for a direct path,
// and for a relay that sets none.
func (p Path) Allowance() (Allowance, bool) { return allowance(p.conn, p.reach.meters.of(p.conn)) }

func allowance(c network.Conn, m *meter) (Allowance, bool) {
	stat := c.Stat()
	if !stat.Limited {
		return Allowance{}, false
	}
	duration, _ := stat.Extra[client.StatLimitDuration].(time.Duration)
	data, _ := stat.Extra[client.StatLimitData].(uint64)
	if duration <= 0 && data == 0 {
		return Allowance{}, false
	}
	a := Allowance{
		Relay: RelayOf(c.RemoteMultiaddr()), Duration: max(0, duration), Data: int64(min(data, 1<<62)),
		Elapsed: time.Since(stat.Opened),
	}
	if m != nil {
		a.Sent, a.Received = m.sent.Load(), m.received.Load()
	}
	return a, true
}

// RelayOf is the relay in a relayed address; empty if it is none.
func RelayOf(a ma.Multiaddr) peer.ID {
	before, circuit := ma.SplitFunc(a, func(c ma.Component) bool { return c.Code() == ma.P_CIRCUIT })
	if len(circuit) == 0 {
		return ""
	}
	_, id := peer.SplitAddr(before)
	return id
}

// Margins within which the end of a relayed path is put down to its limit: the
// relay's clock started earlier, and it counts more bytes.
const (
	timeMargin = 3 * time.Second
	dataMargin = 10 // per cent of Data, and at least dataFloor
	dataFloor  = 16 << 10
)

// spent tells which limit an allowance has run into; empty for none.
func (a Allowance) spent() string {
	var limits []string
	if a.Duration > 0 && a.TimeLeft() <= min(timeMargin, a.Duration/4) {
		limits = append(limits, a.Duration.String())
	}
	if a.Data > 0 && a.DataLeft() <= max(dataFloor, a.Data*dataMargin/100) {
		limits = append(limits, fmt.Sprintf("%d bytes each way", a.Data))
	}
	return strings.Join(limits, " and of ")
}

// atLimit says that a stream ended because its relayed path did, at a limit of
// the relay. It is nil for any other end; err does not show through, since it
// looks like the far side's reset.
func atLimit(c network.Conn, m *meter, err error) error {
	a, _ := allowance(c, m)
	spent := a.spent()
	if spent == "" {
		return nil
	}
	return wire.Errorf(wire.Limit, "relay %s ended the path to %s at its limit of %s for one connection: %v",
		a.Relay, c.RemotePeer(), spent, err).
		WithNext("dial again; a direct path (open a port at one of the two sides) has no such limit, and the relay's owner can raise relay.max_data and relay.max_duration there")
}

// meter counts the bytes of the streams on one limited connection. A nil one
// counts nothing.
type meter struct{ sent, received atomic.Int64 }

func (m *meter) wrote(n int) {
	if m != nil {
		m.sent.Add(int64(n))
	}
}

func (m *meter) read(n int) {
	if m != nil {
		m.received.Add(int64(n))
	}
}

// meters are the meters of the limited connections that live.
type meters struct {
	mu  sync.Mutex
	all map[network.Conn]*meter
}

// of is the meter of c, made when it is first asked for; nil for a connection
// without limits.
func (ms *meters) of(c network.Conn) *meter {
	if !c.Stat().Limited {
		return nil
	}
	ms.mu.Lock()
	defer ms.mu.Unlock()
	m := ms.all[c]
	if m == nil && !c.IsClosed() {
		if ms.all == nil {
			ms.all = make(map[network.Conn]*meter)
		}
		m = new(meter)
		ms.all[c] = m
	}
	return m
}

// drop forgets a connection that has been closed.
func (ms *meters) drop(c network.Conn) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	delete(ms.all, c)
}
