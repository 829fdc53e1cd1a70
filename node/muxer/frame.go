package muxer

import "encoding/binary"

// headerSize is the bytes of a frame's header:
//
//	version, 1 byte, 0 ‖ kind, 1 byte ‖ flags, 2 ‖ stream, 4 ‖ length, 4
//
// of big-endian numbers. Data has length bytes after it.
const headerSize = 12

type kind uint8

// Kinds of frames, and what length is.
const (
	kindData   kind = iota // bytes of data that follow
	kindWindow             // bytes that may be sent besides; with flagReset an error code
	kindPing               // an opaque value that is echoed
	kindGoAway             // an error code
	kinds
)

type flags uint16

const (
	flagOpen  flags = 1 << iota // SYN: a new stream, or a ping
	flagTake                    // ACK: the stream is taken, or the answer to a ping
	flagEnd                     // FIN: the sender sends no more
	flagReset                   // RST: the stream is over
)

type header struct {
	version uint8
	kind    kind
	flags   flags
	stream  uint32 // 0: the connection itself
	length  uint32
}

func (h header) append(b []byte) []byte {
	b = append(b, h.version, byte(h.kind))
	b = binary.BigEndian.AppendUint16(b, uint16(h.flags))
	b = binary.BigEndian.AppendUint32(b, h.stream)
	return binary.BigEndian.AppendUint32(b, h.length)
}

// parseHeader reads the first headerSize bytes of b.
func parseHeader(b []byte) header {
	return header{
		version: b[0], kind: kind(b[1]), flags: flags(binary.BigEndian.Uint16(b[2:])),
		stream: binary.BigEndian.Uint32(b[4:]), length: binary.BigEndian.Uint32(b[8:]),
	}
}
