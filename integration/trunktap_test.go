package integration

import (
	"bytes"
	varint "encoding/binary"
	"io"
	"slices"
	"sync"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/panpipe-net/panpipe/node"
	"github.com/panpipe-net/panpipe/protocols/trunk"
)

// trunkTap writes down what passes on the trunk streams that others open to a
// node, inside the encryption of the connection.
type trunkTap struct {
	mu      sync.Mutex
	streams []*tapped
}

// tapped is such a stream.
type tapped struct {
	network.Stream
	tap      *trunkTap
	up, down []byte // what came, and what was sent; guarded by tap.mu
}

// trunkFrame is a frame as the specification of the trunk has it.
type trunkFrame struct {
	handle  uint64
	kind    byte
	payload []byte
}

// tapTrunks has the trunk streams that are opened to n from now on written down.
func tapTrunks(t *testing.T, n *node.Node) *trunkTap {
	t.Helper()
	id := trunk.Protocol(n.Overlay())
	var asked bytes.Buffer // multistream-select, for the handler that stands behind the protocol
	for _, line := range []string{"/multistream/1.0.0\n", string(id) + "\n"} {
		asked.WriteByte(byte(len(line)))
		asked.WriteString(line)
	}
	_, handle, err := n.Host().Mux().Negotiate(struct {
		io.Reader
		io.Writer
		io.Closer
	}{&asked, io.Discard, io.NopCloser(nil)})
	if err != nil {
		t.Fatal(err)
	}
	tap := new(trunkTap)
	n.Host().Mux().AddHandler(id, func(id protocol.ID, s io.ReadWriteCloser) error {
		stream := &tapped{Stream: s.(network.Stream), tap: tap}
		tap.mu.Lock()
		tap.streams = append(tap.streams, stream)
		tap.mu.Unlock()
		return handle(id, stream)
	})
	return tap
}

func (s *tapped) Read(b []byte) (int, error) {
	n, err := s.Stream.Read(b)
	s.tap.mu.Lock()
	defer s.tap.mu.Unlock()
	s.up = append(s.up, b[:n]...)
	return n, err
}

func (s *tapped) Write(b []byte) (int, error) {
	s.tap.mu.Lock()
	s.down = append(s.down, b...)
	s.tap.mu.Unlock()
	return s.Stream.Write(b)
}

// opened are the streams so far.
func (tap *trunkTap) opened() []*tapped {
	tap.mu.Lock()
	defer tap.mu.Unlock()
	return slices.Clone(tap.streams)
}

// frames are those that have passed whole, up to the node and down from it.
func (s *tapped) frames() (up, down []trunkFrame) {
	s.tap.mu.Lock()
	defer s.tap.mu.Unlock()
	return framesOf(s.up), framesOf(s.down)
}

func framesOf(b []byte) (all []trunkFrame) {
	for {
		handle, n := varint.Uvarint(b)
		if n <= 0 || n >= len(b) {
			return all
		}
		size, m := varint.Uvarint(b[n+1:])
		begin := n + 1 + m
		if m <= 0 || uint64(len(b)-begin) < size {
			return all
		}
		all = append(all, trunkFrame{handle, b[n], slices.Clone(b[begin : begin+int(size)])})
		b = b[begin+int(size):]
	}
}

// dataOf joins the DATA of a leg.
func dataOf(frames []trunkFrame, handle uint64) (data []byte) {
	const kindData = 20
	for _, f := range frames {
		if f.handle == handle && f.kind == kindData {
			data = append(data, f.payload...)
		}
	}
	return data
}
