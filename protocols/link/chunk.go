package link

import (
	"sync"

	"github.com/panpipe-net/panpipe/protocols/trunk"
)

// chunk is a piece of pooled memory of one of a few sizes. It belongs to one
// link, whose lock guards it.
type chunk struct {
	b     []byte
	class int
	lent  bool // to the trunk, which reads and writes it until it calls again
	freed bool // meanwhile
}

// chunkSizes are the sizes that are pooled, in bytes. The largest is above the
// data of the largest frame, the smallest what a link that exchanges short
// messages holds.
var chunkSizes = [...]int{1 << 10, 4 << 10, 16 << 10, largestChunk}

// largestChunk has what the trunk needs before data, and then as much data as
// goes into one frame that shares a write with a few short ones.
const largestChunk = trunk.HeadRoom + trunk.MaxFrame - 16

// leastLent is the least data that is lent to the trunk rather than copied: less
// than that may go together with others'.
const leastLent = 16 << 10

var chunkPools [len(chunkSizes)]sync.Pool

// newChunk gives a chunk of at least n bytes, or of the largest size.
func newChunk(n int) *chunk {
	class := 0
	for class < len(chunkSizes)-1 && chunkSizes[class] < n {
		class++
	}
	if c, ok := chunkPools[class].Get().(*chunk); ok {
		return c
	}
	return &chunk{b: make([]byte, chunkSizes[class]), class: class}
}

// head is how many bytes of the chunk stay free before data that may be lent.
func (c *chunk) head() int {
	if len(c.b) < largestChunk {
		return 0
	}
	return trunk.HeadRoom
}

// free gives the memory back. Nobody may use it after.
func (c *chunk) free() {
	if c.freed = c.lent; !c.lent {
		chunkPools[c.class].Put(c)
	}
}

// returned ends a loan.
func (c *chunk) returned() {
	c.lent = false
	if c.freed {
		c.free()
	}
}
