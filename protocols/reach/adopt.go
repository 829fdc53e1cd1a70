package reach

import (
	"context"
	"errors"
	"net"
	"sync"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// The swarm has no door for a connection that somebody else dialled. It does
// take whatever a listener accepts, so reach registers a transport whose only
// listener accepts what reach dialled. The /memory multiaddr protocol is free:
// go-libp2p has no memory transport.
const (
	adoptProtocol = ma.P_MEMORY
	adoptAddress  = "/memory/1"
)

// HideAdopted removes from addrs the private address through which adopted
// connections enter the swarm. Every host with a Reach needs it as (part of)
// its AddrsFactory; otherwise the address is announced to the world. addrs
// itself is left as it was.
func HideAdopted(addrs []ma.Multiaddr) []ma.Multiaddr {
	kept := make([]ma.Multiaddr, 0, len(addrs))
	for _, a := range addrs {
		if len(a) == 0 || a[0].Code() != adoptProtocol {
			kept = append(kept, a)
		}
	}
	return kept
}

// adopter is the private transport and its listener in one.
type adopter struct {
	addr     ma.Multiaddr
	incoming chan *adopted
	once     sync.Once
	closed   chan struct{}
}

var (
	_ transport.Transport = (*adopter)(nil)
	_ transport.Listener  = (*adopter)(nil)
)

func newAdopter() (*adopter, error) {
	addr, err := ma.NewMultiaddr(adoptAddress)
	if err != nil {
		return nil, err
	}
	return &adopter{addr: addr, incoming: make(chan *adopted), closed: make(chan struct{})}, nil
}

// adopt hands tc to the swarm and returns the swarm's own connection for it.
// On an error tc is closed.
func (a *adopter) adopt(ctx context.Context, sw *swarm.Swarm, tc transport.CapableConn) (network.Conn, error) {
	ad := &adopted{CapableConn: tc, taken: make(chan struct{}), gone: make(chan struct{})}
	select {
	case a.incoming <- ad:
	case <-a.closed:
		return nil, errors.Join(errClosed(), tc.Close())
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), tc.Close())
	}
	select {
	case <-ad.taken:
	case <-ad.gone:
		return nil, ad.refusal(sw)
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), ad.Close())
	}
	for _, c := range sw.ConnsToPeer(tc.RemotePeer()) {
		if adoptedOf(c) == ad {
			return c, nil
		}
	}
	_ = ad.Close() // it is closed already, by the far side
	return nil, ad.refusal(sw)
}

// Accept gives the swarm the next connection.
func (a *adopter) Accept() (transport.CapableConn, error) {
	select {
	case c := <-a.incoming:
		return c, nil
	case <-a.closed:
		return nil, transport.ErrListenerClosed
	}
}

// Close ends the listener.
func (a *adopter) Close() error {
	a.once.Do(func() { close(a.closed) })
	return nil
}

// Addr is the private address.
func (a *adopter) Addr() net.Addr { return adoptAddr{} }

// Multiaddr is the private address.
func (a *adopter) Multiaddr() ma.Multiaddr { return a.addr }

// Listen gives the one listener there is, or a bell.
func (a *adopter) Listen(addr ma.Multiaddr) (transport.Listener, error) {
	if addr.Equal(a.addr) {
		return a, nil
	}
	return &bell{addr: addr, closed: make(chan struct{})}, nil
}

// CanDial is false: nothing can be dialled by this transport.
func (a *adopter) CanDial(ma.Multiaddr) bool { return false }

// Dial always fails.
func (a *adopter) Dial(context.Context, ma.Multiaddr, peer.ID) (transport.CapableConn, error) {
	return nil, swarm.ErrNoTransport
}

// Protocols is the one multiaddr protocol that selects this transport.
func (a *adopter) Protocols() []int { return []int{adoptProtocol} }

// Proxy is false.
func (a *adopter) Proxy() bool { return false }

// adopted is a dialled connection on its way through the listener. It marks
// the connection for as long as it lives and tells when the swarm took it.
type adopted struct {
	transport.CapableConn
	takeOnce, closeOnce sync.Once
	taken               chan struct{} // closed once the swarm serves the connection
	gone                chan struct{} // closed with the connection
	closeErr            error
}

var _ network.ConnStat = (*adopted)(nil)

// AcceptStream is first called when the swarm has entered the connection in
// its books and told everybody of it.
func (c *adopted) AcceptStream() (network.MuxedStream, error) {
	c.takeOnce.Do(func() { close(c.taken) })
	return c.CapableConn.AcceptStream()
}

// Close closes the connection.
func (c *adopted) Close() error { return c.end(c.CapableConn.Close) }

// CloseWithError closes the connection and tells the far side why.
func (c *adopted) CloseWithError(code network.ConnErrorCode) error {
	return c.end(func() error { return c.CapableConn.CloseWithError(code) })
}

func (c *adopted) end(how func() error) error {
	c.closeOnce.Do(func() {
		c.closeErr = how()
		close(c.gone)
	})
	return c.closeErr
}

// refusal says why the connection was closed before it could be used.
func (c *adopted) refusal(sw *swarm.Swarm) error {
	select {
	case <-c.taken:
		return wire.Errorf(wire.Unreachable, "the far side closed the connection at once")
	case <-sw.Done():
		return errClosed()
	default:
		return wire.Errorf(wire.Forbidden, "this node's rules forbid the connection: %w", swarm.ErrGaterDisallowedConnection)
	}
}

// Stat passes on what the transport says of the connection; the swarm reads
// from it whether a relay limits it.
func (c *adopted) Stat() network.ConnStats {
	if s, ok := c.CapableConn.(network.ConnStat); ok {
		return s.Stat()
	}
	return network.ConnStats{}
}

// As finds the mark itself before anything that lies below.
func (c *adopted) As(target any) bool {
	if t, ok := target.(**adopted); ok {
		*t = c
		return true
	}
	return c.CapableConn.As(target)
}

// adoptedOf returns the mark of a swarm's connection, nil if it has none.
func adoptedOf(c network.Conn) *adopted {
	var ad *adopted
	if c.As(&ad) {
		return ad
	}
	return nil
}

// adoptAddr is the private address as a net.Addr.
type adoptAddr struct{}

func (adoptAddr) Network() string { return "memory" }
func (adoptAddr) String() string  { return adoptAddress }
