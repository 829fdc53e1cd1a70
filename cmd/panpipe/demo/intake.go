package demo

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/panpipe-net/panpipe/node/control/client"
)

// poured is what a program has sent.
type poured struct {
	count int64
	sum   string // SHA-256, in hex
	err   error
}

// pour sends bytes that nobody can guess until there is enough.
func pour(c *client.Conn, enough <-chan struct{}) (p poured) {
	source, block, sum := rand.NewChaCha8([32]byte{'p', 'o', 'u', 'r'}), make([]byte, 256<<10), sha256.New()
	for p.err == nil {
		select {
		case <-enough:
			if p.err = c.CloseWrite(); p.err == nil {
				_, p.err = io.Copy(io.Discard, c) // to the end, as programs of pipes do
			}
			p.sum = hex.EncodeToString(sum.Sum(nil))
			return p
		default:
		}
		_, _ = source.Read(block) // it never fails
		sum.Write(block)
		_, p.err = c.Write(block)
		p.count += int64(len(block))
	}
	return p
}

// intake is what a program has read.
type intake struct {
	mu      sync.Mutex // guards what follows
	came    sync.Cond
	sum     hash.Hash
	count   int64
	last    time.Time
	longest time.Duration // that it waited for bytes
	ended   bool
	err     error
}

// newIntake reads a connection to its end.
func newIntake(c *client.Conn) *intake {
	in := newMeter()
	go func() {
		err := c.CloseWrite()
		if err == nil {
			_, err = io.Copy(in, c)
		}
		in.over(err)
	}()
	return in
}

// newMeter takes in what is written to it, until it is over.
func newMeter() *intake {
	in := &intake{sum: sha256.New(), last: time.Now()}
	in.came.L = &in.mu
	return in
}

// over says that no more comes, and why.
func (in *intake) over(err error) {
	in.mu.Lock()
	in.ended, in.err = true, err
	in.mu.Unlock()
	in.came.Broadcast()
}

// Write takes in what came.
func (in *intake) Write(b []byte) (int, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.sum.Write(b)
	in.count += int64(len(b))
	now := time.Now()
	if in.longest < now.Sub(in.last) && in.count > int64(len(b)) {
		in.longest = now.Sub(in.last)
	}
	in.last = now
	in.came.Broadcast()
	return len(b), nil
}

// total is how many bytes have come so far.
func (in *intake) total() int64 {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.count
}

// more waits for n more bytes.
func (in *intake) more(n int64) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	for until := in.count + n; in.count < until; in.came.Wait() {
		if in.ended {
			return fmt.Errorf("there was an end after %d bytes: %w", in.count, in.err)
		}
	}
	return nil
}

// rest waits for the end. After it nothing changes any more.
func (in *intake) rest() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	for !in.ended {
		in.came.Wait()
	}
	return in.err
}
