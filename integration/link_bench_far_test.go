//go:build figures

package integration

import (
	"bufio"
	endian "encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"

	ma "github.com/multiformats/go-multiaddr"
)

// tester is what the harness needs of a test.
type tester = testing.TB

// The services of a far side.
const (
	sink   = "bench/sink"   // takes all, then answers with the number of bytes in 8 bytes
	echo   = "bench/echo"   // says what it hears
	once   = "bench/once"   // answers one byte with one byte and ends when the near side has
	hold   = "bench/hold"   // answers one byte with one byte and keeps the stream
	wake   = "bench/wake"   // says one byte on each stream that is held, then ends
	source = "bench/source" // sends until the near side says it is done
	memory = "bench/memory" // tells what the process holds, as JSON, and ends
)

// startFar runs the far side in a process of its own until the test ends, and
// returns where it is.
func startFar(t tester, kind string, w way) ma.Multiaddr {
	t.Helper()
	far := exec.Command(os.Args[0], "-test.run", "^TestLinkFigures$", "-test.timeout", "20m")
	far.Env = append(os.Environ(), "LINK_FAR="+kind+" "+w.name)
	far.Stderr = os.Stderr
	leave, err := far.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := far.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := far.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		leave.Close()
		_, _ = io.Copy(io.Discard, out) // up to its end
		if err := far.Wait(); err != nil {
			t.Errorf("the far side of %s over %s: %v", kind, w.name, err)
		}
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), "far "); ok {
			addr, err := ma.NewMultiaddr(text)
			if err != nil {
				t.Fatal(err)
			}
			return addr
		}
	}
	t.Fatalf("the far side of %s over %s said no address: %v", kind, w.name, lines.Err())
	return nil
}

// serveFar is the far side's process. It ends when its standard input does.
func serveFar(t *testing.T, asked string) {
	kind, name, _ := strings.Cut(asked, " ")
	w, err := wayNamed(name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSubject(kind, w)
	if err != nil {
		t.Fatal(err)
	}
	serveAll(s)
	fmt.Println("far", s.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin) // whatever ends it
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// serveAll gives s the services of a far side.
func serveAll(s subject) {
	var held holder
	for service, serve := range map[string]func(stream){
		sink: serveSink, echo: serveEcho, once: serveOnce, source: serveSource, memory: serveMemory,
		hold: held.keep, wake: held.wake,
	} {
		s.Accept(service, serve)
	}
}

func serveSink(s stream) {
	defer s.Close()
	n, err := drain(s)
	if err == nil {
		_, _ = s.Write(endian.BigEndian.AppendUint64(nil, uint64(n))) // its lack is noticed
	}
}

// drain reads to the end, in pieces like those that raw streams come in.
func drain(s io.Reader) (n int64, err error) {
	buf := make([]byte, 64<<10)
	for {
		m, err := s.Read(buf)
		n += int64(m)
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

func serveEcho(s stream) {
	defer s.Close()
	buf := make([]byte, 4<<10)
	for {
		n, err := s.Read(buf)
		if err != nil {
			return
		}
		if _, err := s.Write(buf[:n]); err != nil {
			return
		}
	}
}

func serveOnce(s stream) {
	defer s.Close()
	var b [1]byte
	if _, err := io.ReadFull(s, b[:]); err != nil {
		return
	}
	_, _ = s.Write(b[:]) // its lack is noticed
	_, _ = drain(s)      // over QUIC, closing before the end is a refusal of it
}

func serveSource(s stream) {
	defer s.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(io.Discard, s) // whatever ends it
	}()
	buf := make([]byte, 16<<10)
	for {
		select {
		case <-done:
			return
		default:
		}
		if _, err := s.Write(buf); err != nil {
			return
		}
	}
}

// holder keeps streams without a goroutine for each.
type holder struct {
	mu      sync.Mutex
	streams []stream
}

func (h *holder) keep(s stream) {
	var b [1]byte
	if _, err := io.ReadFull(s, b[:]); err != nil {
		s.Close()
		return
	}
	h.mu.Lock()
	h.streams = append(h.streams, s)
	h.mu.Unlock()
	_, _ = s.Write(b[:]) // its lack is noticed
}

func (h *holder) wake(s stream) {
	defer s.Close()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, held := range h.streams {
		_, _ = held.Write([]byte{1}) // its lack is noticed
	}
}

// holdings is what a process holds after a collection.
type holdings struct {
	Bytes      uint64 // heap in use and stacks
	Goroutines int    // of links and trunks
	Mallocs    uint64 // ourMallocs
}

// holding collects garbage and counts what is left.
func holding() holdings {
	runtime.GC()
	runtime.GC() // what finalizers and pools let go
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return holdings{m.HeapAlloc + m.StackInuse, linkGoroutines(), ourMallocs()}
}

func serveMemory(s stream) {
	defer s.Close()
	_ = json.NewEncoder(s).Encode(holding()) // its lack is noticed
}
