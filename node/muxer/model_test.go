package muxer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"pgregory.net/rapid"
)

// deed is something that is done to an end of a stream.
type deed struct {
	Kind   string
	Server bool // does it, else the dialer
	Stream int
	Size   int
}

var deeds = []string{"write", "write", "write", "read", "read", "read", "read late", "write late", "close write", "close read", "close", "reset"}

func drawDeed(t *rapid.T) deed {
	size := rapid.OneOf(rapid.IntRange(1, 300), rapid.IntRange(1, 400_000), rapid.SampledFrom([]int{smallMost, frameMost, frameMost + 1, firstWindow, firstWindow + 1}))
	return deed{
		Kind: rapid.SampledFrom(deeds).Draw(t, "kind"), Server: rapid.Bool().Draw(t, "server"),
		Stream: rapid.IntRange(0, 2).Draw(t, "stream"), Size: size.Draw(t, "size"),
	}
}

// end is one end of a stream, and the model of it.
type end struct {
	s       network.MuxedStream
	ours    bool // go-yamux differs in what is not the protocol's
	peer    *end
	code    network.StreamErrorCode // that it resets with
	in, out half
	inErr   error  // what reads and writes have to fail with, nil for any reset
	outErr  error  //
	unread  []byte // has arrived
	sent    int    // bytes, of all that it was sent: the next byte's place
	drained int    // bytes that it will never read
}

// resets reports that err is a certain reset, or any if none is wanted.
func resets(err, want error) bool {
	return errors.Is(err, network.ErrReset) && (want == nil || errors.Is(err, want))
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// pattern is what a stream's data is at a place.
func pattern(from, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte((from + i) * 7 >> 3)
	}
	return b
}

func (e *end) write(size int) error {
	_ = e.s.SetWriteDeadline(time.Now().Add(time.Second))
	n, err := e.s.Write(pattern(e.sent, size))
	switch {
	case e.out == isReset && !resets(err, e.outErr):
		return fmt.Errorf("a write after a reset with %w: %d, %w", e.outErr, n, err)
	case e.out == isEnded && (err == nil || n > 0 || isTimeout(err)):
		return fmt.Errorf("a write after the end: %d, %w", n, err)
	case e.out != isOpen:
		return nil
	case err != nil && (!isTimeout(err) || n == size):
		return fmt.Errorf("a write: %d of %d, %w", n, size, err)
	case err != nil && len(e.peer.unread)+e.peer.drained+size <= firstWindow/2:
		return fmt.Errorf("a write into room: %d of %d, %w", n, size, err)
	}
	if e.peer.in == isOpen {
		e.peer.unread = append(e.peer.unread, pattern(e.sent, n)...)
	} else {
		e.peer.drained += n
	}
	e.sent += n
	return nil
}

func (e *end) read(size int) error {
	_ = e.s.SetReadDeadline(time.Now().Add(time.Second))
	b := make([]byte, size)
	n, err := e.s.Read(b)
	b = b[:n]
	switch {
	case e.in == isReset:
		if n > 0 || !resets(err, e.inErr) {
			return fmt.Errorf("a read after a reset with %w: %d, %w", e.inErr, n, err)
		}
	case len(e.unread) > 0:
		if err != nil || n == 0 || n > len(e.unread) || !bytes.Equal(b, e.unread[:n]) {
			return fmt.Errorf("a read of %d bytes: %d, or they differ, %w", len(e.unread), n, err)
		}
		e.unread = e.unread[n:]
	case e.in == isEnded && (n > 0 || err != io.EOF):
		return fmt.Errorf("a read after the end: %d, %w", n, err)
	case e.in == isOpen && (n > 0 || !isTimeout(err)):
		return fmt.Errorf("a read of nothing: %d, %w", n, err)
	}
	return nil
}

// late is a read or write whose deadline has passed already.
func (e *end) late(call func([]byte) (int, error), set func(time.Time) error, h half) error {
	_ = set(time.Unix(1, 0))
	defer func() { _ = set(time.Time{}) }()
	n, err := call(make([]byte, 1))
	if e.ours && h == isOpen && (n > 0 || !isTimeout(err)) {
		return fmt.Errorf("after its deadline: %d, %w", n, err)
	}
	if n > 0 {
		return errLate
	}
	return nil
}

var errLate = errors.New("go-yamux has done it all the same") // and the model ends

func (e *end) closeWrite() error {
	err := e.s.CloseWrite()
	if (e.out == isReset) != (err != nil) {
		return fmt.Errorf("the end of a half in state %d: %w", e.out, err)
	}
	if e.out == isOpen {
		e.out = isEnded
		if e.peer.in == isOpen {
			e.peer.in = isEnded
		}
	}
	return nil
}

func (e *end) over() bool { return e.in != isOpen && e.out != isOpen }

func (e *end) closeRead() error {
	if err := e.s.CloseRead(); err != nil {
		return err
	}
	e.refuse(nil)
	return nil
}

func (e *end) refuse(err error) {
	if e.in == isOpen || (e.ours && len(e.unread) > 0) {
		e.drained += len(e.unread)
		e.in, e.inErr, e.unread = isReset, err, nil
	}
}

func (e *end) reset() error {
	if err := e.s.ResetWithError(e.code); err != nil {
		return err
	}
	known := !e.over()
	e.refuse(&network.StreamError{ErrorCode: e.code})
	if e.out == isOpen {
		e.out, e.outErr = isReset, &network.StreamError{ErrorCode: e.code}
	}
	if p := e.peer; known {
		told := &network.StreamError{ErrorCode: e.code, Remote: true}
		if p.in == isOpen {
			p.in, p.inErr, p.unread = isReset, told, nil
		}
		if p.out == isOpen {
			p.out, p.outErr = isReset, told
		}
	}
	return nil
}

func (e *end) do(d deed) error {
	switch d.Kind {
	case "write":
		return e.write(d.Size)
	case "read":
		return e.read(d.Size)
	case "write late":
		return e.late(e.s.Write, e.s.SetWriteDeadline, e.out)
	case "read late":
		return e.late(e.s.Read, e.s.SetReadDeadline, e.in)
	case "close write":
		return e.closeWrite()
	case "close read":
		return e.closeRead()
	case "close":
		err := e.closeRead()
		want := e.out == isReset
		if got := e.s.Close(); (got != nil) != want {
			return fmt.Errorf("closing in state %d: %w", e.out, got)
		}
		return errors.Join(err, e.closeWrite())
	}
	return e.reset()
}

// play does all in a bubble, and says what was not as the model has it.
func play(t *testing.T, of [2]network.Multiplexer, all []deed) (failed error) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		scopes := [2]*stingy{new(stingy), new(stingy)}
		var conns [2]network.MuxedConn
		for i, c := range []net.Conn{a, b} {
			scopes[i].left.Store(9)
			conns[i], _ = of[i].NewConn(c, i == 1, scopes[i])
		}
		var ends [3][2]*end
		for i := range ends {
			s, r := streamsOf(t, conns[i%2], conns[1-i%2])
			if i%2 == 1 {
				s, r = r, s
			}
			ends[i] = [2]*end{{s: s, code: 11, ours: of[0] == New()}, {s: r, code: 22, ours: of[1] == New()}}
			ends[i][0].peer, ends[i][1].peer = ends[i][1], ends[i][0]
		}
		for i, d := range all {
			synctest.Wait()
			side := 0
			if d.Server {
				side = 1
			}
			if err := ends[d.Stream][side].do(d); err != nil {
				if !errors.Is(err, errLate) {
					failed = fmt.Errorf("deed %d, %+v: %w", i, d, err)
				}
				break
			}
		}
		synctest.Wait()
		for _, c := range conns {
			_ = c.Close()
		}
		for i, s := range scopes {
			if n := s.reserved.Load(); n != 0 && of[i] == New() {
				failed = errors.Join(failed, fmt.Errorf("%d bytes are reserved at the end", n))
			}
		}
	})
	return failed
}

// TestAnyOrderOfDeeds is as the model has it, whoever is on the far side.
func TestAnyOrderOfDeeds(t *testing.T) {
	for name, of := range pairings {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				all := rapid.SliceOfN(rapid.Custom(drawDeed), 1, 60).Draw(rt, "deeds")
				if err := play(t, of, all); err != nil {
					rt.Fatal(err)
				}
			})
		})
	}
}
