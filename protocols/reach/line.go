package reach

import (
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

const (
	mostWary = 2               // dials in flight to addresses that nobody has seen the peer at
	waryTime = 4 * time.Second // for one of them, while others wait for it
)

// line is the order in which a race dials. It is pure.
type line struct {
	wary    map[string]bool     // binary addresses of which only mostWary fly at a time
	waiting []network.AddrDelay // by delay
	flying  []ma.Multiaddr
}

// next takes the address that is to be dialled at a time since the start of
// the race: nil for none, and then again says after what time to ask again, 0
// for when something lands. Who waits goes when its delay is over, or nothing
// is in flight.
func (l *line) next(now time.Duration) (a ma.Multiaddr, again time.Duration) {
	for i, w := range l.waiting {
		if len(l.flying) > 0 && w.Delay > now {
			return nil, w.Delay - now
		}
		if l.held(w.Addr) {
			continue
		}
		l.waiting = append(l.waiting[:i:i], l.waiting[i+1:]...)
		l.flying = append(l.flying, w.Addr)
		return w.Addr, 0
	}
	return nil, 0
}

// held reports that a has to wait until another wary one has landed. The
// second of a pair is the one most unlike the first, so that a network without
// IPv6, or without UDP, does not hold up both.
func (l *line) held(a ma.Multiaddr) bool {
	if !l.isWary(a) {
		return false
	}
	var first ma.Multiaddr
	flying := 0
	for _, f := range l.flying {
		if l.isWary(f) {
			first = f
			flying++
		}
	}
	if flying != 1 {
		return flying >= mostWary
	}
	for _, w := range l.waiting {
		if l.isWary(w.Addr) && unlike(w.Addr, first) > unlike(a, first) {
			return true
		}
	}
	return false
}

// impatient reports that a is wary, and more of its kind are left than may fly
// with it.
func (l *line) impatient(a ma.Multiaddr) bool {
	if !l.isWary(a) {
		return false
	}
	left := 0
	for _, f := range l.flying {
		if l.isWary(f) {
			left++
		}
	}
	for _, w := range l.waiting {
		if l.isWary(w.Addr) {
			left++
		}
	}
	return left > mostWary
}

// landed takes in that the dial of a has ended.
func (l *line) landed(a ma.Multiaddr) {
	for i, f := range l.flying {
		if f.Equal(a) {
			l.flying = append(l.flying[:i:i], l.flying[i+1:]...)
			return
		}
	}
}

func (l *line) isWary(a ma.Multiaddr) bool { return l.wary[string(a.Bytes())] }

// unlike counts in how many ways, of IP version and TCP or UDP, two addresses
// differ.
func unlike(a, b ma.Multiaddr) int {
	n := 0
	if is4(a) != is4(b) {
		n++
	}
	if isUDP(a) != isUDP(b) {
		n++
	}
	return n
}

func is4(a ma.Multiaddr) bool {
	ip, err := manet.ToIP(a)
	return err == nil && ip.To4() != nil
}

func isUDP(a ma.Multiaddr) bool {
	_, err := a.ValueForProtocol(ma.P_UDP)
	return err == nil
}
