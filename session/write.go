package session

import (
	"context"
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/replica"
)

// turn is about how many bytes go to the connection at once.
const turn = 64 << 10

// write sends what the machine says until the session has ended, and then BYE.
func (s *session) write(ctx context.Context) {
	var buf []byte
	for {
		var ended, err error
		if buf, ended, err = s.fill(ctx, buf[:0]); err != nil {
			s.end(err)
			continue
		}
		if ended != nil {
			s.part(ended)
			return
		}
		s.arm(false)
		if len(buf) == 0 {
			<-s.wake
			continue
		}
		if _, err := s.conn.Write(buf); err != nil {
			s.end(wire.Errorf(wire.CodeOf(err), "the far side takes nothing: %w", err))
			return
		}
	}
}

// fill takes a turn's bytes from the machine, and says whether the session has
// ended.
func (s *session) fill(ctx context.Context, buf []byte) (_ []byte, ended, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil {
		return buf, s.ended, nil
	}
	_ = s.conn.SetWriteDeadline(time.Now().Add(stall)) // the next write tells of an error
	buf = s.machine.Control(buf, turn)
	for len(buf) < turn {
		p, more := s.machine.Next()
		if !more {
			break
		}
		s.mu.Unlock()
		entries, err := s.c.read(ctx, p)
		s.mu.Lock()
		if err != nil {
			return buf, nil, err
		}
		if len(entries) == 0 {
			return buf, nil, wire.Errorf(wire.Internal, "the journal has no entry %d that it holds", p.From)
		}
		buf = s.machine.Sent(buf, p, entries)
	}
	return buf, s.ended, nil
}

// part tells the far side why, if it still listens.
func (s *session) part(why error) {
	_, _ = s.conn.Write(replica.Bye(why))
}
