package link

import "sync"

// chunk is a piece of pooled memory of one of a few sizes.
type chunk struct {
	b     []byte
	class int
}

// chunkSizes are the sizes that are pooled, in bytes. The largest is above the
// data of the largest frame, the smallest what a link that exchanges short
// messages holds.
var chunkSizes = [...]int{1 << 10, 4 << 10, 16 << 10, 64 << 10}

const largestChunk = 64 << 10

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

// free gives the memory back. Nobody may use it after.
func (c *chunk) free() { chunkPools[c.class].Put(c) }
