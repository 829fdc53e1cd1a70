package trunk

import (
	"context"
	"encoding/binary"
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

const (
	// MaxDatagram is how many bytes a datagram may have on any path: what a
	// QUIC packet of 1200 bytes, the least that a path must carry, has room for.
	MaxDatagram = 1100

	waitingDatagrams = 32 // of one leg, or on their way to QUIC

	stuckTime = time.Second // for the last datagram when this side closes
)

// MaxDatagram is how many bytes SendDatagram takes.
func (l *Leg) MaxDatagram() int { return MaxDatagram }

// SendDatagram sends b if there is room; it may be lost, and overtake frames
// or be overtaken. Of those that wait the oldest is dropped. A leg of which
// nothing was sent yet is NotReady.
func (l *Leg) SendDatagram(b []byte) error {
	if len(b) > MaxDatagram {
		return wire.Errorf(wire.TooLarge, "a datagram of %d bytes; %d is the most", len(b), MaxDatagram)
	}
	c := l.c
	c.mu.Lock()
	switch {
	case l.released || l.lost != nil || c.ended:
		c.mu.Unlock()
		return wire.Errorf(wire.Closed, "the leg is gone")
	case !l.opened:
		c.mu.Unlock()
		return wire.Errorf(wire.NotReady, "the leg is not open yet")
	case c.line.quic != nil:
		handle := l.handle
		c.mu.Unlock()
		c.line.datagrams.send(handle, b)
		return nil
	}
	if l.datagrams == nil {
		l.datagrams = new(datagramQueue)
	}
	if l.datagrams.push(0, b) {
		c.t.counts.datagramsDropped.Add(1)
	}
	c.turns.push(&l.turn)
	c.kickLocked()
	c.mu.Unlock()
	return nil
}

// datagramQueue holds the last few datagrams that wait. It keeps its memory.
type datagramQueue struct {
	slots   [waitingDatagrams][]byte
	first   int
	waiting int
}

// push adds a datagram with a handle before it unless that is 0, and reports
// that the oldest had to go.
func (q *datagramQueue) push(handle uint64, b []byte) (dropped bool) {
	if dropped = q.waiting == len(q.slots); dropped {
		q.pop()
	}
	slot := &q.slots[(q.first+q.waiting)%len(q.slots)]
	*slot = (*slot)[:0]
	if handle != 0 {
		*slot = binary.AppendUvarint(*slot, handle)
	}
	*slot = append(*slot, b...)
	q.waiting++
	return dropped
}

// pending reports that datagrams wait.
func (q *datagramQueue) pending() bool { return q != nil && q.waiting > 0 }

// pop takes the oldest, valid until the next push.
func (q *datagramQueue) pop() []byte {
	b := q.slots[q.first]
	q.first = (q.first + 1) % len(q.slots)
	q.waiting--
	return b
}

// fill writes what fits into allowed bytes of b as frames.
func (q *datagramQueue) fill(l *Leg, b *batch, allowed int) {
	for q.waiting > 0 {
		h := header{l.handle, kindDatagram, len(q.slots[q.first])}
		if size := h.size() + h.length; size > allowed || size > b.space() {
			return
		} else {
			allowed -= size
		}
		b.take(append(h.append(b.free()), q.pop()...))
	}
}

// datagramSender queues datagrams for QUIC, whose own queue makes callers wait.
type datagramSender struct {
	mu    sync.Mutex
	queue datagramQueue
	news  chan struct{} // of capacity one
	lost  func()
}

func (s *datagramSender) send(handle uint64, b []byte) {
	s.mu.Lock()
	dropped := s.queue.push(handle, b)
	s.mu.Unlock()
	if dropped {
		s.lost()
	}
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// next copies the oldest datagram into b.
func (s *datagramSender) next(b []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.queue.waiting == 0 {
		return nil
	}
	return append(b[:0], s.queue.pop()...)
}

// findDatagrams looks whether the path has datagrams, as QUIC connections do.
func (l *line) findDatagrams() {
	var q *quic.Conn
	if l.path.Transport() != reach.QUIC || !l.path.Conn().As(&q) || !q.ConnectionState().SupportsDatagrams.Remote {
		return
	}
	l.quic = q
	l.datagrams.news = make(chan struct{}, 1)
	l.datagrams.lost = func() { l.t.counts.datagramsDropped.Add(1) }
}

// startDatagramsLocked takes the datagrams of a QUIC connection into service, as
// long as there are carriers. Nobody else reads them.
func (l *line) startDatagramsLocked() {
	if l.quic == nil {
		return
	}
	ctx, cancel := context.WithCancel(l.t.ctx)
	l.stopDatagrams = cancel
	l.t.running.Go(func() {
		defer cancel()
		l.receiveDatagrams(ctx)
	})
	sent := make(chan struct{})
	l.t.running.Go(func() {
		defer close(sent)
		l.sendDatagrams(ctx)
	})
	context.AfterFunc(ctx, func() {
		select {
		case <-sent:
		case <-time.After(stuckTime): // QUIC holds a datagram on a path that takes none
			_ = l.path.Close()
		}
	})
}

// sendDatagrams lives until ctx ends.
func (l *line) sendDatagrams(ctx context.Context) {
	buf := make([]byte, 0, MaxDatagram+maxHeader)
	for {
		select {
		case <-l.datagrams.news:
		case <-ctx.Done():
			return
		}
		for b := l.datagrams.next(buf); b != nil; b = l.datagrams.next(buf) {
			if err := l.quic.SendDatagram(b); err != nil {
				l.datagrams.lost()
			}
		}
	}
}

// receiveDatagrams lives until ctx or the connection ends.
func (l *line) receiveDatagrams(ctx context.Context) {
	for {
		b, err := l.quic.ReceiveDatagram(ctx)
		if err != nil {
			return
		}
		handle, n, err := uvarint(b, maxHandle)
		if n == 0 || err != nil || len(b)-n > MaxDatagram {
			l.t.counts.late.Add(1)
			continue
		}
		l.deliver(handle, b[n:])
	}
}

// deliver gives a datagram to the owner of its leg.
func (l *line) deliver(handle uint64, b []byte) {
	leg := l.leg(handle)
	if leg == nil {
		l.t.counts.late.Add(1)
		return
	}
	c := leg.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if leg.released || leg.lost != nil || leg.owner == nil || c.ended {
		return
	}
	leg.calls++
	c.mu.Unlock()
	leg.owner.Datagram(leg, b)
	c.mu.Lock()
	c.callEndedLocked(leg)
}
