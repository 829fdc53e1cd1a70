//go:build full

package integration

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/node/control/client"
)

// plenty is more than what is under way at a time, and so must have been sent
// after the moment from which it is counted.
const plenty = 96 << 20

// flow is bytes on their way to an echo and back, for as long as the test wants.
type flow struct {
	t    testing.TB
	c    *client.Conn
	sent hash.Hash  // owned by send
	done chan error // how send ended

	mu      sync.Mutex // guards what follows
	came    sync.Cond
	back    hash.Hash
	bytes   int64
	last    time.Time
	longest time.Duration // time without a byte since the strike
	enough  bool
	ended   bool // read to the end
	err     error

	struck time.Time // owned by the test
	what   string
}

func newFlow(t testing.TB, c *client.Conn) *flow {
	f := &flow{t: t, c: c, sent: sha256.New(), back: sha256.New(), done: make(chan error, 1), last: time.Now()}
	f.came.L = &f.mu
	go func() { f.done <- f.send() }()
	go f.receive()
	return f
}

// send sends bytes that nobody can guess until there is enough.
func (f *flow) send() error {
	source, block := rand.NewChaCha8([32]byte{'f', 'l', 'o', 'w'}), make([]byte, 256<<10)
	for !f.isEnough() {
		source.Read(block) // it never fails
		f.sent.Write(block)
		if _, err := f.c.Write(block); err != nil {
			return err
		}
	}
	return f.c.CloseWrite()
}

func (f *flow) isEnough() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.enough
}

// receive takes in what comes back.
func (f *flow) receive() {
	for block := make([]byte, 256<<10); ; {
		n, err := f.c.Read(block)
		f.mu.Lock()
		now := time.Now()
		f.back.Write(block[:n])
		f.bytes += int64(n)
		f.longest, f.last = max(f.longest, now.Sub(f.last)), now
		if err != nil {
			f.ended = true
			if err != io.EOF {
				f.err = err
			}
		}
		f.mu.Unlock()
		f.came.Broadcast()
		if err != nil {
			return
		}
	}
}

// pass waits until n more bytes have come back. The test's own timeout is the
// limit: a link may wait for its time of grace.
func (f *flow) pass(n int64) {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for until := f.bytes + n; f.bytes < until && !f.ended; {
		f.came.Wait()
	}
	if f.ended {
		f.t.Fatalf("the connection has ended after %d bytes: %v", f.bytes, f.err)
	}
}

// strike notes that something is about to happen to the network.
func (f *flow) strike(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.struck, f.what = time.Now(), what
	f.last, f.longest = f.struck, 0
}

// wants ends the flow. Every byte must have come back, none of the program's
// calls may have failed, the leg that was hit must have been given up within
// detected of the strike, unless it is the only one, and the pause must not have
// been longer than most. It returns the connection's legs.
func (f *flow) wants(detected, most time.Duration) (legs []api.Leg) {
	f.t.Helper()
	legs = f.legs()
	f.mu.Lock()
	pause := f.longest
	f.mu.Unlock()
	f.end()
	f.t.Logf("%s: %d MiB there and back, SHA-256 equal, no error; pause %.0f ms", f.what, f.bytes>>20, float64(pause.Microseconds())/1000)
	for _, l := range legs {
		f.t.Log(f.told(l))
		if len(legs) > 1 && l.Began.Before(f.struck) && (l.Ended == nil || l.Ended.Sub(f.struck) > detected) {
			f.t.Errorf("%s: the leg that was hit ended %v, wanted within %s of %s", f.what, l.Ended, detected, f.struck)
		}
	}
	if pause > most {
		f.t.Errorf("%s: the pause is %s, wanted at most %s", f.what, pause, most)
	}
	return legs
}

// end has the program write no more and waits for the last byte.
func (f *flow) end() {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.enough = true
	for !f.ended {
		f.came.Wait()
	}
	if err := <-f.done; err != nil {
		f.t.Fatalf("%s: the program's Write: %v", f.what, err)
	}
	if f.err != nil || !bytes.Equal(f.back.Sum(nil), f.sent.Sum(nil)) {
		f.t.Fatalf("%s: what came back is another thing than what was sent; the program's Read: %v", f.what, f.err)
	}
}

// told is a leg in words, with its times counted from the strike.
func (f *flow) told(l api.Leg) string {
	after := func(t time.Time) float64 { return t.Sub(f.struck).Seconds() }
	text := fmt.Sprintf("  %+.3fs  %s %s at %s: %s; pause %.0f ms, %d bytes sent, %d of them again, %d received", after(l.Began),
		l.Path, l.Transport, l.Endpoint, l.Why, l.PauseMS, l.Sent, l.Replayed, l.Received)
	if l.Ended != nil {
		text += fmt.Sprintf("; ended at %+.3fs (%s)", after(*l.Ended), l.Detail)
	}
	return text
}

// legs are those of the connection, as the dialer's node tells them.
func (f *flow) legs() []api.Leg {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), 10*time.Second)
	defer cancel()
	about, err := f.c.About(ctx)
	if err != nil {
		f.t.Fatal(err)
	}
	return about.Legs
}
