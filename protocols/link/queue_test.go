package link

import (
	"bytes"
	"testing"
)

// filled is a queue of pieces of so many bytes, 0, 1, 2, … in all.
func filled(pieces ...int) (q queue) {
	next := byte(0)
	for _, n := range pieces {
		c := newChunk(n)
		for i := range n {
			c.b[c.head()+i] = next
			next++
		}
		q.pushPart(c, c.head(), c.head()+n)
	}
	return q
}

func TestTakenPartsAreWhatWouldBeRead(t *testing.T) {
	for _, tt := range []struct {
		name   string
		pieces []int
		skip   uint64
		most   int
		room   int
		want   []int // bytes of each part
		left   int
	}{
		{"nothing", nil, 0, 100, 2, nil, 0},
		{"all", []int{3, 4}, 0, 100, 2, []int{3, 4}, 0},
		{"the rest of a part", []int{3, 4}, 1, 100, 2, []int{2, 4}, 0},
		{"as many as there is room for", []int{3, 4, 5}, 0, 100, 2, []int{3, 4}, 5},
		{"within so many bytes", []int{3, 4, 5}, 0, 7, 4, []int{3, 4}, 5},
		{"the first in any case", []int{30, 4}, 0, 7, 4, []int{30}, 4},
	} {
		q := filled(tt.pieces...)
		q.skipTo(tt.skip)
		parts := q.take(make([]part, 0, tt.room), tt.most)
		if len(parts) != len(tt.want) || q.len() != tt.left {
			t.Errorf("%s: %d parts, %d bytes left", tt.name, len(parts), q.len())
			continue
		}
		at := byte(tt.skip)
		for i, p := range parts {
			want := make([]byte, tt.want[i])
			for j := range want {
				want[j] = at
				at++
			}
			if !bytes.Equal(p.bytes(), want) {
				t.Errorf("%s: part %d is %v, not %v", tt.name, i, p.bytes(), want)
			}
		}
		if q.off != uint64(at) {
			t.Errorf("%s: it stands at %d, not %d", tt.name, q.off, at)
		}
		if q.skipTo(q.end); q.mem != 0 {
			t.Errorf("%s: %d bytes of memory in an empty queue", tt.name, q.mem)
		}
	}
}

// TestMemoryOfWhatIsPutIsBounded: whatever pieces a conn gives, and whatever
// they were read into.
func TestMemoryOfWhatIsPutIsBounded(t *testing.T) {
	for _, size := range []int{1, 64, 300, 1000, 5000, leastLent - 1, leastLent, 40_000} {
		for _, chunk := range chunkSizes {
			o := outbound{credit: 1 << 20, keep: 1 << 20}
			for o.room() >= size {
				c := newChunk(chunk)
				n := min(size, len(c.b)-c.head())
				o.put(c, n)
				if most := 4*o.q.len() + 64<<10 + 1<<10; o.q.mem > most {
					t.Fatalf("pieces of %d bytes in %d: %d bytes of memory for %d", n, chunk, o.q.mem, o.q.len())
				}
				if o.q.len() > 300_000 {
					break
				}
			}
			o.q.free()
		}
	}
}

func TestSizeOfReadsFollowsWhatComes(t *testing.T) {
	f := feed{size: chunkSizes[1]}
	for _, tt := range []struct{ n, of, want int }{
		{4096, 4096, 16384},
		{16384, 16384, largestChunk - 64},
		{20000, largestChunk - 64, largestChunk - 64},
		{64, largestChunk - 64, (largestChunk - 64) / 4},
		{64, (largestChunk - 64) / 4, (largestChunk - 64) / 16},
		{64, (largestChunk - 64) / 16, 1024},
		{64, 1024, 1024},
		{500, 500, 1024}, // there was no room for more
		{1024, 1024, 4096},
	} {
		if f.adapt(tt.n, tt.of); f.size != tt.want {
			t.Errorf("after %d bytes of %d: %d, want %d", tt.n, tt.of, f.size, tt.want)
		}
	}
}

// TestQueueOfManyParts grows past each kind of room that it has, is read from
// meanwhile, and holds nothing when it is empty.
func TestQueueOfManyParts(t *testing.T) {
	var q queue
	var want, got []byte
	buf := make([]byte, 40)
	for round := range 3 {
		for i := range 3 * manyParts {
			c := newChunk(1)
			c.b[c.head()] = byte(i + round)
			q.pushPart(c, c.head(), c.head()+1)
			want = append(want, byte(i+round))
			if i%70 == 69 {
				got = append(got, buf[:q.read(buf)]...)
			}
		}
		for q.len() > 0 {
			got = append(got, buf[:q.read(buf)]...)
		}
		if q.mem != 0 || q.many != nil || cap(q.parts) > 2*keptParts {
			t.Errorf("round %d: an empty queue holds %d bytes and room for %d parts", round, q.mem, cap(q.parts))
		}
	}
	if !bytes.Equal(got, want) {
		t.Error("it is not what was put in")
	}
}
