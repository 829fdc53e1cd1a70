// Package records is go-libp2p's TLS (libp2p spec, tls/tls.md) with fewer system
// calls: crypto/tls writes each record of 16 KiB by a call of its own, and reads
// about one by each. Here whoever writes says which records go together, and
// what is read beyond the record asked for is kept. On the wire nothing differs.
package records

import (
	"context"
	"net"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/net/upgrader"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
)

// Transport secures connections as libp2ptls.Transport does. They are *Conn.
type Transport struct{ *libp2ptls.Transport }

// New is libp2ptls.New.
func New(id protocol.ID, key crypto.PrivKey, muxers []upgrader.StreamMuxer) (*Transport, error) {
	t, err := libp2ptls.New(id, key, muxers)
	if err != nil {
		return nil, err
	}
	return &Transport{t}, nil
}

// SecureInbound implements sec.SecureTransport.
func (t *Transport) SecureInbound(ctx context.Context, insecure net.Conn, p peer.ID) (sec.SecureConn, error) {
	return secured(insecure, func(c net.Conn) (sec.SecureConn, error) { return t.Transport.SecureInbound(ctx, c, p) })
}

// SecureOutbound implements sec.SecureTransport.
func (t *Transport) SecureOutbound(ctx context.Context, insecure net.Conn, p peer.ID) (sec.SecureConn, error) {
	return secured(insecure, func(c net.Conn) (sec.SecureConn, error) { return t.Transport.SecureOutbound(ctx, c, p) })
}

func secured(insecure net.Conn, handshake func(net.Conn) (sec.SecureConn, error)) (sec.SecureConn, error) {
	below := &gathered{Conn: insecure}
	c, err := handshake(below)
	if err != nil {
		return nil, err
	}
	return &Conn{SecureConn: c, below: below}, nil
}

// Conn is a secured connection.
type Conn struct {
	sec.SecureConn
	below *gathered
}

// Cork holds back what is written from now on, up to about 64 KiB, until
// Uncork: it then goes by one call. Only who has the sole right to write may cork.
func (c *Conn) Cork() { c.below.cork() }

// Uncork writes what was held back. After an error the connection is of no use:
// what Write has taken meanwhile may be lost.
func (c *Conn) Uncork() error { return c.below.uncork() }

// Close closes the connection, at once if somebody is writing to it: crypto/tls,
// which does that while its own Write is active, does not know of Uncork, and
// would wait 5 s for a far side that takes nothing.
func (c *Conn) Close() error {
	if c.below.mu.TryLock() {
		c.below.mu.Unlock()
		return c.SecureConn.Close()
	}
	err := c.below.Conn.Close()
	_ = c.SecureConn.Close() // cannot say goodbye any more
	return err
}
