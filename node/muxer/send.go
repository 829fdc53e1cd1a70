package muxer

import (
	"errors"
	"net"
	"sync"
	"time"
)

const (
	// writeTime is how long the connection may take nothing.
	writeTime = 10 * time.Second

	// recordSize is the data of a full TLS record, in bytes: the first write of a
	// frame ends at that bound, so that the rest goes from where it is in full
	// records.
	recordSize = 16 << 10

	// smallMost is the largest body that is left to whoever writes already.
	smallMost = 4 << 10

	// queuedMost is how many bytes may wait for whoever writes before the next
	// waits for a turn.
	queuedMost = 64 << 10

	// roundsMost is how often who has written writes what others left meanwhile,
	// before a goroutine of its own does.
	roundsMost = 4

	pongsMost  = 256     // answers that wait to be written when a ping is not answered any more
	postedMost = 1 << 20 // bytes that wait when no stream is opened or taken any more: the far side makes work and reads nothing
)

// sender writes frames. Whoever has one writes it himself; who comes meanwhile
// leaves it to him if it is small, or waits for his turn.
type sender struct {
	conn net.Conn
	fail func(error) // is told once why nothing can be written any more; without mu
	rest func()      // flush, as a goroutine is begun with it without allocating
	cork corker      // conn, if it can hold back what is to go together

	mu     sync.Mutex
	busy   bool    // somebody writes
	turns  []*turn // wait for that to end; first come, first served
	posted []byte  // small frames that whoever writes next takes along
	pongs  int     // of them are answers to pings
	spare  []byte  // memory for posted
	err    error   // why nothing can be written any more

	until time.Time // the connection's write deadline; owned by who writes
}

// corker is a connection that holds back what is written until Uncork. Package
// records has one.
type corker interface {
	Cork()
	Uncork() error
}

// turn is a wait for the right to write.
type turn struct {
	given chan struct{} // closed when it is given, or nothing can be written any more
}

// records are memory for the first write of a frame.
var records = sync.Pool{New: func() any { return new([recordSize]byte) }}

// post has a frame without a body sent, by somebody else: it never waits.
func (s *sender) post(h header) error {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return s.err
	}
	if h.kind == kindPing && h.flags == flagTake {
		if s.pongs >= pongsMost {
			s.mu.Unlock()
			return nil
		}
		s.pongs++
	}
	s.posted = h.append(s.posted)
	flush := !s.busy
	s.busy = true
	s.mu.Unlock()
	if flush {
		go s.rest()
	}
	return nil
}

// flush writes what was posted, having the right to.
func (s *sender) flush() {
	s.mu.Lock()
	_ = s.finish(nil) // who posted has gone on
}

// takeLocked gives what was posted to who has the right to write.
func (s *sender) takeLocked() []byte {
	b := s.posted
	s.posted, s.spare, s.pongs = s.spare[:0], nil, 0
	return b
}

// send writes a frame. It may wait until the deadline for others to write
// theirs; if that passes nothing of the frame was sent. A connection that is
// being written to cannot be left: who has a deadline has a copy written by
// somebody else.
func (s *sender) send(h header, body []byte, d *deadline) error {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return s.err
	}
	leave, stopped := d.state()
	if stopped { // its stream's last frame may be posted
		s.mu.Unlock()
		return errTimeout
	}
	if s.busy && len(body) <= smallMost && len(s.posted) < queuedMost {
		s.posted = append(h.append(s.posted), body...)
		s.mu.Unlock()
		return nil
	}
	if s.busy {
		if err := s.await(d); err != nil {
			return err
		}
	}
	s.busy = true
	if leave {
		s.posted = append(h.append(s.posted), body...)
		s.mu.Unlock()
		go s.rest()
		return nil
	}
	before := s.takeLocked()
	s.mu.Unlock()
	err := s.write(before, h, body)
	s.mu.Lock()
	s.spare = keep(before)
	return s.finish(err)
}

// keep is memory that is worth keeping.
func keep(b []byte) []byte {
	if cap(b) > smallMost {
		return nil
	}
	return b[:0]
}

// await waits for the right to write. On an error mu is free.
func (s *sender) await(d *deadline) error {
	t := &turn{given: make(chan struct{})}
	s.turns = append(s.turns, t)
	s.mu.Unlock()
	select {
	case <-t.given:
	case <-d.wait():
		s.mu.Lock()
		for i, o := range s.turns {
			if o == t {
				s.turns = append(s.turns[:i], s.turns[i+1:]...)
				s.mu.Unlock()
				return errTimeout
			}
		}
		s.mu.Unlock() // it was given at the same time
		<-t.given
	}
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return s.err
	}
	if _, stopped := d.state(); stopped {
		s.mu.Unlock()
		go s.rest()
		return errTimeout
	}
	return nil
}

// finish gives the right to write to the next, after what was posted meanwhile.
// It is called with mu and unlocks it.
func (s *sender) finish(err error) error {
	for round := 0; ; round++ {
		if err != nil {
			s.endLocked(err)
			s.mu.Unlock()
			s.fail(err)
			return err
		}
		if len(s.turns) > 0 {
			t := s.turns[0]
			s.turns = append(s.turns[:0], s.turns[1:]...)
			close(t.given)
			s.mu.Unlock()
			return nil
		}
		if len(s.posted) == 0 || s.err != nil {
			s.busy = false
			s.mu.Unlock()
			return nil
		}
		if round == roundsMost {
			s.mu.Unlock()
			go s.rest()
			return nil
		}
		b := s.takeLocked()
		s.mu.Unlock()
		err = s.put(b)
		s.mu.Lock()
		s.spare = keep(b)
	}
}

// flooded reports that the far side makes work and takes none of the answers.
func (s *sender) flooded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.posted) >= postedMost
}

// endLocked has all fail from now on.
func (s *sender) endLocked(err error) {
	if s.err == nil {
		s.err = err
	}
	for _, t := range s.turns {
		close(t.given)
	}
	s.turns, s.posted, s.spare = nil, nil, nil
}

func (s *sender) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endLocked(err)
}

// write writes what was posted before and a frame, with as few copies and
// records as can be.
func (s *sender) write(before []byte, h header, body []byte) error {
	if len(before)+headerSize > recordSize/2 {
		if err := s.put(before); err != nil {
			return err
		}
		before = nil
	}
	m := records.Get().(*[recordSize]byte)
	defer records.Put(m)
	b := h.append(append(m[:0], before...))
	n := min(len(body), recordSize-len(b))
	b = append(b, body[:n]...)
	if n == len(body) {
		return s.put(b)
	}
	if s.cork != nil {
		s.cork.Cork()
	}
	err := s.put(b)
	if err == nil {
		err = s.put(body[n:])
	}
	if s.cork != nil {
		err = errors.Join(err, s.cork.Uncork())
	}
	return err
}

// put writes bytes.
func (s *sender) put(b []byte) error {
	if now := time.Now(); now.Add(writeTime / 2).After(s.until) {
		s.until = now.Add(writeTime)
		if err := s.conn.SetWriteDeadline(s.until); err != nil {
			return err
		}
	}
	_, err := s.conn.Write(b)
	return err
}

// last writes a frame after which nothing is written any more, if that can be
// done in goAwayTime.
func (s *sender) last(h header) {
	d := deadline{wake: func() {}}
	d.set(time.Now().Add(goAwayTime))
	defer d.stop()
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return
	}
	if s.busy && s.await(&d) != nil {
		return
	}
	s.busy = true
	before := s.takeLocked()
	s.mu.Unlock()
	_ = s.conn.SetWriteDeadline(time.Now().Add(goAwayTime))
	_, _ = s.conn.Write(h.append(before)) // the far side may have gone
	s.end(errShutdown)
}
