package gateway

import (
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// EventKind says what happened.
type EventKind string

// What a Gateway tells of.
const (
	EventRuleUp        EventKind = "rule_up"        // the rule takes clients
	EventRuleDown      EventKind = "rule_down"      // it does not, for Err
	EventRuleChanged   EventKind = "rule_changed"   // it says something else now
	EventRuleRemoved   EventKind = "rule_removed"   // it is gone
	EventOpened        EventKind = "channel_opened" // a channel has begun
	EventClosed        EventKind = "channel_closed" // a channel has ended, for Err unless both sides were through
	EventRefused       EventKind = "refused"        // a client or dialer got no channel, for Err
	EventAcceptBlocked EventKind = "accept_blocked" // clients wait since there are no file descriptors
)

// Event is something that happened to a rule or one of its channels.
type Event struct {
	Kind    EventKind
	Rule    string // ID
	Of      Kind
	Channel string // ID; empty where there is none
	Code    wire.Code
	Err     error
	Limit   string        // that has refused, if it is one of this gateway's own
	Setting string        // that moves it
	In, Out uint64        // bytes of a channel that has ended
	Took    time.Duration // life of a channel that has ended
}
