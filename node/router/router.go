// Package router asks the router of this network for its outside address, by
// NAT-PMP (RFC 6886) and by UPnP (WANIPConnection 1 and 2, WANPPPConnection 1).
package router

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/huin/goupnp/dcps/internetgateway2"
	"github.com/libp2p/go-netroute"
)

// Timeout is enough for a router to be found and to answer.
const Timeout = 10 * time.Second

// ErrNone says that no router has answered.
var ErrNone = errors.New("no router answers")

// answer is what one way of asking brings: an address, the zero one for a
// router that has none to tell, or an error when nobody answers.
type answer struct {
	outside netip.Addr
	err     error
}

// Outside returns the outside address of the router, and the zero Addr of a
// router that answers and has none to tell. It is ErrNone when no router
// answers before ctx ends.
func Outside(ctx context.Context) (netip.Addr, error) {
	var asking sync.WaitGroup
	defer asking.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ways := []func(context.Context) answer{natPMP, upnp(internetgateway2.NewWANIPConnection2ClientsCtx),
		upnp(internetgateway2.NewWANIPConnection1ClientsCtx), upnp(internetgateway2.NewWANPPPConnection1ClientsCtx)}
	answers := make(chan answer, len(ways))
	for _, ask := range ways {
		asking.Go(func() { answers <- ask(ctx) })
	}
	none := answer{err: ErrNone}
	for range ways {
		a := <-answers
		if a.err == nil && a.outside.IsValid() {
			return a.outside, nil
		}
		if a.err == nil {
			none = a
		}
	}
	return none.outside, none.err
}

// natPMP asks the default gateway. A result code that is not 0 means that it
// has no address, or gives none to this node.
func natPMP(ctx context.Context) answer {
	routes, err := netroute.New()
	if err != nil {
		return answer{err: err}
	}
	_, gateway, _, err := routes.Route(net.IPv4zero)
	if err != nil || gateway == nil {
		return answer{err: ErrNone}
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "udp4", net.JoinHostPort(gateway.String(), "5351"))
	if err != nil {
		return answer{err: err}
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	buf := make([]byte, 16)
	for wait := 250 * time.Millisecond; wait <= 4*time.Second; wait *= 2 {
		if _, err := c.Write([]byte{0, 0}); err != nil { // version 0, opcode 0
			return answer{err: err}
		}
		_ = c.SetReadDeadline(time.Now().Add(wait)) // a closed socket tells at the read
		if n, err := c.Read(buf); err == nil {
			return parsePMP(buf[:n])
		}
	}
	return answer{err: ErrNone}
}

// parsePMP reads: version 8 ‖ opcode 8 ‖ result 16 ‖ epoch 32 ‖ address 32.
func parsePMP(b []byte) answer {
	switch {
	case len(b) < 8 || b[0] != 0 || b[1] != 128:
		return answer{err: ErrNone}
	case binary.BigEndian.Uint16(b[2:]) != 0:
		return answer{}
	case len(b) < 12:
		return answer{err: ErrNone}
	}
	return answer{outside: given(netip.AddrFrom4([4]byte(b[8:12])))}
}

// service is any of the UPnP services that know the outside address.
type service interface {
	GetExternalIPAddressCtx(ctx context.Context) (string, error)
}

// upnp finds services of one kind and asks them.
func upnp[S service](find func(context.Context) ([]S, []error, error)) func(context.Context) answer {
	return func(ctx context.Context) answer {
		found, _, err := find(ctx)
		if err != nil {
			return answer{err: err}
		}
		all := answer{err: ErrNone}
		for _, s := range found {
			text, err := s.GetExternalIPAddressCtx(ctx)
			if err != nil {
				continue
			}
			ip, _ := netip.ParseAddr(text) // empty, or nonsense, is none
			if all = (answer{outside: given(ip)}); all.outside.IsValid() {
				return all
			}
		}
		return all
	}
}

// given is the zero Addr for the unspecified address, which some routers tell
// when they have none.
func given(ip netip.Addr) netip.Addr {
	if ip = ip.Unmap(); !ip.IsValid() || ip.IsUnspecified() {
		return netip.Addr{}
	}
	return ip
}
