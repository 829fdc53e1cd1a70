package discovery

import (
	"maps"
	"slices"
	"sync"

	ma "github.com/multiformats/go-multiaddr"
)

// Reachability is where this node can be reached from.
type Reachability string

// The reachabilities.
const (
	ReachUnknown Reachability = "unknown" // there is a public address, and nobody outside to try it
	ReachPublic  Reachability = "public"  // from everywhere
	ReachPrivate Reachability = "private" // not from outside, as far as is known
	ReachLocal   Reachability = "local"   // nobody has seen a public address: LAN or loopback, where everyone serves
)

// State is what discovery knows at one moment.
type State struct {
	Role         Role
	Reachability Reachability
	Peers        int              // connected nodes of any kind
	Servers      int              // connected servers of this overlay
	Table        int              // nodes in the routing table; a change of it alone is not told to subscribers
	Joined       bool             // at least one server is known and alive
	Alone        bool             // nobody was named to join through and nobody is remembered
	JoinErrors   map[string]error // by join address with /p2p: why it does not work now; not to be changed
	MDNS         bool             // looking on the LAN
	Addrs        []ma.Multiaddr   // that the host announces; not to be changed
}

// ready says that resolving will work.
func (s State) ready() bool { return s.Joined || s.Alone }

func (s State) equal(o State) bool {
	return s.Role == o.Role && s.Reachability == o.Reachability && s.Peers == o.Peers &&
		s.Servers == o.Servers && s.Joined == o.Joined && s.Alone == o.Alone && s.MDNS == o.MDNS &&
		slices.EqualFunc(s.Addrs, o.Addrs, ma.Multiaddr.Equal) &&
		maps.EqualFunc(s.JoinErrors, o.JoinErrors, func(a, b error) bool { return a.Error() == b.Error() })
}

// board shows the latest State to any number of readers.
type board struct {
	begun chan struct{} // closed at the first State that is ready

	mu      sync.Mutex
	state   State
	readers map[chan State]struct{}
	closed  bool
}

func newBoard(s State) *board {
	b := &board{begun: make(chan struct{}), readers: make(map[chan State]struct{})}
	b.setLocked(s) // nobody else has it yet
	return b
}

// publish replaces the State. A reader who is slow misses states, never the
// last one.
func (b *board) publish(s State) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.state.equal(s) {
		return
	}
	b.setLocked(s)
	for r := range b.readers {
		select {
		case <-r:
		default:
		}
		r <- s
	}
}

func (b *board) setLocked(s State) {
	if s.ready() && !b.state.ready() && !isClosed(b.begun) {
		close(b.begun)
	}
	b.state = s
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (b *board) read() State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state
}

// subscribe returns a channel that holds the present State at once and then
// each new one. It is closed by cancel, and when the board closes or has been.
func (b *board) subscribe() (<-chan State, func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := make(chan State, 1)
	if b.closed {
		close(r)
		return r, func() {}
	}
	r <- b.state
	b.readers[r] = struct{}{}
	return r, func() { b.drop(r) }
}

func (b *board) drop(r chan State) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.readers[r]; ok {
		delete(b.readers, r)
		close(r)
	}
}

func (b *board) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for r := range b.readers {
		close(r)
	}
	clear(b.readers)
}
