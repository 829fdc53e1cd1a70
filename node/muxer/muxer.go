// Package muxer is the muxer of TCP and WebSocket: yamux, written anew. It
// speaks the protocol /yamux/1.0.0 with every libp2p peer; its specification is
// github.com/libp2p/go-yamux/blob/master/spec.md. In short, a frame is
//
//	version 0, 1 byte ‖ kind, 1 ‖ flags, 2 ‖ stream, 4 ‖ length, 4 ‖ data
//
// with big-endian numbers, where the dialer's streams are odd:
//
//	kind     length             flags
//	0 data   bytes of data      1 SYN  first frame of a stream; PING: a question
//	1 window bytes more         2 ACK  the stream was accepted; PING: the answer
//	2 ping   any number         4 FIN  the sender sends no more
//	3 goaway error code         8 RST  the stream is over; length of a window
//	                                   frame is an error code then
//
// A stream begins with a window of 256 KiB each way.
//
// # Why not go-yamux
//
// What go-yamux (v5.1.0) is written to copies and hands to another goroutine,
// and when it doubles the window of a stream it forgets half of it, so that a
// path of 100 Mbit/s at 50 ms is used to three quarters. Here
//
//   - whoever has a frame writes it himself. Who comes meanwhile leaves it to him
//     if it is small, and it goes along with others; if not he waits for his turn,
//     first come, first served. Of a large frame a quarter is copied, so that the
//     rest goes in whole TLS records from where it is
//   - nothing that reads waits for a write, nor does who opens, ends or resets a
//     stream. A Write that has a deadline is left to another goroutine, since a
//     connection that is being written to cannot be left
//   - who reads a stream may run within the goroutine that reads the connection
//     (Driver): an exchange of 64 bytes through two nodes takes a quarter less
//     when no other goroutine is woken for each frame
//   - one goroutine belongs to a connection rather than three
//   - windows grow as go-yamux means it: doubled when half of one lasts no longer
//     than four round trips, up to 16 MiB, and all of it is announced
//   - the round trip is the least of the last four pings, the first ones a second
//     apart: go-yamux measures it first when a connection is busiest, and for
//     30 s. Windows that are too large for a fast path, a link's too, halve its
//     throughput
//   - a stream that the resource manager does not grant is reset, while go-yamux
//     ends the connection, and small frames are put together, while go-yamux has
//     40 bytes of memory for each byte that comes alone
//
// Through two forwarders, in turns (BenchmarkForward in integration, raw-node
// beside raw): 0.90 of the processors' time a byte, 1.07 of the throughput, and
// 0.86 to 0.95 of the time for an exchange of 64 bytes.
//
// # Limits
//
//	256     streams that wait to be accepted: more are reset
//	256 KiB reserved with the resource manager for each stream, before it is
//	        opened or accepted; as much again with each doubling of its window,
//	        if that is granted
//	4×      as much memory at most as bytes that were not read, and 64 KiB
//	30 s    between pings after the first four; if nothing comes from one to 10 s
//	        after the next the connection ends
//	10 s    in which the connection does not take what is written at once, 64 KiB
//	        mostly, 5 s at least: it ends. So long a Write without a deadline may
//	        outlast its stream
//	256     answers that wait to be written: pings are not answered any more
//	1 MiB   of frames that wait: who opens one more stream then is cut off, and
//	        this side opens none
//
// Whatever breaks the protocol ends the connection, with GoAway 1: an unknown
// version or kind, a stream that is opened twice or with the other side's
// number, data beyond the window, a window of more than 2^32. Frames for streams
// that are over are skipped, and streams that are over before they are accepted
// are not given to who accepts.
//
// # Errors
//
// Streams tell what network.MuxedStream asks for: network.ErrReset for a stream
// that this side or the far one has reset, or whose connection has ended, with a
// StreamError or a ConnError where there is a code; os.ErrDeadlineExceeded for a
// deadline of their own and nothing else, io.EOF for the far side's end and
// nothing else. What was written before a connection ended may be lost.
package muxer

import (
	"net"

	"github.com/libp2p/go-libp2p/core/network"
)

const (
	// firstWindow is what a stream may hold unread before it has shown that it
	// is read, in bytes. The protocol has it so.
	firstWindow = 256 << 10

	// lastWindow is where windows stop growing, in bytes: 2.5 Gbit/s at 50 ms.
	// Growth is reserved with the resource manager, which grants half of
	// limits.memory to it, so a peer gains nothing from many such streams.
	lastWindow = 16 << 20

	// frameMost is the data of a frame at most, in bytes: with its header it is
	// four TLS records.
	frameMost = 64<<10 - headerSize
)

type muxer struct{}

// New makes the muxer.
func New() network.Multiplexer { return muxer{} }

// NewConn implements network.Multiplexer.
func (muxer) NewConn(nc net.Conn, isServer bool, scope network.PeerScope) (network.MuxedConn, error) {
	if scope == nil {
		scope = &network.NullScope{}
	}
	return newSession(nc, isServer, scope.BeginSpan), nil
}
