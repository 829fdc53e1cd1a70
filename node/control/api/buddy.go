package api

import "time"

// Buddy is another account, as this one knows it. What it says of itself (name
// and status) may hold anything that is UTF-8.
type Buddy struct {
	// Account is its ID: acct:….
	Account string `json:"account"`
	// Petname is what this account calls it, and tells nobody.
	Petname string `json:"petname,omitempty"`
	// Name is what it calls itself.
	Name string `json:"name,omitempty"`
	// State is requested (this account asked and waits for the answer), accepted,
	// or removed. Of one that is merely blocked it is stranger.
	State string `json:"state"`
	// Blocked says that nothing is heard of it, and that it hears nothing.
	Blocked bool `json:"blocked,omitempty"`
	// Presence is that of its nearest device: offline, announced (there, but not
	// connected) or connected.
	Presence string `json:"presence"`
	// Known says that its presence has been looked for since the node started;
	// until then it is told as offline.
	Known bool `json:"known"`
	// Status is the text that it shows.
	Status string `json:"status,omitempty"`
	// Devices are its devices, as far as this account knows them.
	Devices []BuddyDevice `json:"devices"`
	// Seen is when one of its devices was last there.
	Seen *time.Time `json:"seen,omitempty"`
	// Attended says that a program here looks at its presence.
	Attended bool `json:"attended,omitempty"`
	// Unread counts its messages that nobody has seen here, up to 100; told where
	// it was asked for.
	Unread *int `json:"unread,omitempty"`
}

// Values of Buddy.State.
const (
	BuddyStranger  = "stranger"
	BuddyRequested = "requested"
	BuddyAccepted  = "accepted"
	BuddyRemoved   = "removed"
)

// Values of Buddy.Presence and BuddyDevice.Presence.
const (
	PresenceOffline   = "offline"
	PresenceAnnounced = "announced"
	PresenceConnected = "connected"
)

// BuddyDevice is a device of another account.
type BuddyDevice struct {
	// Peer is its peer ID.
	Peer string `json:"peer"`
	// Presence is offline, announced or connected.
	Presence string `json:"presence"`
	// Since is when the presence became so.
	Since *time.Time `json:"since,omitempty"`
	// Path is direct or relay, of a connected one.
	Path string `json:"path,omitempty"`
}

// BuddyList is what the node's account knows of others.
type BuddyList struct {
	// Buddies are sorted by account.
	Buddies []Buddy `json:"buddies"`
}

// BuddiesQuery says what is told of each buddy.
type BuddiesQuery struct {
	// Unread has messages counted that nobody has seen here.
	Unread bool `json:"unread,omitempty"`
}

// AskRequest asks an account to be a buddy.
type AskRequest struct {
	// Account is its ID: acct:….
	Account string `json:"account"`
	// Note is said with the request: one line of at most 256 bytes.
	Note string `json:"note,omitempty"`
}

// AskAnswer is what became of a request.
type AskAnswer struct {
	// Buddy is the account as it is known now: accepted, if it has asked too, else
	// requested.
	Buddy Buddy `json:"buddy"`
	// Problem is why no device of the account has been told yet. The request is
	// kept, and told when one is there.
	Problem *Problem `json:"problem,omitempty"`
}

// PetnameRequest gives a buddy a name.
type PetnameRequest struct {
	// Petname is what this account calls it; empty takes the name away.
	Petname string `json:"petname"`
}

// BuddyRequest is a request of another account, which waits for an answer.
type BuddyRequest struct {
	// Account asks.
	Account string `json:"account"`
	// Name is what it calls itself, as Buddy.Name.
	Name string `json:"name,omitempty"`
	// Note is what it says.
	Note string `json:"note,omitempty"`
	// At is when it asked first.
	At time.Time `json:"at"`
}

// BuddyRequestList is what waits for an answer.
type BuddyRequestList struct {
	// Requests are sorted by time, the oldest first.
	Requests []BuddyRequest `json:"requests"`
}

// PresenceRequest is what the buddies of the node's account see of it.
type PresenceRequest struct {
	// Status is a text of one line, shown beside the account's name as long as
	// this device is there.
	Status string `json:"status"`
}
