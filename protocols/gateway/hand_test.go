package gateway

import (
	"bufio"
	"crypto/rand"
	"encoding/binary"
	"io"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/panpipe-net/panpipe/protocols/link"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/trunk"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Frames, as in the package comments of trunk and link.
const (
	trunkLeave                                              = 1
	linkOpen, linkResume, linkResumed, linkRefused          = 16, 17, 18, 19
	linkData, linkAck, linkFin, linkReset, linkClose        = 20, 22, 23, 25, 27
	handCredit                                       uint64 = 16384
)

// hand is a far node made by hand: it speaks trunk, link and pipe in frames that
// a test writes one by one, on a carrier of its own.
type hand struct {
	t    testing.TB
	s    network.Stream
	r    *bufio.Reader
	next uint64 // handle that was not used yet
}

// byHand opens a carrier from one node to another, of which the test is master.
func byHand(t testing.TB, from, to *node) *hand {
	t.Helper()
	p, _, err := from.reach.Path(t.Context(), reach.Want{Peer: to.id(), Addrs: to.host.Addrs(), Transport: "tcp"})
	must(t, err)
	s, err := p.OpenStream(t.Context(), trunk.Protocol("test"))
	must(t, err)
	t.Cleanup(func() { _ = s.Reset() })
	must(t, s.SetDeadline(time.Now().Add(time.Minute)))
	// Far above those that the node itself gives out on this connection.
	h := &hand{t: t, s: s, r: bufio.NewReader(s), next: 1_000_000}
	if from.id() > to.id() {
		h.next++
	}
	h.says(0, 3, 0) // HELLO
	return h
}

// says writes a frame.
func (h *hand) says(handle uint64, kind byte, payload ...byte) {
	h.t.Helper()
	b := append(binary.AppendUvarint(nil, handle), kind)
	b = append(binary.AppendUvarint(b, uint64(len(payload))), payload...)
	_, err := h.s.Write(b)
	must(h.t, err)
}

// hears waits for a frame of one of the kinds on a handle, and passes over all
// others.
func (h *hand) hears(handle uint64, kinds ...byte) (kind byte, payload []byte) {
	h.t.Helper()
	for {
		at, err := binary.ReadUvarint(h.r)
		must(h.t, err)
		kind, err := h.r.ReadByte()
		must(h.t, err)
		size, err := binary.ReadUvarint(h.r)
		must(h.t, err)
		payload := make([]byte, size)
		_, err = io.ReadFull(h.r, payload)
		must(h.t, err)
		for _, k := range kinds {
			if at == handle && kind == k {
				return kind, payload
			}
		}
	}
}

// ended waits for the end of the carrier, by the far side.
func (h *hand) ended() {
	h.t.Helper()
	if _, err := io.Copy(io.Discard, h.r); err == nil || err == io.ErrUnexpectedEOF {
		h.t.Errorf("the carrier ends in good order: %v", err)
	}
}

// leg begins a leg on a new handle with a frame.
func (h *hand) leg(kind byte, payload []byte) uint64 {
	h.t.Helper()
	handle := h.next
	h.next += 2
	h.says(handle, kind, payload...)
	return handle
}

// registers is OPEN, as link's package comment has it.
func registers(id link.ID, gen uint64) []byte {
	b := uvarints(id[:], gen, 0, handCredit, 60_000, uint64(len(pipe.LinkService)))
	return append(b, pipe.LinkService...)
}

// resumes is RESUME of the sender's first life, all of whose data begins anew.
func resumes(id link.ID, gen, received uint64) []byte {
	return uvarints(id[:], gen, 0, 0, 0, received, received, received+handCredit, 1, 0)
}

func uvarints(b []byte, values ...uint64) []byte {
	b = append([]byte(nil), b...)
	for _, v := range values {
		b = binary.AppendUvarint(b, v)
	}
	return b
}

// handChannel is a channel that a hand has opened.
type handChannel struct {
	h      *hand
	id     link.ID
	handle uint64
	sent   uint64 // bytes of the stream, Open included
	got    []byte // of the stream, that were not looked at
	read   uint64
}

// dials opens a channel to a pipe, and returns the word of the answer.
func (h *hand) dials(id link.ID, to pipe.ID, extra ...byte) (*handChannel, wire.Code) {
	h.t.Helper()
	c := &handChannel{h: h, id: id, handle: h.leg(linkOpen, registers(id, 1))}
	c.sends(opens(to, extra...)...)
	h.hears(c.handle, linkResumed)
	length, err := binary.ReadUvarint(byteReader{c})
	must(h.t, err)
	answer := make([]byte, length)
	_, err = io.ReadFull(c, answer)
	must(h.t, err)
	if length < 2 || answer[0] != 1<<3 { // field 1, a number below 128: the code
		return c, wire.OK
	}
	return c, wire.Code(answer[1])
}

// opens is Open, with its length before it.
func opens(to pipe.ID, extra ...byte) []byte {
	nonce := make([]byte, 16)
	_, _ = rand.Read(nonce)
	b := append([]byte{1<<3 | 2, byte(len(to.Bytes()))}, to.Bytes()...)
	b = append(append(b, 2<<3|2, byte(len(nonce))), nonce...)
	b = append(b, extra...)
	return append(binary.AppendUvarint(nil, uint64(len(b))), b...)
}

// sends sends data.
func (c *handChannel) sends(b ...byte) {
	c.h.t.Helper()
	c.h.says(c.handle, linkData, b...)
	c.sent += uint64(len(b))
}

// Read reads what came.
func (c *handChannel) Read(b []byte) (int, error) {
	c.h.t.Helper()
	for len(c.got) == 0 {
		_, c.got = c.h.hears(c.handle, linkData)
	}
	n := copy(b, c.got)
	c.got = c.got[n:]
	c.read += uint64(n)
	return n, nil
}

// Write is sends.
func (c *handChannel) Write(b []byte) (int, error) {
	c.sends(b...)
	return len(b), nil
}

// ends ends the channel in good order, with a service that does too, and leaves
// its leg.
func (c *handChannel) ends() {
	c.h.t.Helper()
	c.h.says(c.handle, linkFin, binary.AppendUvarint(nil, c.sent)...)
	c.h.hears(c.handle, linkFin)
	c.h.says(c.handle, linkAck, uvarints(nil, c.read+1, c.read+1, c.read+handCredit)...)
	c.h.says(c.handle, linkClose)
	c.h.hears(c.handle, linkClose)
	c.leaves()
}

// leaves leaves the leg, as the far side does.
func (c *handChannel) leaves() {
	c.h.t.Helper()
	c.h.says(c.handle, trunkLeave, 0)
	c.h.hears(c.handle, trunkLeave)
}

// byteReader reads byte by byte.
type byteReader struct{ io.Reader }

func (r byteReader) ReadByte() (byte, error) {
	var b [1]byte
	_, err := io.ReadFull(r, b[:])
	return b[0], err
}
