package doctor

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
)

// PeerFacts is what a node knows of another one, and how trying to reach it
// went.
type PeerFacts struct {
	ID   string
	Self bool // it is this node

	Identified bool     // it has told what it speaks
	Agent      string   // what its program calls itself
	InOverlay  bool     // it speaks this overlay's protocols
	Server     bool     // it serves this overlay
	Relay      bool     // it relays for others
	Overlays   []string // others whose protocols it speaks

	Paths []Path      // live connections, best first, when all was tried
	Addrs []KnownAddr // addresses known of it, with where each is from
	Asked int         // nodes that were asked for its addresses
	Tries []Try       // to connect, in order
	Took  time.Duration

	Punching *Punching // where a relay leads to it and no direct path; nil elsewhere

	// Failure is the word of the error vocabulary for why it was not reached,
	// or not in the way that is wanted; empty if it was. Words and Advice go
	// with it.
	Failure, Words, Advice string

	Here Node // this side
}

// Path is a live connection to a peer.
type Path struct {
	Addr, Transport string
	Direct          bool
	Inbound         bool
	Age             time.Duration
	RTT             time.Duration // of a ping sent now; 0: it was not answered
	Fault           string        // why the ping was not answered
	Circuit         *Circuit      // of a relayed one
}

// Punching is the state of hole punching with a peer.
type Punching struct {
	Here, There bool          // takes part
	Failed      string        // why the last one failed; empty where none is remembered
	Ago         time.Duration // since then
}

// words tells the state; empty where nothing is known.
func (p *Punching) words() string {
	switch {
	case p == nil:
		return ""
	case !p.Here:
		return "; no hole punching: this node knows no public address of its own"
	case !p.There:
		return "; no hole punching: the far side does not do it, or knows no public address of its own"
	case p.Failed != "":
		return fmt.Sprintf("; hole punching failed %s ago: %s", span(p.Ago), p.Failed)
	}
	return "; both sides punch holes, and none is known to have failed"
}

// KnownAddr is an address of a peer.
type KnownAddr struct {
	Addr    string
	Kind    AddrKind
	Sources []string // join, connection, overlay, remembered, peerstore
}

// AddrKind says from where an address can be dialled.
type AddrKind string

// The kinds of addresses.
const (
	AddrPublic   AddrKind = "public"
	AddrPrivate  AddrKind = "private"  // in its own network alone
	AddrLoopback AddrKind = "loopback" // on its own machine alone
	AddrRelay    AddrKind = "relay"    // through a relay
	AddrName     AddrKind = "name"     // wherever the name leads
)

// Try is one attempt to connect.
type Try struct {
	Addr, Transport string
	Reused          bool // a connection was there
	Beaten          bool // given up when another address had answered
	Took            time.Duration
	Code            string // "ok", or the word of the error vocabulary
	Error           string // empty when it worked, or was beaten
}

// PeerVerdict is what follows from PeerFacts.
type PeerVerdict struct {
	Summary   string // in one sentence
	Connected bool
	Direct    bool
	Problem   string    // word of the error vocabulary; empty: none
	Detail    string    // what the problem is
	Next      string    // what to do; empty: nothing
	Here      []Finding // this side's reachability, as far as it matters
}

// hereCodes are the findings about this side that bear on reaching others.
var hereCodes = []Code{Reachability, PortMapping, DoubleNAT, RelayUse, Listen, Clock}

// ExplainPeer draws the conclusions.
func ExplainPeer(f PeerFacts) PeerVerdict {
	v := judgePeer(f)
	for _, x := range Examine(Facts{Node: &f.Here}) {
		if slices.Contains(hereCodes, x.Code) && (x.Code != Clock || x.Severity == Warning || x.Severity == Problem) {
			v.Here = append(v.Here, x)
		}
	}
	if f.Self && v.Next == "" && len(v.Here) > 0 {
		v.Next = v.Here[0].Next
	}
	return v
}

func judgePeer(f PeerFacts) PeerVerdict {
	best := f.best()
	switch {
	case f.Self:
		return PeerVerdict{Summary: "this is the node itself", Connected: true, Direct: true}
	case best != nil && best.RTT == 0:
		return PeerVerdict{Summary: "connected, as far as this side knows, but it does not answer", Connected: true, Direct: best.Direct,
			Problem: "timeout", Detail: "no ping came back over " + best.Addr + ": " + orNothing(best.Fault),
			Next: "its machine sleeps or has left its network, or a NAT has forgotten the connection; try again in half a minute, when the dead connection is gone"}
	case best != nil && f.Identified && !f.InOverlay:
		return PeerVerdict{Summary: "connected" + best.how() + ", but it is not in this overlay", Connected: true, Direct: best.Direct,
			Problem: "unsupported", Detail: fmt.Sprintf("it does not speak the protocols of overlay %q%s", f.Here.Overlay, speaksOthers(f.Overlays)),
			Next: "give both nodes the same overlay (setting overlay, flag --overlay)"}
	case best != nil && f.Failure != "":
		return PeerVerdict{Summary: "connected" + best.how() + ", but not in the way that is wanted" + f.Punching.words(), Connected: true, Direct: best.Direct,
			Problem: f.Failure, Detail: f.Words, Next: f.Advice}
	case best != nil && !best.Direct:
		return relayedOnly(f, best)
	case best != nil:
		return PeerVerdict{Summary: "connected" + best.how(), Connected: true, Direct: true}
	}
	return unreached(f)
}

// best is the best path that answered, else the best one; nil without any.
func (f PeerFacts) best() *Path {
	for i, p := range f.Paths {
		if p.RTT > 0 {
			return &f.Paths[i]
		}
	}
	if len(f.Paths) > 0 {
		return &f.Paths[0]
	}
	return nil
}

// how tells a path in a few words.
func (p *Path) how() string {
	over := " directly over " + p.Transport
	if !p.Direct {
		over = " over a relay"
	}
	if p.RTT == 0 {
		return over + ", no answer to a ping"
	}
	return fmt.Sprintf("%s, %s round trip", over, roundTrip(p.RTT))
}

// roundTrip rounds a time that is not 0 to one that is not 0 either.
func roundTrip(rtt time.Duration) time.Duration {
	if rtt < time.Millisecond {
		return max(rtt.Round(time.Microsecond), time.Microsecond)
	}
	return rtt.Round(100 * time.Microsecond)
}

// relayedOnly is the case of a peer that a relay alone leads to.
func relayedOnly(f PeerFacts, p *Path) PeerVerdict {
	v := PeerVerdict{Summary: "connected" + p.how(), Connected: true}
	if p.Circuit != nil {
		left, _ := leftOf(*p.Circuit)
		v.Summary += " (" + p.Circuit.Relay + "; " + left + ")"
	}
	v.Summary += f.Punching.words()
	switch {
	case f.Here.NAT.Double && f.Here.Reachability != public:
		v.Next = "for a direct path: this side is behind two NATs; forward a UDP port on both, or have the other side be reachable"
	case f.Here.Reachability == private:
		v.Next = "for a direct path: both sides seem to be behind NATs that hole punching has not crossed; forward a UDP port to one of them (UPnP, NAT-PMP or by hand)"
	default:
		v.Next = "for a direct path: the other side cannot be dialled; it can see why with panpipe doctor"
	}
	return v
}

// unreached is the case of a peer to which no path came about.
func unreached(f PeerFacts) PeerVerdict {
	v := PeerVerdict{Summary: "not connected, and not reached" + f.Punching.words(), Problem: f.Failure, Detail: f.Words, Next: f.Advice}
	switch {
	case len(f.Addrs) == 0 && f.Here.Servers == 0 && !f.Here.Alone:
		v.Problem, v.Detail = "not-ready", "no address of it is known, and this node has not joined its overlay: there was nobody to ask"
		v.Next = "see panpipe doctor for why it has not joined"
	case len(f.Addrs) == 0:
		v.Problem, v.Detail = "unknown", fmt.Sprintf("no address of it is known here, nor to the %s asked", count(f.Asked, "node"))
		v.Next = "see that it runs and is in this overlay; join through it if you know an address: panpipe up --join ADDR/p2p/" + f.ID
	case f.all(Try.silent) && f.onlyLocal():
		v.Next = "only addresses inside its own network are known, and none leads there from here: it needs a relay, a forwarded port, or a public address; it can see more with panpipe doctor"
	case f.all(Try.silent):
		v.Next = "every address stays silent: its machine is off, or a firewall or NAT drops what comes in; there, look at panpipe doctor and the firewall"
	case len(f.Overlays) > 0 && !f.InOverlay:
		v.Next = "it was in another overlay when last seen" + speaksOthers(f.Overlays)
	}
	if v.Problem == "" {
		v.Problem, v.Detail = "unreachable", "no path to it came about"
	}
	return v
}

// patience is how long only a try without any answer takes.
const patience = 4 * time.Second

// silent reports that nothing came back. Not every transport has a word of its
// own for that.
func (t Try) silent() bool {
	return t.Code == "timeout" || t.Code == "unreachable" && t.Took >= patience
}

func (f PeerFacts) all(is func(Try) bool) bool {
	return len(f.Tries) > 0 && !slices.ContainsFunc(f.Tries, func(t Try) bool { return !is(t) })
}

// onlyLocal reports that no address leads anywhere but its own network.
func (f PeerFacts) onlyLocal() bool {
	return !slices.ContainsFunc(f.Addrs, func(a KnownAddr) bool { return a.Kind != AddrPrivate && a.Kind != AddrLoopback })
}

// maxPlain caps Plain, in bytes.
const maxPlain = 128

// ellipsis ends a text that was clipped.
const ellipsis = "…"

// Plain makes a text that a peer has sent short and safe to print.
func Plain(text string) string {
	if len(text) > maxPlain {
		text = text[:maxPlain-len(ellipsis)] + ellipsis
	}
	text = strings.ToValidUTF8(text, "")
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text)
}

func speaksOthers(overlays []string) string {
	if len(overlays) == 0 {
		return ""
	}
	return fmt.Sprintf(", but those of %q", strings.Join(overlays, ", "))
}
