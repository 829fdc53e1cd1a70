package link_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/protocols/link"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// drained is what came of a call of Drain.
type drained struct {
	n   int64
	err error
	at  time.Time
}

// drain has what comes of a link written to w.
func drain(t *testing.T, l *link.Link, w io.Writer) <-chan drained {
	t.Helper()
	over := make(chan drained, 1)
	must(t, l.Drain(w, func(n int64, err error) {
		select {
		case over <- drained{n, err, time.Now()}:
		default:
			t.Error("done is called again")
		}
	}))
	return over
}

// drains counts the goroutines that write what comes.
func drains() int {
	stacks := make([]byte, 1<<20)
	return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "created by github.com/panpipe-net/panpipe/protocols/link.(*drain)")
}

// TestAnIdleDrainHasNoGoroutine: neither before nor after bytes have come, few or
// many, nor at the end; while its writer waits it has one.
func TestAnIdleDrainHasNoGoroutine(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, a, b *node, p reach.Path) {
		near, far := open(t, a, p, serve(b))
		in, out := net.Pipe()
		over := drain(t, far, in)
		want := 0
		count := func(when string) {
			time.Sleep(time.Second)
			if n := drains(); n != want {
				t.Errorf("%d goroutines %s, want %d", n, when, want)
			}
		}
		count("before")
		var sum int64
		for _, size := range []int{1, 2000, 10_000, 1 << 20} {
			go func() { _, _ = near.Write(make([]byte, size)) }()
			want = 1
			count("while it writes")
			if _, err := io.CopyN(io.Discard, out, int64(size)); err != nil {
				t.Error(err)
			}
			want = 0
			count("after")
			sum += int64(size)
		}
		must(t, near.CloseWrite())
		if got := <-over; got.n != sum || got.err != nil {
			t.Errorf("%d bytes of %d, %v", got.n, sum, got.err)
		}
		count("at the end")
		near.Close()
		far.Close()
	})
}

// TestEndsOfADrainThatIsBlocked: by its writer, which takes nothing for 3 s.
func TestEndsOfADrainThatIsBlocked(t *testing.T) {
	const size = 10_000
	for name, tt := range map[string]struct {
		end   func(near, far *link.Link)
		want  error // nil: all is written first
		after time.Duration
	}{
		"the far side closes":        {func(near, _ *link.Link) { near.Close() }, nil, 3 * time.Second},
		"the far side resets":        {func(near, _ *link.Link) { near.Reset(wire.Limit, "enough") }, wire.Limit, rtt / 2},
		"closed here":                {func(_, far *link.Link) { far.Close() }, net.ErrClosed, 0},
		"reset here":                 {func(_, far *link.Link) { far.Reset(wire.Limit, "enough") }, net.ErrClosed, 0},
		"the link's deadline passes": {func(_, far *link.Link) { _ = far.SetReadDeadline(time.Now().Add(time.Second)) }, os.ErrDeadlineExceeded, 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, a, b *node, p reach.Path) {
				near, far := open(t, a, p, serve(b))
				in, out := net.Pipe()
				over := drain(t, far, in)
				if _, err := near.Write(make([]byte, size)); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				begun := time.Now()
				tt.end(near, far)
				time.AfterFunc(3*time.Second, func() { _, _ = io.Copy(io.Discard, out) })
				got := <-over
				if took := got.at.Sub(begun); took < tt.after || took > tt.after+time.Millisecond {
					t.Errorf("after %s, want %s", took, tt.after)
				}
				if !errors.Is(got.err, tt.want) {
					t.Error(got.err)
				}
				if whole := tt.after == 3*time.Second; whole && got.n != size || !whole && got.n != 0 {
					t.Errorf("%d bytes", got.n)
				}
				time.Sleep(3 * time.Second)
				if _, err := in.Write([]byte("x")); err != nil {
					t.Errorf("the writer is not as it was: %v", err)
				}
				near.Close()
				far.Close()
				in.Close()
			})
		})
	}
}

// TestDeadlineOfAnIdleDrain passes to the nanosecond, and what comes later is for
// the next call.
func TestDeadlineOfAnIdleDrain(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, a, b *node, p reach.Path) {
		near, far := open(t, a, p, serve(b))
		var w bytes.Buffer
		for i, wait := range []time.Duration{3 * time.Second, 0} {
			over := drain(t, far, &w)
			if _, err := near.Write([]byte("some")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			begun := time.Now()
			must(t, far.SetReadDeadline(begun.Add(wait)))
			got := <-over
			if took := got.at.Sub(begun); took != wait || got.n != 4 || !errors.Is(got.err, os.ErrDeadlineExceeded) {
				t.Errorf("%d: %d bytes, %v, after %s", i, got.n, got.err, took)
			}
			must(t, far.SetReadDeadline(time.Time{}))
		}
		if _, err := near.Write([]byte(" later")); err != nil {
			t.Fatal(err)
		}
		near.Close()
		time.Sleep(time.Second)
		if got := <-drain(t, far, &w); got.n != 6 || got.err != nil || w.String() != "somesome later" {
			t.Errorf("%+v, %q", got, &w)
		}
		far.Close()
	})
}

// TestOneDrainAtATime, and none once Links are closed.
func TestOneDrainAtATime(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, a, b *node, p reach.Path) {
		near, far := open(t, a, p, serve(b))
		over := drain(t, far, io.Discard)
		if _, err := far.WriteTo(io.Discard); wire.CodeOf(err) != wire.Taken {
			t.Error(err)
		}
		must(t, b.links.Close())
		if got := <-over; !errors.Is(got.err, net.ErrClosed) {
			t.Error(got.err)
		}
		err := far.Drain(io.Discard, func(int64, error) { t.Error("done is called") })
		if !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		near.Close()
	})
}

// failing takes so many bytes.
type failing struct{ room int }

func (f *failing) Write(b []byte) (int, error) {
	n := min(len(b), f.room)
	if f.room -= n; n < len(b) {
		return n, io.EOF // not that of the stream
	}
	return n, nil
}

func TestDrainTellsWhatItsWriterTookBeforeItFailed(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, a, b *node, p reach.Path) {
		near, far := open(t, a, p, serve(b))
		over := drain(t, far, &failing{room: 5000})
		for range 4 {
			_, _ = near.Write(make([]byte, 1500))
			time.Sleep(time.Second)
		}
		if got := <-over; got.n != 5000 || !errors.Is(got.err, io.ErrUnexpectedEOF) {
			t.Errorf("%d bytes, %v", got.n, got.err)
		}
		near.Close()
		far.Close()
	})
}

// TestDrainToASlowReader: whatever of a piece a conn takes at once, all comes in
// order, and the total is right.
func TestDrainToASlowReader(t *testing.T) {
	open := opener(t)
	for kind := range ends {
		t.Run(kind, func(t *testing.T) {
			wrap := ends[kind]
			_, network := wrap(nil)
			out, in := socketPair(t, network)
			must(t, in.(interface{ SetWriteBuffer(int) error }).SetWriteBuffer(4<<10))
			in, _ = wrap(in)
			near, far := open()
			over := drain(t, far, in)
			rnd := rand.New(rand.NewPCG(1, 2))
			var sent bytes.Buffer
			for sent.Len() < 4<<20 {
				piece := make([]byte, 1+rnd.IntN(1<<(4+rnd.IntN(14))))
				for i := range piece {
					piece[i] = byte(rnd.Uint32())
				}
				sent.Write(piece)
			}
			go func() {
				for b := sent.Bytes(); len(b) > 0; {
					n := min(len(b), 1+rnd.IntN(1<<(4+rnd.IntN(14))))
					if _, err := near.Write(b[:n]); err != nil {
						t.Error(err)
						return
					}
					b = b[n:]
				}
				near.Close()
			}()
			got := make([]byte, 0, sent.Len())
			for b := make([]byte, 700); len(got) < sent.Len(); {
				n, err := out.Read(b)
				if got = append(got, b[:n]...); err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(got, sent.Bytes()) {
				t.Error("they differ")
			}
			if d := <-over; d.n != int64(sent.Len()) || d.err != nil {
				t.Errorf("it says %d bytes of %d, %v", d.n, sent.Len(), d.err)
			}
			far.Close()
		})
	}
}
