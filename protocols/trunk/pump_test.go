package trunk

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/panpipe-net/panpipe/protocols/reach"
)

// sink is a stream that takes everything, and gives the same bytes for ever.
type sink struct {
	network.Stream
	writes, bytes atomic.Int64
	gives         []byte
	at            int
}

func (s *sink) Write(p []byte) (int, error) {
	s.writes.Add(1)
	s.bytes.Add(int64(len(p)))
	return len(p), nil
}

func (s *sink) Read(p []byte) (int, error) {
	n := copy(p, s.gives[s.at:])
	s.at = (s.at + n) % len(s.gives)
	return n, nil
}

// noReach is asked for nothing.
type noReach struct{}

func (noReach) Handle(protocol.ID, func(network.Stream)) {}
func (noReach) Unhandle(protocol.ID)                     {}
func (noReach) PathOf(network.Conn) reach.Path           { return reach.Path{} }
func (noReach) Doubt(reach.Path) <-chan struct{}         { return nil }
func (noReach) Hold(peer.ID) func()                      { return func() {} }

// carrierOn is a carrier without goroutines.
func carrierOn(s *sink) *carrier {
	t := &Trunks{cfg: Config{Reach: noReach{}}}
	t.cfg.normalize()
	c := &carrier{
		t: t, line: &line{t: t, peer: new(peerLegs)}, s: s, since: time.Now(),
		wake: make(chan struct{}, 1), dead: make(chan struct{}), started: make(chan struct{}), batches: batches,
		legs: make(map[uint64]*Leg), unopened: make(map[*Leg]struct{}),
	}
	c.in.src = c
	c.life.begin(c)
	return c
}

// steady sends and takes frames of one size.
type steady struct {
	size, left int
	buf        []byte
}

func (o *steady) Pull(_ *Leg, out *Outbox) bool {
	for ; o.left > 0 && out.Room() >= o.size; o.left-- {
		copy(out.Frame(FirstKind, o.size), o.buf)
	}
	return o.left > 0
}

func (o *steady) Receive(_ *Leg, _ Kind, in *Inbox) error { return in.Full(o.buf[:in.Len()]) }
func (*steady) Datagram(*Leg, []byte)                     {}
func (*steady) Lost(*Leg, error)                          {}

func TestNoFrameAllocates(t *testing.T) {
	for _, size := range []int{0, 64, 10_000, MaxFrame - 5} {
		frame := header{1, FirstKind, size}.append(nil)
		frame = append(frame, make([]byte, size)...)
		c := carrierOn(&sink{gives: frame})
		defer c.life.end()
		o := &steady{size: size, buf: make([]byte, size)}
		l, err := c.attach(o)
		if err != nil {
			t.Fatal(err)
		}
		far := &Leg{c: c, owner: o}
		far.setHandle(1)
		c.legs[1] = far
		if n := testing.AllocsPerRun(1000, func() {
			o.left = 1
			c.life.seen = c.life.written // as if all had arrived
			l.Ready()
		}); n != 0 {
			t.Errorf("sending a frame of %d bytes allocates %v times", size, n)
		}
		if n := testing.AllocsPerRun(1000, func() {
			if err := c.frame(); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("reading a frame of %d bytes allocates %v times", size, n)
		}
	}
}

func TestSmallFramesOfManyLegsAreWrittenTogether(t *testing.T) {
	s := new(sink)
	c := carrierOn(s)
	defer c.life.end()
	c.pumping = true // by somebody else, for now
	for range 100 {
		l, err := c.attach(&steady{size: 100, left: 1, buf: make([]byte, 100)})
		if err != nil {
			t.Fatal(err)
		}
		l.Ready()
	}
	c.mu.Lock()
	c.pumpLocked(0)
	if n, m := s.writes.Load(), s.bytes.Load(); n != 1 || m < 100*103 {
		t.Errorf("%d bytes in %d writes", m, n)
	}
}

// BenchmarkFrame is what a frame costs without a stream below.
func BenchmarkFrame(b *testing.B) {
	frame := append(header{1, FirstKind, 64}.append(nil), make([]byte, 64)...)
	c := carrierOn(&sink{gives: frame})
	defer c.life.end()
	o := &steady{size: 64, buf: make([]byte, 64)}
	l, err := c.attach(o)
	if err != nil {
		b.Fatal(err)
	}
	far := &Leg{c: c, owner: o}
	far.setHandle(1)
	c.legs[1] = far
	b.Run("send", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			o.left = 1
			c.life.seen = c.life.written
			l.Ready()
		}
	})
	b.Run("receive", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			if err := c.frame(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// hesitant has nothing to send when it is first asked, and has something before
// that call is over.
type hesitant struct {
	steady
	asked bool
}

func (o *hesitant) Pull(l *Leg, out *Outbox) bool {
	if !o.asked {
		o.asked, o.left = true, 1
		l.ReadySoon() // another goroutine's, really
		return false
	}
	return o.steady.Pull(l, out)
}

// TestReadyDuringAPullThatGivesNothingIsHeard: the owner is asked again.
func TestReadyDuringAPullThatGivesNothingIsHeard(t *testing.T) {
	s := new(sink)
	c := carrierOn(s)
	defer c.life.end()
	o := &hesitant{steady: steady{size: 10, buf: make([]byte, 10)}}
	l, err := c.attach(o)
	if err != nil {
		t.Fatal(err)
	}
	c.greeted = true
	l.Ready()
	if o.left != 0 || s.bytes.Load() != 13 {
		t.Errorf("%d frames were not pulled, %d bytes written", o.left, s.bytes.Load())
	}
}
