//go:build figures

package integration

import (
	endian "encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"

	ma "github.com/multiformats/go-multiaddr"
)

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
	at, _ := startChild(t, "TestLinkFigures", "LINK_FAR="+kind+" "+w.name)
	addr, err := ma.NewMultiaddr(at)
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// serveFar is the far side's process.
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
	fmt.Println(childAt, s.Addr())
	awaitParent()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// serveAll gives s the services of a far side.
func serveAll(s subject) {
	for service, serve := range services() {
		s.Accept(service, serve)
	}
}

// services are those of one far side.
func services() map[string]func(stream) {
	var held holder
	return map[string]func(stream){
		sink: serveSink, echo: serveEcho, once: serveOnce, source: serveSource, memory: serveMemory,
		hold: held.keep, wake: held.wake,
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
	h.take(s)
	_, _ = s.Write(b[:]) // its lack is noticed
}

func (h *holder) take(s stream) {
	h.mu.Lock()
	h.streams = append(h.streams, s)
	h.mu.Unlock()
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
