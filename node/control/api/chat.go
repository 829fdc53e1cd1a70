package api

import "time"

// MaxMessage caps the text of a message, in bytes.
const MaxMessage = 64 << 10

// Message is a text of a conversation.
type Message struct {
	// ID names it on all devices of both accounts.
	ID string `json:"id"`
	// Place is where it stands in the conversation, to be compared as text. It is
	// what before and up_to take.
	Place string `json:"place"`
	// With is the other account of the conversation.
	With string `json:"with"`
	// Device is the peer ID of the device that it was written on.
	Device string `json:"device"`
	// Mine says that this account has written it.
	Mine bool `json:"mine"`
	// Sent is when it was written, by the clock of that device.
	Sent time.Time `json:"sent"`
	// Text may hold anything that is UTF-8, also what terminals obey.
	Text string `json:"text"`
	// Delivery is kept (on this account's devices only), delivered (on a device
	// of the other account) or read (seen by a person there). Of the other
	// account's messages it is delivered, or read when a person has seen it here.
	Delivery string `json:"delivery"`
}

// Values of Message.Delivery.
const (
	DeliveryKept      = "kept"
	DeliveryDelivered = "delivered"
	DeliveryRead      = "read"
)

// MessagesQuery says which messages are told.
type MessagesQuery struct {
	// Before is a place: those before it; without, the last ones.
	Before string `json:"before,omitempty"`
	// Limit is how many at most, up to 500, by default 50.
	Limit uint64 `json:"limit,omitempty"`
}

// MessagePage is a part of a conversation.
type MessagePage struct {
	// Messages are in the order of their places, the newest last.
	Messages []Message `json:"messages"`
	// Earlier is what before takes for the messages in front of these; empty if
	// there are none.
	Earlier string `json:"earlier,omitempty"`
}

// SendRequest is a message to be written.
type SendRequest struct {
	// Text is UTF-8, not empty, at most 65,536 bytes.
	Text string `json:"text"`
}

// ReadRequest says what a person has seen.
type ReadRequest struct {
	// UpTo is the place of the last message that was seen.
	UpTo string `json:"up_to"`
}

// ChatState is what an application keeps with a conversation. All devices of
// both accounts have what was written last.
type ChatState struct {
	// State is at most 65,536 bytes.
	State []byte `json:"state"`
}

// Session is one that runs with a device of another account, or of this one.
type Session struct {
	// Account is whose device it is.
	Account string `json:"account"`
	// Device is its peer ID.
	Device string `json:"device"`
	// Kind is chat.
	Kind string `json:"kind"`
	// Since is when it began.
	Since time.Time `json:"since"`
	// Path is direct or relay.
	Path string `json:"path"`
}

// SessionList is what runs.
type SessionList struct {
	// Sessions are sorted by account and device.
	Sessions []Session `json:"sessions"`
}
