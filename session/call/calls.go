package call

import (
	"cmp"
	"context"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/buddy"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

const (
	// RingTime is how long a person may take to answer.
	RingTime   = 60 * time.Second
	waitTime   = RingTime + 10*time.Second // of the dialer for an answer
	sayTime    = 10 * time.Second          // for one word, or the offer
	maxRings   = 16
	maxRingsOf = 4 // of one account
)

// Line is a link to a device on which both ends have said whose devices they
// are; package roster has one.
type Line interface {
	net.Conn
	CloseWrite() error
	Direct() bool
	ResetWith(code wire.Code, reason string)
}

// Config is of one account on one device.
type Config struct {
	// Reach returns the devices of an account that a call can ring on now.
	Reach func(identity.Principal) ([]peer.ID, error)
	// Dial opens a line to one of them.
	Dial func(context.Context, identity.Principal, peer.ID) (Line, error)
	// Tell is told of events, by many goroutines; it must not block. May be nil.
	Tell func(Event)
	// Now is the clock.
	Now func() time.Time
}

// Info says what a session, or a call that rings, is.
type Info struct {
	ID      buddy.SessionID
	Kind    buddy.Kind
	Topic   string // what applications call it
	Account identity.Principal
	Device  peer.ID // at the other end
	Mine    bool    // this device called
	Since   time.Time
}

// EventKind says what an Event tells.
type EventKind uint8

// The kinds of events.
const (
	Rings   EventKind = iota + 1 // somebody calls: "rings"
	Stopped                      // it rings no more, Err says why; nil: it was answered here: "stopped"
	Began                        // a session has begun: "began"
	Ended                        // a session has ended here: "ended"
)

// String returns the kind's word.
func (k EventKind) String() string {
	words := [...]string{"", "rings", "stopped", "began", "ended"}
	if int(k) >= len(words) {
		return ""
	}
	return words[k]
}

// Event is something that happened to a call.
type Event struct {
	Kind EventKind
	Info Info
	Err  error
}

// Calls are those of one account on one device. Its methods are safe for
// concurrent use.
type Calls struct {
	cfg   Config
	tasks sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	cancels  map[*context.CancelCauseFunc]bool // of calls under way
	rings    map[buddy.SessionID]*ring
	sessions map[*Session]bool
	topics   map[string]func(*Session)
}

// New returns no calls.
func New(cfg Config) *Calls {
	return &Calls{
		cfg: cfg, cancels: make(map[*context.CancelCauseFunc]bool), rings: make(map[buddy.SessionID]*ring),
		sessions: make(map[*Session]bool), topics: make(map[string]func(*Session)),
	}
}

// Handle has f called with each data session that another device opens on a
// topic, on a goroutine of its own; f closes it. A nil f ends that.
func (c *Calls) Handle(topic string, f func(*Session)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f == nil {
		delete(c.topics, topic)
		return
	}
	c.topics[topic] = f
}

// Ringing lists the calls that wait for an answer here, the oldest first.
func (c *Calls) Ringing() []Info {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []Info
	for _, r := range c.rings {
		all = append(all, r.info)
	}
	return sorted(all)
}

// Sessions lists the sessions that run, the oldest first.
func (c *Calls) Sessions() []Info {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []Info
	for s := range c.sessions {
		all = append(all, s.Info)
	}
	return sorted(all)
}

func sorted(all []Info) []Info {
	slices.SortFunc(all, func(a, b Info) int {
		return cmp.Or(a.Since.Compare(b.Since), slices.Compare(a.ID[:], b.ID[:]))
	})
	return all
}

// Close ends all calls and sessions, and returns when nothing of them runs. The
// handlers of data sessions are waited for.
func (c *Calls) Close() error {
	c.mu.Lock()
	c.closed = true
	var sessions []*Session
	for s := range c.sessions {
		sessions = append(sessions, s)
	}
	for _, r := range c.rings {
		r.stop(errClosed)
	}
	for cancel := range c.cancels {
		(*cancel)(errClosed)
	}
	c.mu.Unlock()
	for _, s := range sessions {
		s.ResetWith(wire.Closed, "the device goes offline")
	}
	c.tasks.Wait()
	return nil
}

var (
	errClosed error = wire.Errorf(wire.Closed, "calls are closed")
	errTaken  error = wire.Errorf(wire.Taken, "the call was answered on another device")
	errHere   error = wire.Errorf(wire.Taken, "the call was answered here")
	errCancel error = wire.Errorf(wire.Closed, "the call was taken back")
	errMissed error = wire.Errorf(wire.Timeout, "nobody answered within %s", RingTime)
)

func (c *Calls) tell(e Event) {
	if c.cfg.Tell != nil {
		c.cfg.Tell(e)
	}
}

// begin makes a session of a line. It is nil, and the line is ended, where calls
// are closed.
func (c *Calls) begin(info Info, l Line) *Session {
	_ = l.SetDeadline(time.Time{}) // what fails, fails at the first read
	info.Since = c.cfg.Now()
	s := &Session{Line: l, Info: info, calls: c}
	c.mu.Lock()
	closed := c.closed
	if !closed {
		c.sessions[s] = true
	}
	c.mu.Unlock()
	if closed {
		l.ResetWith(wire.Closed, "the device goes offline")
		return nil
	}
	c.tell(Event{Kind: Began, Info: info})
	return s
}

// Session is a call that was answered, or a data session: bytes both ways.
type Session struct {
	Line
	Info
	calls *Calls
}

// Close ends the session. What was written is still delivered.
func (s *Session) Close() error {
	err := s.Line.Close()
	s.over()
	return err
}

// ResetWith drops the session, with a word for the far side.
func (s *Session) ResetWith(code wire.Code, reason string) {
	s.Line.ResetWith(code, reason)
	s.over()
}

func (s *Session) over() {
	s.calls.mu.Lock()
	ran := s.calls.sessions[s]
	delete(s.calls.sessions, s)
	s.calls.mu.Unlock()
	if ran {
		s.calls.tell(Event{Kind: Ended, Info: s.Info})
	}
}
