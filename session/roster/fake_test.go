package roster

import (
	"context"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/account"
)

// oneWay is how long a byte travels between two devices of these tests; rtt is
// there and back.
const (
	oneWay = 25 * time.Millisecond
	rtt    = 2 * oneWay
)

// ether is a network in memory: pipes that devices bind, and links between them.
// A look, and the path under the first link of a dial, take a round trip each.
type ether struct {
	mu      sync.Mutex
	serving map[pipe.ID]map[peer.ID]*served
	seq     uint64
	silent  map[peer.ID]bool // nothing comes from there any more, nor gets there
	dials   map[peer.ID]int
	looks   int
	conns   map[*half]bool
}

func newEther() *ether {
	return &ether{
		serving: make(map[pipe.ID]map[peer.ID]*served), silent: make(map[peer.ID]bool),
		dials: make(map[peer.ID]int), conns: make(map[*half]bool),
	}
}

// port is one device's access to an ether.
type port struct {
	e      *ether
	self   peer.ID
	keeper *account.Keeper
}

// served is a pipe that a device serves.
type served struct {
	e      *ether
	at     pipe.ID
	by     peer.ID
	seq    uint64
	begun  time.Time
	died   time.Time // without withdrawing it; zero while it is alive
	handle func(conn)
	over   chan struct{}
	once   sync.Once
}

func (s *served) Accept() (net.Conn, error) {
	<-s.over
	return nil, net.ErrClosed
}

func (s *served) Close() error {
	s.once.Do(func() {
		s.e.mu.Lock()
		defer s.e.mu.Unlock()
		switch {
		case s.e.serving[s.at][s.by] != s:
		case s.e.silent[s.by]: // nobody hears that it is withdrawn
			s.died = time.Now()
		default:
			delete(s.e.serving[s.at], s.by)
		}
		close(s.over)
	})
	return nil
}

func (p port) bind(at pipe.ID, handle func(conn)) (bound, error) {
	p.e.mu.Lock()
	defer p.e.mu.Unlock()
	p.e.seq += 1 << 20
	s := &served{e: p.e, at: at, by: p.self, seq: p.e.seq, begun: time.Now(), handle: handle, over: make(chan struct{})}
	if p.e.serving[at] == nil {
		p.e.serving[at] = make(map[peer.ID]*served)
	}
	p.e.serving[at][p.self] = s
	return s, nil
}

func (p port) bindPresence(_ context.Context, a account.Presence, handle func(conn)) (bound, error) {
	at, err := presencePipe(a)
	if err != nil {
		return nil, err
	}
	return p.bind(at.ID(), handle)
}

func (p port) bindContact(_ context.Context, handle func(conn)) (bound, error) {
	a, _ := p.keeper.Account()
	return p.bind(pipe.ContactPipe(a.ID()).ID(), handle)
}

func (port) showLog(*identity.DeviceLog) {}

func pass(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p port) look(ctx context.Context, at pipe.Advertisement, _ bool) ([]sighting, error) {
	if err := pass(ctx, rtt); err != nil {
		return nil, err
	}
	p.e.mu.Lock()
	defer p.e.mu.Unlock()
	p.e.looks++
	if p.e.silent[p.self] {
		return nil, wire.Errorf(wire.Unreachable, "no network")
	}
	var all []sighting
	for id, s := range p.e.serving[at.ID()] {
		half := pipe.DefaultLife / 2 // after which a binding is renewed
		alive := time.Since(s.begun)
		if !s.died.IsZero() {
			alive = s.died.Sub(s.begun)
		}
		turn := alive / half
		if until := s.begun.Add((turn + 2) * half); time.Now().Before(until) {
			all = append(all, sighting{device: id, seq: s.seq + uint64(turn), until: until})
		}
	}
	if len(all) == 0 {
		return nil, wire.Errorf(wire.Unbound, "nobody serves it")
	}
	return all, nil
}

func (p port) dial(ctx context.Context, at pipe.Advertisement, device peer.ID, _ time.Duration) (conn, error) {
	return p.dialTo(ctx, at.ID(), device)
}

func (p port) dialContact(ctx context.Context, id identity.Principal) (conn, error) {
	return p.dialTo(ctx, pipe.ContactPipe(id).ID(), "")
}

func (p port) dialTo(ctx context.Context, at pipe.ID, device peer.ID) (conn, error) {
	p.e.mu.Lock()
	p.e.dials[p.self]++
	p.e.mu.Unlock()
	if err := pass(ctx, rtt); err != nil {
		return nil, err
	}
	p.e.mu.Lock()
	defer p.e.mu.Unlock()
	for id, s := range p.e.serving[at] {
		if (device == "" && id != p.self || id == device) && !p.e.silent[id] && !p.e.silent[p.self] {
			if !s.died.IsZero() {
				return nil, wire.Errorf(wire.Unreachable, "nobody answers there")
			}
			mine, theirs := p.e.pair(p.self, id)
			go s.handle(theirs)
			return mine, nil
		}
	}
	return nil, wire.Errorf(wire.Unbound, "nobody serves it")
}

// pair makes the two ends of a link. e.mu is held.
func (e *ether) pair(a, b peer.ID) (x, y *half) {
	ab, ba := newStream(), newStream()
	x, y = &half{e: e, self: a, far: b, in: ba, out: ab}, &half{e: e, self: b, far: a, in: ab, out: ba}
	e.conns[x], e.conns[y] = true, true
	return x, y
}

// silence has a device vanish as by power cut. Its links stay as they are.
func (e *ether) silence(id peer.ID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.silent[id] = true
}

// crash ends a node as kill -9 does: nobody is told, and what it had bound stays
// to be found.
func (n *node) crash() {
	n.w.ether.silence(n.id)
	n.stop()
	n.w.ether.mu.Lock()
	defer n.w.ether.mu.Unlock()
	delete(n.w.ether.silent, n.id)
}

func (e *ether) heard(a, b peer.ID) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return !e.silent[a] && !e.silent[b]
}

// stream is one direction: bytes that arrive a while after they were sent.
type stream struct {
	mu     sync.Mutex
	chunks []chunk
	err    error // behind the last chunk
	errAt  time.Time
	change chan struct{}
}

type chunk struct {
	at time.Time
	b  []byte
}

func newStream() *stream { return &stream{change: make(chan struct{})} }

func (s *stream) changed() {
	close(s.change)
	s.change = make(chan struct{})
}

func (s *stream) send(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return net.ErrClosed
	}
	s.chunks = append(s.chunks, chunk{time.Now().Add(oneWay), append([]byte(nil), b...)})
	s.changed()
	return nil
}

// end ends the stream behind what was sent, or at once.
func (s *stream) end(err error, atOnce bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return
	}
	s.err, s.errAt = err, time.Now().Add(oneWay)
	if atOnce {
		s.chunks = nil
	}
	s.changed()
}

// half is one end of a link.
type half struct {
	e         *ether
	self, far peer.ID
	in, out   *stream

	mu     sync.Mutex
	until  time.Time
	moved  chan struct{} // the deadline has
	closed bool
}

func (h *half) RemotePeer() peer.ID { return h.far }
func (h *half) Direct() bool        { return true }

func (h *half) Read(b []byte) (int, error) {
	for {
		h.mu.Lock()
		until, closed := h.until, h.closed
		if h.moved == nil {
			h.moved = make(chan struct{})
		}
		moved := h.moved
		h.mu.Unlock()
		if closed {
			return 0, net.ErrClosed
		}
		now := time.Now()
		if !until.IsZero() && !now.Before(until) {
			return 0, os.ErrDeadlineExceeded
		}
		wake := until
		h.in.mu.Lock()
		change := h.in.change
		switch {
		case len(h.in.chunks) > 0 && !h.in.chunks[0].at.After(now):
			n := copy(b, h.in.chunks[0].b)
			if h.in.chunks[0].b = h.in.chunks[0].b[n:]; len(h.in.chunks[0].b) == 0 {
				h.in.chunks = h.in.chunks[1:]
			}
			h.in.mu.Unlock()
			return n, nil
		case len(h.in.chunks) > 0:
			wake = earlier(wake, h.in.chunks[0].at)
		case h.in.err != nil && !h.in.errAt.After(now):
			h.in.mu.Unlock()
			return 0, h.in.err
		case h.in.err != nil:
			wake = earlier(wake, h.in.errAt)
		}
		h.in.mu.Unlock()
		var alarm <-chan time.Time
		if !wake.IsZero() {
			alarm = time.After(wake.Sub(now))
		}
		select {
		case <-change:
		case <-moved:
		case <-alarm:
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

func (h *half) Write(b []byte) (int, error) {
	h.mu.Lock()
	closed := h.closed
	h.mu.Unlock()
	if closed {
		return 0, net.ErrClosed
	}
	if !h.e.heard(h.self, h.far) {
		return len(b), nil
	}
	return len(b), h.out.send(b)
}

func (h *half) shut(err error, atOnce bool) {
	h.mu.Lock()
	was := h.closed
	h.closed = true
	h.mu.Unlock()
	if was {
		return
	}
	if h.e.heard(h.self, h.far) {
		h.out.end(err, atOnce)
	}
	h.in.mu.Lock()
	h.in.changed()
	h.in.mu.Unlock()
}

func (h *half) Close() error {
	h.shut(io.EOF, false)
	return nil
}

func (h *half) CloseWrite() error {
	if h.e.heard(h.self, h.far) {
		h.out.end(io.EOF, false)
	}
	return nil
}

func (h *half) ResetWith(code wire.Code, reason string) {
	h.shut(wire.Errorf(code, "reset: %s", reason), true)
}

func (h *half) SetDeadline(t time.Time) error { return h.SetReadDeadline(t) }
func (h *half) SetReadDeadline(t time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.until = t
	if h.moved != nil {
		close(h.moved)
	}
	h.moved = make(chan struct{})
	return nil
}
func (h *half) SetWriteDeadline(time.Time) error { return nil }
func (h *half) LocalAddr() net.Addr              { return pipe.Addr{Peer: h.self} }
func (h *half) RemoteAddr() net.Addr             { return pipe.Addr{Peer: h.far} }
