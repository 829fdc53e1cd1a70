package netwatch

import (
	"net"
	"net/netip"
	"slices"
)

// iface is an interface as it stands.
type iface struct {
	index int
	up    bool // and there is a network on it
	addrs []netip.Addr
}

// picture is all interfaces at one moment.
type picture []iface

// note is what a source says of one event.
type note struct {
	fell  int  // index of an interface that went down or lost an address, if only for a moment; 0 for none
	other bool // a change that no picture shows: a default route, or more events than could be read
}

// machine reads the interfaces. It is all of them or an error: what is left out
// would seem to be gone.
func machine() (picture, error) {
	ifaces, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var p picture
	for _, i := range ifaces {
		one := iface{index: i.Index, up: i.Flags&net.FlagUp != 0 && i.Flags&net.FlagRunning != 0}
		addrs, err := i.Addrs()
		if err != nil {
			return nil, err
		}
		for _, a := range addrs {
			if prefix, err := netip.ParsePrefix(a.String()); err == nil {
				one.addrs = append(one.addrs, prefix.Addr().Unmap())
			}
		}
		p = append(p, one)
	}
	return p, nil
}

// counts reports that connections to other networks have addresses like a.
func counts(a netip.Addr) bool { return !a.IsLoopback() && !a.IsLinkLocalUnicast() }

// addrs are all addresses of p that count, or all.
func (p picture) addrs(all bool) []netip.Addr {
	var some []netip.Addr
	for _, i := range p {
		for _, a := range i.addrs {
			if all || counts(a) {
				some = append(some, a)
			}
		}
	}
	slices.SortFunc(some, netip.Addr.Compare)
	return slices.Compact(some)
}

// bears reports that the interface has an address that counts, and whether it
// is up.
func (p picture) bears(index int) (bears, up bool) {
	for _, i := range p {
		if i.index == index {
			return slices.ContainsFunc(i.addrs, counts), i.up
		}
	}
	return false, false
}

// compare says what is different now: whether it may have killed connections,
// and which addresses are gone. fell are interfaces that something happened to
// meanwhile, though it may not show any more.
func compare(before, now picture, fell map[int]bool) (changed bool, gone []netip.Addr) {
	left := now.addrs(true)
	for _, a := range before.addrs(true) {
		if _, still := slices.BinarySearchFunc(left, a, netip.Addr.Compare); !still {
			gone = append(gone, a)
		}
	}
	if !slices.Equal(before.addrs(false), now.addrs(false)) {
		return true, gone
	}
	for _, i := range slices.Concat(before, now) {
		was, wasUp := before.bears(i.index)
		is, isUp := now.bears(i.index)
		if (was || is) && (wasUp != isUp || fell[i.index]) {
			return true, gone
		}
	}
	return false, gone
}
