package pipe

import (
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// EventKind names what happened. The set is fixed, so that it can label a
// metric.
type EventKind string

// The events of a Service.
const (
	EventResolve  EventKind = "resolve"  // a Resolve ended; Took is its time
	EventCached   EventKind = "cached"   // a Resolve was answered from own bindings or the cache
	EventBind     EventKind = "bind"     // a binding was stored at holders, first time or renewal
	EventDial     EventKind = "dial"     // a Dial ended
	EventAccept   EventKind = "accept"   // a connection was asked for by a dialer
	EventQuery    EventKind = "query"    // a Query was answered
	EventStore    EventKind = "store"    // a Store was answered
	EventRenew    EventKind = "renew"    // bindings were stored again together; Records and Messages tell the load
	EventWithdraw EventKind = "withdraw" // bindings were withdrawn together; likewise
	EventRestore  EventKind = "restore"  // revocations were stored again together; likewise
	EventReplaced EventKind = "replaced" // a binder was told that it lost its pipe
	EventRequest  EventKind = "request"  // a request of this node was answered or failed; Took is its time
	EventHostile  EventKind = "hostile"  // an answer held something foreign, forged or expired, and it was dropped
	EventLimited  EventKind = "limited"  // a peer was turned away by a rate limit or cap
)

// EventKinds lists the fixed set.
func EventKinds() []EventKind {
	return []EventKind{
		EventResolve, EventCached, EventBind, EventDial, EventAccept, EventQuery,
		EventStore, EventRenew, EventWithdraw, EventRestore, EventReplaced, EventRequest, EventHostile, EventLimited,
	}
}

// Event is one thing that happened. It names no peer, so that events can be
// counted without keeping who spoke to whom.
type Event struct {
	Kind EventKind
	Code wire.Code     // how it ended
	Took time.Duration // zero where no time is measured
	Cap  Cap           // with EventLimited: what turned the peer away
	// Records were brought to their holders, with so many messages; zero for
	// other kinds.
	Records, Messages int
}

// Cap names what an EventLimited ran into. The set is fixed.
type Cap string

// The caps of a Service.
const (
	CapRate    Cap = "requests of one peer a second"         // ServiceLimits.RequestRate
	CapServing Cap = "requests served at once"               // ServiceLimits.Requests
	CapBacklog Cap = "pipe connections that wait for accept" // ServiceLimits.Backlog
	CapConns   Cap = "pipe connections"                      // ServiceLimits.Conns
)

// Tracer is told events as they happen. It must not block.
type Tracer interface {
	Trace(e Event)
}

// limited counts a peer that a cap turned away.
func (s *Service) limited(c Cap, err error) {
	s.cfg.Tracer.Trace(Event{Kind: EventLimited, Code: wire.CodeOf(err), Cap: c})
}

type noTracer struct{}

func (noTracer) Trace(Event) {}
