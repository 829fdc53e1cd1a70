package link

import "sync"

// queue holds the bytes of a stream from offset off to offset end. The zero
// queue is empty and stands at offset 0. An empty queue holds no memory.
type queue struct {
	off, end uint64
	parts    []part           // in order, none empty
	head     int              // parts before it are freed
	mem      int              // bytes of memory held
	many     *[manyParts]part // where parts are, if there were more than keptParts
	few      []part           // empty: where parts are otherwise, meanwhile
}

// part is the bytes from..to of a chunk; the first stands at offset off.
type part struct {
	c        *chunk
	off      uint64
	from, to int
}

func (p *part) len() int { return p.to - p.from }

func (p *part) bytes() []byte { return p.c.b[p.from:p.to] }

func (q *queue) len() int { return int(q.end - q.off) }

// startAt makes an empty queue stand at an offset.
func (q *queue) startAt(off uint64) { q.off, q.end = off, off }

// append copies b to the end.
func (q *queue) append(b []byte) {
	if n := len(q.parts); n > q.head {
		tail := &q.parts[n-1]
		copied := copy(tail.c.b[tail.to:], b)
		tail.to += copied
		q.end += uint64(copied)
		b = b[copied:]
	}
	q.appendApart(b, min(q.len(), largestChunk))
}

// appendApart copies b to the end, into chunks of their own of at least so many
// bytes.
func (q *queue) appendApart(b []byte, least int) {
	for len(b) > 0 {
		c := newChunk(max(len(b), least))
		n := copy(c.b[c.head():], b)
		q.push(c, c.head(), c.head()+n)
		b = b[n:]
	}
}

// push puts bytes from..to of c at the end. The queue owns c from now on. Few
// bytes are copied to where there is room, so that memory stays within a few
// times what is queued, however small the pieces.
func (q *queue) push(c *chunk, from, to int) {
	if n := len(q.parts); from == to || (n > q.head && to-from <= len(q.parts[n-1].c.b)-q.parts[n-1].to) {
		q.append(c.b[from:to])
		c.free()
		return
	}
	q.pushPart(c, from, to)
}

// pushPart is push of bytes that stay where they are.
func (q *queue) pushPart(c *chunk, from, to int) {
	switch full := len(q.parts) == cap(q.parts); {
	case full && q.head > len(q.parts)/2:
		q.shift()
	case full && len(q.parts) >= keptParts:
		q.grow()
	}
	q.parts = append(q.parts, part{c: c, off: q.end, from: from, to: to})
	q.end += uint64(to - from)
	q.mem += len(c.b)
}

// read moves the first bytes to b.
func (q *queue) read(b []byte) (n int) {
	for n < len(b) && q.off < q.end {
		p := &q.parts[q.head]
		copied := copy(b[n:], p.c.b[p.from:p.to])
		n += copied
		q.skipTo(q.off + uint64(copied))
	}
	return n
}

// take moves the first parts to the end of parts, as many as it has room for and
// so many bytes, but one at least. Their chunks are the caller's.
func (q *queue) take(parts []part, most int) []part {
	for first := true; q.head < len(q.parts) && len(parts) < cap(parts); first = false {
		p := &q.parts[q.head]
		if most -= p.len(); most < 0 && !first {
			break
		}
		parts = append(parts, *p)
		q.off = p.off + uint64(p.len())
		q.mem -= len(p.c.b)
		*p = part{}
		q.head++
	}
	q.compact()
	return parts
}

// skipTo drops what stands before offset off, which is not after end.
func (q *queue) skipTo(off uint64) {
	for q.head < len(q.parts) {
		p := &q.parts[q.head]
		if partEnd := p.off + uint64(p.len()); partEnd > off {
			if off > p.off {
				p.from += int(off - p.off)
				p.off = off
			}
			break
		}
		q.mem -= len(p.c.b)
		p.c.free()
		*p = part{}
		q.head++
	}
	q.off = max(q.off, off)
	q.compact()
}

const (
	keptParts = 32  // that an empty queue has room for, or a few more: 1.3 KiB
	manyParts = 512 // that a queue of more has room for, in pooled memory
)

var partsPool = sync.Pool{New: func() any { return new([manyParts]part) }}

// grow makes room for more than keptParts.
func (q *queue) grow() {
	old := q.parts
	if len(old) < manyParts {
		q.many, q.few = partsPool.Get().(*[manyParts]part), old[:0]
		q.parts = append(q.many[:0], old...)
		clear(old)
		return
	}
	q.parts = append(make([]part, 0, 2*len(old)), old...)
	clear(old)
	q.giveBack()
}

// giveBack does without the pooled memory, in which nothing is left.
func (q *queue) giveBack() {
	if q.many != nil {
		partsPool.Put(q.many)
		q.many = nil
	}
}

// compact forgets freed parts, nearly all memory once the queue is empty.
func (q *queue) compact() {
	switch {
	case q.head == len(q.parts):
		q.head = 0
		if cap(q.parts) > 2*keptParts {
			q.parts, q.few = q.few, nil
			q.giveBack()
		} else {
			q.parts = q.parts[:0]
		}
	case q.head > keptParts && q.head > len(q.parts)/2:
		q.shift()
	}
}

// shift makes room at the end of what there is.
func (q *queue) shift() {
	n := copy(q.parts, q.parts[q.head:])
	clear(q.parts[n:])
	q.parts, q.head = q.parts[:n], 0
}

// copyAt copies what stands at offset off to b, and returns how much that was.
func (q *queue) copyAt(off uint64, b []byte) (n int) {
	for i := q.find(off); i < len(q.parts) && n < len(b); i++ {
		p := &q.parts[i]
		at := p.from + int(off+uint64(n)-p.off)
		n += copy(b[n:], p.c.b[at:p.to])
	}
	return n
}

// piece is the rest of a part, if it begins at offset off: what stands before it
// in its chunk is not needed any more. Else it is empty.
func (q *queue) piece(off uint64) (p part) {
	if i := q.find(off); i < len(q.parts) && q.parts[i].off == off {
		p = q.parts[i]
	}
	return p
}

// run is how many bytes from offset off on, at most so many, one frame takes: up
// to a part that can be sent from where it is.
func (q *queue) run(off uint64, most int) (n int) {
	for i := q.find(off); i < len(q.parts) && n < most; i++ {
		p := &q.parts[i]
		if n > 0 && p.len() >= leastLent {
			break
		}
		n += int(p.off + uint64(p.len()) - off - uint64(n))
	}
	return min(n, most)
}

// find is the index of the part that holds offset off.
func (q *queue) find(off uint64) int {
	low, high := q.head, len(q.parts)
	for low < high {
		mid := int(uint(low+high) >> 1)
		if p := &q.parts[mid]; p.off+uint64(p.len()) <= off {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}

// cutTo drops what stands at offset end and beyond.
func (q *queue) cutTo(end uint64) {
	for end < q.end {
		p := &q.parts[len(q.parts)-1]
		if p.off < end {
			p.to -= int(q.end - end)
			q.end = end
			return
		}
		q.end = p.off
		q.mem -= len(p.c.b)
		p.c.free()
		*p = part{}
		q.parts = q.parts[:len(q.parts)-1]
	}
}

// join takes over all of next, which begins where q ends.
func (q *queue) join(next *queue) {
	for i := next.head; i < len(next.parts); i++ {
		p := next.parts[i]
		q.push(p.c, p.from, p.to)
	}
	*next = queue{off: q.end, end: q.end}
}

// free drops everything.
func (q *queue) free() { q.skipTo(q.end); q.parts, q.few = nil, nil }
