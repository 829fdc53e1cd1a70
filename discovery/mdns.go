package discovery

import (
	"context"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/discovery/mdns"
)

// lanService announces this node on the LAN and tells found of others, until
// it is closed. found must not block.
type lanService func(h host.Host, service string, found func(peer.AddrInfo)) (io.Closer, error)

// startMDNS is the lanService of the multicast kind.
func startMDNS(h host.Host, service string, found func(peer.AddrInfo)) (io.Closer, error) {
	s := mdns.NewMdnsService(h, service, foundFunc(found))
	if err := s.Start(); err != nil {
		_ = s.Close() // stops what had started
		return nil, err
	}
	return s, nil
}

type foundFunc func(peer.AddrInfo)

// HandlePeerFound is called by the mDNS library.
func (f foundFunc) HandlePeerFound(in peer.AddrInfo) { f(in) }

// lanName is the mDNS service of an overlay.
func lanName(overlay string) string { return "_" + overlay + "._udp" }

// listenLAN keeps the LAN service running. The library reads the addresses to
// announce when it starts, so it is started again when they have changed; and
// it cannot start on a machine without a network, so that is tried again.
func (l *loop) listenLAN(ctx context.Context) {
	pause := l.d.newPause()
	for {
		s, err := l.d.cfg.lan(l.d.cfg.Host, lanName(l.d.cfg.Overlay), func(in peer.AddrInfo) {
			select {
			case l.found <- in:
			default: // many at once; mDNS repeats itself
			}
		})
		wait := time.Duration(1<<63 - 1)
		if err != nil {
			wait = pause.NextBackOff()
			l.d.cfg.Log.Info("no discovery on the LAN", "error", err, "again", wait)
		}
		restart := l.lanEnds(ctx, wait)
		if s != nil {
			s.Close()
		}
		if !restart {
			return
		}
	}
}

// lanEnds waits until the LAN service has to start again, false for never.
func (l *loop) lanEnds(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	case <-l.moved:
	}
	// Addresses change several at a time.
	timer.Reset(settleDelay)
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
