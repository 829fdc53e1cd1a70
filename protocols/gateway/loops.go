package gateway

import (
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
)

// loops tells which clients of this gateway are its own connections to a
// target, and how many gateways stand before them. So a chain of forwards that
// comes back to where it began is counted as it grows, and ends at the eighth.
//
// A dial to a listener of this gateway is announced before and told after; a
// client that comes meanwhile waits for it, since it may be that very dial.
type loops struct {
	mu        sync.Mutex                 // guards what follows
	listeners map[string]int             // own listeners, by their address
	dials     map[chan struct{}]struct{} // to own listeners, under way; closed when over
	hops      map[string]int             // by the local address of a connection to an own listener
}

func newLoops() *loops {
	return &loops{
		listeners: make(map[string]int), dials: make(map[chan struct{}]struct{}), hops: make(map[string]int),
	}
}

// listens notes an own listener, until the returned function is called.
func (l *loops) listens(a net.Addr) (forget func()) {
	key := a.Network() + " " + a.String()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.listeners[key]++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.listeners[key]--; l.listeners[key] == 0 {
			delete(l.listeners, key)
		}
	}
}

// own reports that a target leads to one of this gateway's own listeners, as
// far as its address shows.
func (l *loops) own(target address) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key := range l.listeners {
		network, addr, _ := strings.Cut(key, " ")
		if network != target.network {
			continue
		}
		if addr == target.addr || network == "tcp" && sameMachinePort(target.addr, addr) {
			return true
		}
	}
	return false
}

// sameMachinePort reports that both have one port, and the target is on this
// machine.
func sameMachinePort(target, listener string) bool {
	host, port, err := net.SplitHostPort(target)
	if err != nil {
		return false
	}
	if _, p, err := net.SplitHostPort(listener); err != nil || p != port {
		return false
	}
	if strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	return ip.IsLoopback() || ip.IsUnspecified() || ownIP(ip)
}

// ownIP reports that an address is of one of this machine's interfaces.
func ownIP(ip netip.Addr) bool {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.Equal(ip.WithZone("").AsSlice()) {
			return true
		}
	}
	return false
}

// dialling announces a dial to an own listener. The returned function tells
// what came of it: the connection's own address, or nil.
func (l *loops) dialling(hops int) (dialled func(local net.Addr)) {
	done := make(chan struct{})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dials[done] = struct{}{}
	return func(local net.Addr) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if key, ok := endOf(local); ok {
			l.hops[key] = hops
		}
		delete(l.dials, done)
		close(done)
	}
}

// forget forgets a connection to an own listener that has ended.
func (l *loops) forget(local net.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if key, ok := endOf(local); ok {
		delete(l.hops, key)
	}
}

// before is how many gateways stand before a client, by its address. It waits
// for the own dials that were under way when the client came.
func (l *loops) before(client net.Addr) int {
	key, ok := endOf(client)
	if !ok {
		return 0
	}
	l.mu.Lock()
	under := slices.Collect(maps.Keys(l.dials))
	l.mu.Unlock()
	for _, done := range under {
		<-done // a dial to this machine ends at once
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.hops[key]
}

// endOf is the address of a connection's end, if it has one: most clients of
// Unix sockets have none.
func endOf(a net.Addr) (key string, ok bool) {
	if a == nil {
		return "", false
	}
	key = a.String()
	return key, key != "" && key != "@"
}
