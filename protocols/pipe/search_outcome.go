package pipe

import (
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// liveLocked returns the live bindings that count.
func (x *search) liveLocked(now time.Time) []Found {
	x.forgetLocked()
	var out []Found
	for _, f := range x.known.live(now) {
		who, _ := f.Binding.Binder.Peer()
		pinned := len(x.pins) == 0 || slices.Contains(x.pins, who)
		if pinned && (!x.self || f.Origin == OriginAuthoritative) {
			out = append(out, f)
		}
	}
	return out
}

// live returns all that serve the pipe, wanted or not.
func (x *search) live() []Found {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.forgetLocked()
	return agedAll(x.known.live(time.Now()), time.Now())
}

// count is how many nodes were asked so far.
func (x *search) count() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.asked
}

// outcome returns what has been found so far. Without a live binding it fails
// with Unbound, or with what kept the search from an answer.
func (x *search) outcome(t reach.Transport) (*Resolution, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	live := x.liveLocked(time.Now())
	usable := offering(live, t)
	switch {
	case len(usable) > 0:
		return &Resolution{
			Pipe: x.id, Advertisement: usable[0].Binding.Advertisement, Bindings: agedAll(usable, time.Now()),
			Asked: x.asked, Took: x.took,
		}, nil
	case len(live) > 0:
		return nil, notOffered(x.id, t, live)
	case x.asked == 0 && x.lastErr != nil, x.asked > 0 && x.failed == x.asked:
		return nil, wire.Errorf(wire.Unreachable, "pipe %s: none of %d nodes answered: %w", x.id, x.asked, x.lastErr).
			WithNext("see that this node has peers: panpipe status")
	}
	if all := x.known.live(time.Now()); len(x.pins) > 0 && len(all) > 0 {
		return nil, servedByOthers(x.id, x.pins, all)
	}
	return nil, unbound(x.id, x.asked)
}

func servedByOthers(id ID, wanted []peer.ID, all []Found) error {
	var who []string
	for _, f := range all {
		who = append(who, f.Binding.Binder.String())
	}
	return wire.Errorf(wire.Unbound, "pipe %s is not served by %v, but by %s", id, wanted, strings.Join(who, ", ")).
		WithNext("dial who serves it, or any binder")
}

func unbound(id ID, asked int) error {
	return wire.Errorf(wire.Unbound, "nobody serves pipe %s (nodes asked: %d)", id, asked).
		WithNext("check the ID; on the node that is to serve it see panpipe gateway ls, or panpipe pipe listen %s", id)
}

func notOffered(id ID, t reach.Transport, live []Found) error {
	return wire.Errorf(wire.Unsupported, "no binder of pipe %s is on transport %s; offered: %v", id, t, offered(live)).
		WithNext("ask for one of those transports, or for any")
}
