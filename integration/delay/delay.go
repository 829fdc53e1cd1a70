// Package delay is a TCP relay that keeps every byte back for a constant time
// and limits nothing else. What needs a distance over TCP is measured through
// it, in real time: the simulated network carries UDP alone.
//
// Each connection to the relay is one from it to the target. A byte leaves
// the delay after it came, in either direction, and the end of a direction
// likewise. The relay reads as fast as it is written to; both of its hops are
// loopback's, so that no socket buffer is filled by the distance.
package delay

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

const (
	// chunk is the most that is read at once, in bytes.
	chunk = 256 << 10

	// pieces is how many reads may wait in one direction. It is generous:
	// what is measured bounds by itself how much it has under way.
	pieces = 8 << 10
)

// piece is what one read gave, and when it may go on.
type piece struct {
	bytes []byte
	due   time.Time
}

// Relay is a running relay. Its methods are safe for concurrent use.
type Relay struct {
	target   string
	oneWay   time.Duration
	listener net.Listener
	work     sync.WaitGroup

	mu     sync.Mutex
	closed bool
	conns  map[net.Conn]bool
	silent chan struct{} // closed by Silence
}

// New starts a relay on a loopback port of its own that connects to target
// and delays each direction by oneWay.
func New(target string, oneWay time.Duration) (*Relay, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &Relay{target: target, oneWay: oneWay, listener: l, conns: make(map[net.Conn]bool), silent: make(chan struct{})}
	r.work.Go(r.accept)
	return r, nil
}

// Addr is where the relay listens.
func (r *Relay) Addr() *net.TCPAddr { return r.listener.Addr().(*net.TCPAddr) }

// Silence makes the relay swallow from now on all that it is sent: its
// connections stay open and mute, as behind a firewall that forgot them.
func (r *Relay) Silence() {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.silent:
	default:
		close(r.silent)
	}
}

// Reset ends every connection at once with a reset on both sides.
func (r *Relay) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		_ = c.(*net.TCPConn).SetLinger(0) // the only error is that it is closed
		c.Close()
	}
}

// Close ends the relay and its connections and waits for both.
func (r *Relay) Close() error {
	r.mu.Lock()
	r.closed = true
	err := r.listener.Close()
	for c := range r.conns {
		c.Close()
	}
	r.mu.Unlock()
	r.work.Wait()
	return err
}

func (r *Relay) accept() {
	for {
		near, err := r.listener.Accept()
		if err != nil {
			return // closed
		}
		r.work.Go(func() { r.serve(near) })
	}
}

func (r *Relay) serve(near net.Conn) {
	far, err := net.Dial("tcp", r.target)
	if err != nil {
		near.Close()
		return
	}
	if !r.keep(near, far) {
		return
	}
	defer r.forget(near, far)
	var both sync.WaitGroup
	both.Go(func() { r.carry(far, near) })
	both.Go(func() { r.carry(near, far) })
	both.Wait()
}

// keep notes connections, so that Close ends them; after Close it ends them
// itself.
func (r *Relay) keep(conns ...net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range conns {
		if r.closed {
			c.Close()
			continue
		}
		r.conns[c] = true
	}
	return !r.closed
}

func (r *Relay) forget(conns ...net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range conns {
		c.Close()
		delete(r.conns, c)
	}
}

// carry takes one direction from src to dst. A reset of either ends both.
func (r *Relay) carry(dst, src net.Conn) {
	waiting := make(chan piece, pieces)
	var writer sync.WaitGroup
	writer.Go(func() {
		if err := r.deliver(dst, waiting); err != nil {
			src.Close() // so that the reader ends as well
			for range waiting {
			}
		}
	})
	err := r.collect(src, waiting)
	close(waiting)
	writer.Wait()
	if errors.Is(err, io.EOF) {
		_ = dst.(*net.TCPConn).CloseWrite() // fails when dst is gone, which ends it as well
		return
	}
	dst.Close()
}

// collect reads what comes and notes when it is due.
func (r *Relay) collect(src net.Conn, waiting chan<- piece) error {
	b := make([]byte, chunk)
	for {
		n, err := src.Read(b)
		if n > 0 {
			waiting <- piece{bytes.Clone(b[:n]), time.Now().Add(r.oneWay)}
		}
		if err != nil {
			return err
		}
	}
}

// deliver writes what is due. Once the relay is silent it writes nothing.
func (r *Relay) deliver(dst net.Conn, waiting <-chan piece) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for p := range waiting {
		if wait := time.Until(p.due); wait > 0 {
			timer.Reset(wait)
			<-timer.C
		}
		select {
		case <-r.silent:
			continue
		default:
		}
		if _, err := dst.Write(p.bytes); err != nil {
			return err
		}
	}
	return nil
}
