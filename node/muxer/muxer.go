// Package muxer is the muxer of TCP and WebSocket: go-yamux with its flow
// control repaired.
//
// When go-yamux (v5.1.0, sendWindowUpdate) doubles the window of a stream it
// announces the new half and forgets what was read since the announcement
// before, half a window or more. The far side never gets that back: it may fill
// half of what is reserved here, which is when the next announcement leaves,
// and so it stands still for a round trip each time. A path of 100 Mbit/s at
// 50 ms is used to three quarters.
//
// The muxer recognises the announcement of a doubled window as it is written
// and adds the half that is missing. The wire format is yamux's and nothing is
// asked of the far side. A go-yamux that announces all by itself is left alone.
//
// Windows begin at the size that go-yamux reserves with the resource manager,
// so that the memory a peer can pin with data that nobody reads is what the
// node has accounted for.
package muxer

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
	"net"
	"sync"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

const (
	// firstWindow is what a stream may hold unread before it has shown that it
	// is read, in bytes. It is yamux's least, and the only one for which the
	// resource manager's account is true: go-yamux reserves this much for a
	// stream whatever is configured.
	firstWindow = 256 << 10

	// lastWindow is where windows stop growing, in bytes: 2.5 Gbit/s at 50 ms.
	// Growth is reserved with the resource manager, which grants half of
	// limits.memory to it, so a peer gains nothing from many such streams.
	lastWindow = 16 << 20

	// readMost bounds one read of a stream, in bytes. A window is announced
	// anew once half of it was read, so with reads far below half a window no
	// ordinary announcement is as large as a whole one. growth relies on it.
	readMost = 64 << 10
)

// muxer is libp2p's own over windows that are watched.
type muxer struct{ yamux *yamux.Transport }

// New makes the muxer.
func New() network.Multiplexer {
	c := *yamux.DefaultTransport.Config()
	c.InitialStreamWindowSize = firstWindow
	c.MaxStreamWindowSize = lastWindow
	c.MaxIncomingStreams = math.MaxUint32 // the resource manager counts streams
	c.LogOutput = io.Discard
	return muxer{(*yamux.Transport)(&c)}
}

// NewConn implements network.Multiplexer.
func (m muxer) NewConn(nc net.Conn, isServer bool, scope network.PeerScope) (network.MuxedConn, error) {
	c := &conn{windows: &windows{Conn: nc, size: make(map[uint32]uint32)}}
	var err error
	if c.MuxedConn, err = m.yamux.NewConn(c.windows, isServer, scope); err != nil {
		return nil, err
	}
	if !c.As(&c.session) {
		return nil, errors.Join(wire.Errorf(wire.Internal, "libp2p's yamux shows no session"), c.Close())
	}
	return c, nil
}

// windows is the connection under a yamux session. It sees every frame that
// the session writes: go-yamux writes each with one call.
type windows struct {
	net.Conn

	mu   sync.Mutex
	size map[uint32]uint32 // of the streams that may be read, by number
}

// Write writes a frame.
func (w *windows) Write(frame []byte) (int, error) {
	id, delta, ok := announcement(frame)
	if !ok {
		return w.Conn.Write(frame)
	}
	missing := w.announced(id, delta)
	if missing == 0 {
		return w.Conn.Write(frame)
	}
	return w.Conn.Write(binary.BigEndian.AppendUint32(frame[:8:8], delta+missing))
}

// announced notes that a window is announced and returns what is to be added.
func (w *windows) announced(id, delta uint32) uint32 {
	w.mu.Lock()
	defer w.mu.Unlock()
	size, ok := w.size[id]
	if !ok {
		return 0 // nobody reads that stream any more
	}
	next, missing := growth(size, delta)
	w.size[id] = next
	return missing
}

// watch begins with a stream, before its first read.
func (w *windows) watch(id uint32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.size[id] = firstWindow
}

// forget ends it. Every stream comes to this: its user ends it, or reads its
// end.
func (w *windows) forget(id uint32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.size, id)
}

// announcement reads a frame that announces more window and does nothing else:
// version 0, type 1, flags 0, then stream and delta in four bytes each.
func announcement(frame []byte) (id, delta uint32, ok bool) {
	if len(frame) != 12 || binary.BigEndian.Uint32(frame) != 1<<16 {
		return 0, 0, false
	}
	return binary.BigEndian.Uint32(frame[4:]), binary.BigEndian.Uint32(frame[8:]), true
}

// growth judges an announcement of delta for a stream whose window is size:
//
//	size/2 ≤ delta < size   what was read; the window stays
//	delta = size            the window doubles, and at least size/2 that was read is missing
//	delta > size            the window doubles, and nothing is known to be missing
//
// Between the last two stands a go-yamux without the mistake.
func growth(size, delta uint32) (next, missing uint32) {
	switch {
	case delta < size:
		return size, 0
	case delta == size:
		return 2 * size, size / 2
	}
	return 2 * size, 0
}
