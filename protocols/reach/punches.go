package reach

import (
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/holepunch"
)

// Punches keeps how the last hole punches failed. Give it to the host
// (libp2p.EnableHolePunching(holepunch.WithTracer(…), p.Option())) and to Config, and
// errors name the cause. The zero value is ready.
type Punches struct {
	running sync.WaitGroup // punches begun anew

	mu      sync.Mutex
	service *holepunch.Service // of the host; nil for none
	last    map[peer.ID]punchFailure
	anew    map[peer.ID]time.Time // when holes were last punched anew, within PunchTime
}

type punchFailure struct {
	when time.Time
	why  string
}

// maxPunches caps how many peers Punches keeps something of.
const maxPunches = 256

// Trace takes an event of go-libp2p's hole punching.
func (ps *Punches) Trace(e *holepunch.Event) {
	why := ""
	switch evt := e.Evt.(type) {
	case *holepunch.ProtocolErrorEvt:
		why = evt.Error
	case *holepunch.EndHolePunchEvt:
		why = evt.Error
	}
	if why == "" {
		return
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.last == nil || len(ps.last) >= maxPunches {
		ps.last = make(map[peer.ID]punchFailure) // causes are of use for seconds
	}
	ps.last[e.Remote] = punchFailure{time.Now(), why}
}

// since is why the last hole punch with p failed; empty if none has since then.
func (ps *Punches) since(p peer.ID, then time.Time) string {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if f := ps.last[p]; !f.when.Before(then) {
		return f.why
	}
	return ""
}

// Punching is what is known of hole punching with a peer.
type Punching struct {
	Here   bool          // this node takes part: it knows a public address of its own
	There  bool          // the peer has said that it takes part
	Failed string        // why the last hole punch with it failed; empty where none is remembered
	Ago    time.Duration // since then
}

// Punching tells what is known of hole punching with p. Nothing is sent.
func (r *Reach) Punching(p peer.ID) Punching {
	ps := r.cfg.Punches
	ps.mu.Lock()
	last, failed := ps.last[p]
	ps.mu.Unlock()
	now := Punching{Here: r.punches(), There: r.farPunches(p)}
	if failed {
		now.Failed, now.Ago = last.why, time.Since(last.when)
	}
	return now
}
