package trunk

import (
	"encoding/binary"
	"math/bits"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Kind says what a frame is. Kinds 0 to 15 are the trunk's, those from
// FirstKind on its user's.
type Kind byte

// FirstKind is the lowest kind that the users of a trunk may give out.
const FirstKind Kind = 16

// Kinds of frames on a leg's handle.
const (
	kindLeave    Kind = 1
	kindDatagram Kind = 2
)

// Kinds of frames on handle 0, which is the carrier's own.
const (
	kindHello  Kind = 3
	kindSeen   Kind = 4
	kindPing   Kind = 5
	kindPong   Kind = 6
	kindGoAway Kind = 7
)

// MaxFrame is the size of the largest frame in bytes, header included: with
// its header of 12 bytes a yamux message is 64 KiB then.
const MaxFrame = 64<<10 - 12

const (
	maxHandle = 1<<62 - 1
	maxHeader = 9 + 1 + 3 // bytes of a header at most
	pingSize  = 8
)

// header is what comes before a payload: uvarint handle ‖ kind ‖ uvarint length.
type header struct {
	handle uint64
	kind   Kind
	length int // bytes of payload
}

// append adds the header to b.
func (h header) append(b []byte) []byte {
	b = binary.AppendUvarint(b, h.handle)
	b = append(b, byte(h.kind))
	return binary.AppendUvarint(b, uint64(h.length))
}

// size is how many bytes append adds.
func (h header) size() int { return uvarintSize(h.handle) + 1 + uvarintSize(uint64(h.length)) }

// parseHeader reads the header at the beginning of b and tells its size, which
// is 0 as long as b is too short. An error is a violation.
func parseHeader(b []byte) (header, int, error) {
	handle, n, err := uvarint(b, maxHandle)
	if n == 0 || err != nil || len(b) == n {
		return header{}, 0, err
	}
	length, m, err := uvarint(b[n+1:], MaxFrame)
	if m == 0 || err != nil {
		return header{}, 0, err
	}
	h, size := header{handle, Kind(b[n]), int(length)}, n+1+m
	if size+h.length > MaxFrame {
		return header{}, 0, wire.Errorf(wire.TooLarge, "a frame of %d bytes; %d is the most", size+h.length, MaxFrame)
	}
	return h, size, nil
}

// uvarint reads a minimal uvarint of at most max. Its size is 0 if b is too
// short.
func uvarint(b []byte, max uint64) (v uint64, size int, err error) {
	if len(b) > 0 && b[0] < 0x80 {
		return uint64(b[0]), 1, nil
	}
	v, size = binary.Uvarint(b)
	switch {
	case size == 0 && len(b) < binary.MaxVarintLen64:
		return 0, 0, nil
	case size <= 0 || size != uvarintSize(v):
		return 0, 0, wire.Errorf(wire.BadRequest, "a number that is not a minimal uvarint")
	case v > max:
		return 0, 0, wire.Errorf(wire.TooLarge, "a number of %d; %d is the most here", v, max)
	}
	return v, size, nil
}

// uvarintSize is how many bytes v takes.
func uvarintSize(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }

// hello is the first frame of each side of a carrier.
type hello struct{ own bool }

const helloOwn = 1 // bit of HELLO: the carrier is for the legs of its opener alone

// append adds the frame to b.
func (h hello) append(b []byte) []byte {
	var features uint64
	if h.own {
		features |= helloOwn
	}
	return appendNumber(b, kindHello, features)
}

// appendNumber adds a frame of the carrier's own whose payload is one uvarint.
func appendNumber(b []byte, k Kind, v uint64) []byte {
	b = header{kind: k, length: uvarintSize(v)}.append(b)
	return binary.AppendUvarint(b, v)
}

// appendLeave adds a LEAVE; OK says nothing about why.
func appendLeave(b []byte, handle uint64, code wire.Code) []byte {
	if code == wire.OK {
		return header{handle, kindLeave, 0}.append(b)
	}
	b = header{handle, kindLeave, uvarintSize(uint64(code))}.append(b)
	return binary.AppendUvarint(b, uint64(code))
}

// appendPing adds a PING or PONG.
func appendPing(b []byte, k Kind, data [pingSize]byte) []byte {
	return append(header{kind: k, length: pingSize}.append(b), data[:]...)
}

// parseNumber reads a payload that is one uvarint; what follows it is for later
// versions.
func parseNumber(p []byte) (uint64, error) {
	v, n, err := uvarint(p, 1<<64-1)
	if err == nil && n == 0 {
		err = wire.Errorf(wire.BadRequest, "a number that ends too early")
	}
	return v, err
}
