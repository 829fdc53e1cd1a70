package control

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/link"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

const (
	takeTimeout = 10 * time.Second // for an offered connection to be taken
	keptEnded   = 256              // ended connections that can still be asked about
)

// PipeConn is what the API needs of a connection. *pipe.Conn is one.
type PipeConn interface {
	net.Conn
	CloseWrite() error
	Reset()
	// Opened waits until the far side has accepted.
	Opened(ctx context.Context) error
	Pipe() pipe.ID
	RemotePrincipal() identity.Principal
	Transport() reach.Transport
	Direct() bool
	RemoteEndpoint() ma.Multiaddr
	// Link names the link that the connection is; zero if it is none.
	Link() link.ID
	// Legs lists its last paths, the newest last, and how many there were.
	Legs() ([]link.Leg, int)
	// Waiting is since when it has no path; zero while it has one.
	Waiting() time.Time
}

// tracked is one connection that passes through the API.
type tracked struct {
	// fixed
	about api.Connection
	far   PipeConn
	count counters

	announced atomic.Bool // the program ends its data on purpose

	// guarded by registry.mu
	state   string
	problem *api.Problem
	timer   *time.Timer   // of an offered one
	settled chan struct{} // closed when it is no longer offered
}

// registry knows the connections that pass through the API.
type registry struct {
	hub *hub

	mu     sync.Mutex
	all    []*tracked // in the order of their beginning
	closed bool
}

func newRegistry(h *hub) *registry { return &registry{hub: h} }

// add registers c, accepted (offered until somebody takes it) or dialled.
func (g *registry) add(c PipeConn, offered bool) (*tracked, error) {
	t := &tracked{far: c, state: api.ConnectionOpen, settled: make(chan struct{})}
	t.about = api.Connection{
		ID: newID(), Pipe: c.Pipe().String(), Direction: "out",
		Principal: c.RemotePrincipal().String(), Opened: time.Now(),
	}
	t.place(&t.about)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		c.Reset()
		return nil, wire.Errorf(wire.Closed, "the local API is closing")
	}
	kind := api.EventConnectionOpened
	if offered {
		kind, t.state, t.about.Direction = api.EventConnectionOffered, api.ConnectionOffered, "in"
		t.timer = time.AfterFunc(takeTimeout, func() { g.expire(t) })
	} else {
		close(t.settled)
	}
	g.all = append(g.all, t)
	g.tellLocked(kind, t)
	return t, nil
}

// announce notes that the program of a connection ends its data on purpose.
func (g *registry) announce(id string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.findLocked(id)
	if t == nil {
		return unknownConnection(id)
	}
	t.announced.Store(true)
	return nil
}

// take gives an offered connection to the caller.
func (g *registry) take(id string) (*tracked, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.findLocked(id)
	switch {
	case t == nil:
		return nil, unknownConnection(id)
	case t.state == api.ConnectionOffered:
		t.timer.Stop()
		t.state = api.ConnectionOpen
		close(t.settled)
		g.tellLocked(api.EventConnectionOpened, t)
		return t, nil
	case t.state == api.ConnectionOpen:
		return nil, wire.Errorf(wire.Taken, "connection %s has been taken already", id)
	default:
		return nil, wire.Errorf(wire.Gone, "connection %s has ended", id).
			WithNext("take an offered connection within %s", takeTimeout)
	}
}

// expire drops a connection that nobody has taken.
func (g *registry) expire(t *tracked) {
	g.mu.Lock()
	late := t.state == api.ConnectionOffered
	g.mu.Unlock()
	if late {
		g.drop(t, wire.Errorf(wire.Timeout, "nobody took the connection within %s", takeTimeout))
	}
}

// drop resets an offered connection and ends it.
func (g *registry) drop(t *tracked, cause error) {
	g.mu.Lock()
	mine := t.state == api.ConnectionOffered
	if mine {
		g.endLocked(t, cause)
	}
	g.mu.Unlock()
	if mine {
		t.far.Reset()
	}
}

// end notes that t is over; a nil cause is a good end. The first word counts.
func (g *registry) end(t *tracked, cause error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.endLocked(t, cause)
}

func (g *registry) endLocked(t *tracked, cause error) {
	if t.over() {
		return
	}
	if t.state == api.ConnectionOffered {
		t.timer.Stop()
		close(t.settled)
	}
	t.place(&t.about)
	t.about.ReconnectingSince = nil
	t.state, t.problem = api.ConnectionEnded, problemOf(cause)
	if cause != nil {
		t.state = api.ConnectionFailed
		if t.about.Direction == "in" {
			t.problem.Next = "" // it is for who dials
		}
	}
	g.tellLocked(api.EventConnectionEnded, t)
	g.forgetLocked()
}

// forgetLocked lets go of the oldest ended connections above the cap.
func (g *registry) forgetLocked() {
	ended := 0
	for _, t := range g.all {
		if t.over() {
			ended++
		}
	}
	g.all = slices.DeleteFunc(g.all, func(t *tracked) bool {
		if ended <= keptEnded || !t.over() {
			return false
		}
		ended--
		return true
	})
}

func (t *tracked) over() bool {
	return t.state == api.ConnectionEnded || t.state == api.ConnectionFailed
}

// get tells about one connection.
func (g *registry) get(id string) (api.Connection, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.findLocked(id)
	if t == nil {
		return api.Connection{}, unknownConnection(id)
	}
	return t.tellLocked(), nil
}

// list tells about all.
func (g *registry) list() []api.Connection {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make([]api.Connection, 0, len(g.all))
	for _, t := range g.all {
		all = append(all, t.tellLocked())
	}
	return all
}

// close drops all that live and refuses new ones.
func (g *registry) close() {
	g.mu.Lock()
	g.closed = true
	live := slices.DeleteFunc(slices.Clone(g.all), (*tracked).over)
	g.mu.Unlock()
	for _, t := range live {
		g.drop(t, wire.Errorf(wire.Closed, "the node is shutting down"))
		t.far.Reset()
	}
}

func (g *registry) findLocked(id string) *tracked {
	for _, t := range g.all {
		if t.about.ID == id {
			return t
		}
	}
	return nil
}

func (g *registry) tellLocked(kind string, t *tracked) {
	c := t.tellLocked()
	g.hub.publish(api.Event{Kind: kind, Pipe: c.Pipe, Connection: &c, Problem: c.Problem})
}

func (t *tracked) tellLocked() api.Connection {
	c := t.about
	if !t.over() {
		t.place(&c)
	}
	c.State, c.Problem = t.state, t.problem
	c.Sent, c.Received = t.count.sent.Load(), t.count.received.Load()
	return c
}

// live tells about those of a pipe, or of all if it names none, that have not
// ended.
func (g *registry) live(pipe string) []api.Connection {
	return slices.DeleteFunc(g.list(), func(c api.Connection) bool {
		return c.State != api.ConnectionOpen && c.State != api.ConnectionOffered || pipe != "" && c.Pipe != pipe
	})
}

func unknownConnection(id string) error {
	return wire.Errorf(wire.Unknown, "there is no connection %q", id).
		WithNext("take an offered connection within %s", takeTimeout)
}

// newID names a connection or a listen, for as long as the node runs.
func newID() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
