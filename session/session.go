package session

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/replica"
)

const (
	// stall is how long the far side may stand still while something waits for
	// it. A link gives up a lost path before that.
	stall = 2 * time.Minute
	// parting is how long BYE may take.
	parting = time.Second
)

// Far is the device at the other end of a connection, as was proved before.
type Far struct {
	Device  identity.Principal
	Account identity.Principal
	// Ours and Theirs say whether a device is in the device log of this account,
	// as the far side was shown it, and in that of Account, valid or revoked.
	Ours, Theirs func(device identity.Principal) bool
	// LogShown takes the device log of Account that the far side shows anew. Its
	// error ends the session.
	LogShown func(log []byte) error
}

// session is one connection.
type session struct {
	c    *Conversations
	conn net.Conn
	far  Far
	wake chan struct{} // there may be something to write

	mu      sync.Mutex
	machine *replica.Machine
	armed   bool  // a read deadline is set
	ended   error // why, once it is known
}

// Run runs a session over conn, which it closes, until ctx or the connection
// ends. It returns why: never nil, Closed where nothing is wrong.
func (c *Conversations) Run(ctx context.Context, conn net.Conn, far Far) error {
	s := &session{c: c, conn: conn, far: far, wake: make(chan struct{}, 1)}
	s.machine = replica.NewMachine(replica.Config{
		Self: c.cfg.Device, Own: far.Account == c.cfg.Account, With: far.Account, Ours: far.Ours, Theirs: far.Theirs,
	})
	c.mu.Lock()
	c.sessions[s] = true
	c.mu.Unlock()
	// What is committed from now on is told, and nothing is lost between.
	runs := c.cfg.Journal.Runs()
	s.tell(func(m *replica.Machine) {
		for key, run := range runs {
			m.Mine(key, run)
		}
		m.Begin()
	})
	stop := context.AfterFunc(ctx, func() { s.end(wire.Errorf(wire.Closed, "session ended: %w", context.Cause(ctx))) })
	var writer sync.WaitGroup
	writer.Go(func() { s.write(ctx) })
	s.end(s.read(ctx))
	writer.Wait()
	stop()
	c.mu.Lock()
	delete(c.sessions, s)
	c.mu.Unlock()
	conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

// tell has f change the machine, and the writer look at it.
func (s *session) tell(f func(*replica.Machine)) {
	s.mu.Lock()
	f(s.machine)
	s.mu.Unlock()
	s.rouse()
}

func (s *session) rouse() {
	select {
	case s.wake <- struct{}{}:
	default: // it is about to look
	}
}

// end ends the session for the first reason that is given.
func (s *session) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil {
		return
	}
	s.ended = err
	now := time.Now()
	_ = s.conn.SetReadDeadline(now) // what fails is closed already
	_ = s.conn.SetWriteDeadline(now.Add(parting))
	s.rouse()
}

// arm sets the time by which the far side is to move. It is called whenever
// something is sent, and with progress when the far side has moved.
func (s *session) arm(progress bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting := s.machine.Waiting()
	switch {
	case s.ended != nil:
	case waiting && (progress || !s.armed):
		s.armed = true
		_ = s.conn.SetReadDeadline(time.Now().Add(stall)) // the next read tells of an error
	case !waiting && s.armed:
		s.armed = false
		_ = s.conn.SetReadDeadline(time.Time{})
	}
}
