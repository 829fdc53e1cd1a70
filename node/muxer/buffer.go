package muxer

import "sync"

// segmentSizes are the sizes of memory for what has arrived, in bytes. The
// largest takes the data of the largest frame that go-yamux and this package
// send.
var segmentSizes = [...]int{1 << 10, 4 << 10, 16 << 10, 64 << 10}

var segmentPools [len(segmentSizes)]sync.Pool

// segment is a piece of pooled memory; b[r:w] has arrived and was not read.
type segment struct {
	b     []byte
	class int
	r, w  int
}

func newSegment(n int) *segment {
	class := 0
	for class < len(segmentSizes)-1 && segmentSizes[class] < n {
		class++
	}
	if s, ok := segmentPools[class].Get().(*segment); ok {
		return s
	}
	return &segment{b: make([]byte, segmentSizes[class]), class: class}
}

func (s *segment) free() {
	s.r, s.w = 0, 0
	segmentPools[s.class].Put(s)
}

// keptParts is how many segments an empty buffer has places for, at most: 2 KiB,
// after as many were full, which are the largest window.
const keptParts = 256

// buffer is what has arrived on a stream and was not read. Its memory is within
// four times that and 64 KiB, however small the frames, and none when it is
// empty. While space is out it may be read, but nothing else.
type buffer struct {
	parts   []*segment // none is empty but for the last while it is filled
	len     int
	filling bool // space was given and not taken back
	dropped bool // meanwhile
}

// space is memory for at least one and at most n bytes that follow, until
// filled.
func (b *buffer) space(n int) []byte {
	b.filling = true
	if k := len(b.parts); k > 0 {
		if last := b.parts[k-1]; last.w < len(last.b) {
			return last.b[last.w:min(len(last.b), last.w+n)]
		}
	}
	s := newSegment(max(n, min(b.len, segmentSizes[len(segmentSizes)-1])))
	b.parts = append(b.parts, s)
	return s.b[:min(n, len(s.b))]
}

// filled says that n bytes were put into space.
func (b *buffer) filled(n int) {
	b.filling = false
	last := b.parts[len(b.parts)-1]
	if b.dropped {
		b.drop()
		return
	}
	last.w += n
	b.len += n
	b.trim()
}

// read moves the first bytes to p.
func (b *buffer) read(p []byte) (n int) {
	for n < len(p) && b.len > 0 {
		s := b.parts[0]
		k := copy(p[n:], s.b[s.r:s.w])
		s.r += k
		n += k
		b.len -= k
		b.trim()
	}
	return n
}

// trim frees the first segments that were read.
func (b *buffer) trim() {
	for len(b.parts) > 0 && b.parts[0].r == b.parts[0].w && !(b.filling && len(b.parts) == 1) {
		b.parts[0].free()
		n := copy(b.parts, b.parts[1:])
		b.parts[n] = nil
		b.parts = b.parts[:n]
	}
	if len(b.parts) == 0 && cap(b.parts) > keptParts {
		b.parts = nil
	}
}

// drop frees all.
func (b *buffer) drop() {
	if b.filling {
		b.dropped = true
		return
	}
	for _, s := range b.parts {
		s.free()
	}
	*b = buffer{dropped: b.dropped}
}
