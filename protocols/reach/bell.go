package reach

import (
	"net"
	"sync"

	"github.com/libp2p/go-libp2p/core/transport"
	ma "github.com/multiformats/go-multiaddr"
)

// bellAddress is where a bell listens. It is private, like adoptAddress.
const bellAddress = "/memory/2"

// ring has swarm and host look anew at the addresses of this machine, which
// else they do a minute later. There is no door for that, but a listener that
// comes and goes makes them do it.
func (r *Reach) ring() {
	addr, err := ma.NewMultiaddr(bellAddress)
	if err != nil {
		return
	}
	if err := r.sw.AddListenAddr(addr); err != nil {
		r.cfg.Log.Debug("addresses are not looked at anew", "err", err)
		return
	}
	r.sw.ListenClose(addr)
}

// bell is a listener to which nobody comes.
type bell struct {
	addr   ma.Multiaddr
	once   sync.Once
	closed chan struct{}
}

var _ transport.Listener = (*bell)(nil)

// Accept waits for the end.
func (b *bell) Accept() (transport.CapableConn, error) {
	<-b.closed
	return nil, transport.ErrListenerClosed
}

// Close ends the listener.
func (b *bell) Close() error {
	b.once.Do(func() { close(b.closed) })
	return nil
}

// Addr is the private address.
func (b *bell) Addr() net.Addr { return adoptAddr{} }

// Multiaddr is the private address.
func (b *bell) Multiaddr() ma.Multiaddr { return b.addr }
