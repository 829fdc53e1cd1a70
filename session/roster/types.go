package roster

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/session/account"
	"github.com/panpipe-net/panpipe/session/replica"
)

// Presence says how near a device is.
type Presence uint8

// The states, from far to near.
const (
	Offline   Presence = iota // it has bound no presence pipe: "offline"
	Announced                 // it has; there is no connection: "announced"
	Connected                 // there is one: "connected"
)

// String returns the state's word.
func (p Presence) String() string {
	words := [...]string{"offline", "announced", "connected"}
	if int(p) >= len(words) {
		return words[0]
	}
	return words[p]
}

// Device is a device of an account.
type Device struct {
	ID       peer.ID
	Self     bool   // it is this one, which is Connected
	Name     string // of own devices, as the profile has it; else ""
	Presence Presence
	Since    time.Time // when Presence became so here; zero if it never changed
	Direct   bool      // of a connected one: no relay is between
}

// Buddy is another account as this one knows it.
type Buddy struct {
	Account identity.Principal
	// Name is what it calls itself, Petname what this account calls it. Both are
	// at most account.MaxName bytes, without control characters, and may be "".
	Name, Petname string
	State         account.State
	Blocked       bool
	Presence      Presence // that of its nearest device
	Known         bool     // Presence has been looked for since the start
	Status        string   // the text that it shows, at most buddy.MaxStatus bytes
	Devices       []Device // those that are valid, by ID; before its device log was seen, those that were found
	Attended      bool     // somebody here Attends
	Seen          time.Time
}

// Request is a buddy request that waits for an answer here.
type Request struct {
	Account identity.Principal
	Name    string // what it calls itself
	Note    string // what it says, at most buddy.MaxNote bytes of one line
	At      time.Time
}

// Delivery says how far a message has come.
type Delivery uint8

// How far messages come. Those of others are Read when this account has read
// them, and Delivered before.
const (
	Kept      Delivery = iota // on this account's devices: "kept"
	Delivered                 // on a device of the other account: "delivered"
	Read                      // seen by a person there: "read"
)

// String returns the word.
func (d Delivery) String() string {
	words := [...]string{"kept", "delivered", "read"}
	if int(d) >= len(words) {
		return words[0]
	}
	return words[d]
}

// Message is a text of a conversation.
type Message struct {
	With     identity.Principal // the other account
	ID       replica.ID         // names it on all devices
	Place    replica.ID         // its order among all of the conversation
	Author   identity.Principal // the device that wrote it
	Mine     bool               // a device of this account did
	Sent     time.Time          // by the author's clock
	Text     string             // UTF-8; may hold anything, also what terminals interpret
	Delivery Delivery
}

// EventKind says what an Event tells.
type EventKind uint8

// The kinds of events. What they say is to be read anew where they give no more
// than an account.
const (
	EventBuddy    EventKind = iota + 1 // Buddy(Account) has changed: "buddy"
	EventPresence                      // Device of Account has another Presence, or the status changed: "presence"
	EventRequest                       // Requests has changed: "request"
	EventMessage                       // Message is new here: "message"
	EventMark                          // messages with Account were delivered or read: "mark"
	EventState                         // the application's state with Account has changed: "state"
	EventStopped                       // a log of the conversation with Account goes no further, Err says why: "stopped"
	EventDevices                       // Devices has changed: "devices"
	EventLost                          // events were lost here, the watcher was too slow: read everything anew: "lost"
)

var eventNames = [...]string{"", "buddy", "presence", "request", "message", "mark", "state", "stopped", "devices", "lost"}

// String returns the kind's word.
func (k EventKind) String() string {
	if int(k) >= len(eventNames) {
		return ""
	}
	return eventNames[k]
}

// Event is something that happened.
type Event struct {
	Kind     EventKind
	At       time.Time
	Account  identity.Principal // whom it is about; own account for own devices
	Device   peer.ID            // of EventPresence
	Presence Presence           // of EventPresence: of the device
	Message  Message            // of EventMessage
	Err      error              // of EventStopped
}

// Session is one that runs with a device of a buddy, or of this account.
type Session struct {
	Account identity.Principal
	Device  peer.ID
	Kind    string // "chat"
	Since   time.Time
	Direct  bool // no relay is between
}
