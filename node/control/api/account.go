package api

import "time"

// Account is the account that the node is a device of.
type Account struct {
	// ID is what others ask for: acct:….
	ID string `json:"id"`
	// Name is the display name that buddies see.
	Name string `json:"name"`
	// Contact is how strangers reach it with a buddy request: on (they learn its
	// devices' peer IDs and relays), direct (all addresses) or off.
	Contact string `json:"contact"`
	// Device is this node's peer ID.
	Device string `json:"device"`
	// Revoked says that the account has thrown this device out.
	Revoked bool `json:"revoked"`
	// Waiting says that the profile has a new key, which another device has yet to
	// hand over.
	Waiting bool `json:"waiting"`
	// Devices speak for the account, the most senior first.
	Devices []AccountDevice `json:"devices"`
}

// AccountDevice is a node that speaks for the account.
type AccountDevice struct {
	// ID is its peer ID.
	ID string `json:"id"`
	// Name is what the account's people call it.
	Name string `json:"name"`
	// This says that it is this node.
	This bool `json:"this"`
	// Presence is offline, announced (it can be found) or connected.
	Presence string `json:"presence"`
	// Added is when it came, by the clock of who added it; absent where that is not told.
	Added *time.Time `json:"added,omitempty"`
	// AddedBy is the peer ID of the device that added it; absent for the root key.
	AddedBy string `json:"added_by,omitempty"`
}

// AccountDraftRequest asks for a new account.
type AccountDraftRequest struct {
	// Name is the display name that buddies will see.
	Name string `json:"name"`
	// Device is what this node is called.
	Device string `json:"device,omitempty"`
	// Passphrase seals the recovery file: at least 8 bytes.
	Passphrase string `json:"passphrase"`
}

// AccountDraft is a new account that the node has not kept yet.
type AccountDraft struct {
	// Account is its ID.
	Account string `json:"account"`
	// Recovery is the text of the recovery file. It alone has the root key: write
	// it down before the account is kept.
	Recovery string `json:"recovery"`
	// Expires is when the node forgets the draft.
	Expires time.Time `json:"expires"`
}

// AccountKeepRequest makes a draft the node's account.
type AccountKeepRequest struct {
	// Account is the draft's.
	Account string `json:"account"`
}

// AccountImportRequest brings an account back from a recovery file.
type AccountImportRequest struct {
	// Recovery is the text of the recovery file.
	Recovery string `json:"recovery"`
	// Passphrase opens it.
	Passphrase string `json:"passphrase"`
	// Device is what this node is called.
	Device string `json:"device,omitempty"`
	// Alone leaves all other devices out: they may be a thief's.
	Alone bool `json:"alone,omitempty"`
}

// AccountExportRequest asks for a recovery file of the account as it is now.
type AccountExportRequest struct {
	// Recovery is the text of an earlier file, which has the root key.
	Recovery string `json:"recovery"`
	// Passphrase opens it.
	Passphrase string `json:"passphrase"`
	// NewPassphrase seals the new one; absent: the same.
	NewPassphrase string `json:"new_passphrase,omitempty"`
}

// AccountRecovery is a recovery file.
type AccountRecovery struct {
	// Recovery is its text.
	Recovery string `json:"recovery"`
}

// AccountProfileRequest changes what the account's devices share. What is absent
// stays.
type AccountProfileRequest struct {
	// Name is the display name.
	Name *string `json:"name,omitempty"`
	// Contact is on, direct or off.
	Contact *string `json:"contact,omitempty"`
}

// AccountDeviceRequest names a device.
type AccountDeviceRequest struct {
	// Name is what the account's people call it.
	Name string `json:"name"`
}

// AccountJoinRequest makes the node a device of an account.
type AccountJoinRequest struct {
	// Invitation is the code or the ticket that another device of it shows.
	Invitation string `json:"invitation"`
	// Device is what this node is called.
	Device string `json:"device,omitempty"`
}

// LinkEvent is one line of a stream that links a device.
type LinkEvent struct {
	// Kind is offered, failed, linked or closed.
	Kind string `json:"kind"`
	// Code is what is typed on the new device, with kind offered.
	Code string `json:"code,omitempty"`
	// Ticket is what is copied or scanned there instead; absent where this node
	// has no address to name.
	Ticket string `json:"ticket,omitempty"`
	// Expires is when both are void.
	Expires *time.Time `json:"expires,omitempty"`
	// Device is the peer ID of the device that tried in vain, or that was linked.
	Device string `json:"device,omitempty"`
	// Name is what a linked device calls itself.
	Name string `json:"name,omitempty"`
	// Problem is why it tried in vain, or why the linking has ended.
	Problem *Problem `json:"problem,omitempty"`
}

// Kinds of a LinkEvent.
const (
	LinkOffered = "offered"
	LinkFailed  = "failed" // the linking goes on
	LinkLinked  = "linked" // the last
	LinkClosed  = "closed" // the last, without a device
)
