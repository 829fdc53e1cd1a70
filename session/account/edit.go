package account

import (
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Change is one thing that an edit does to a profile.
type Change func(*edit) error

// edit is a profile while it is changed in the name of a device.
type edit struct {
	device      peer.ID
	next, delta Profile
}

// Edit returns p with all changes made by this device, and the delta that its
// other devices merge. A value that is there already is not written again; an
// edit that changes nothing has a zero delta. Errors: BadRequest for a value
// that cannot stand in the field, Forbidden for adding a blocked account, Limit
// at a cap. On an error nothing has changed.
func (p Profile) Edit(device peer.ID, changes ...Change) (next, delta Profile, err error) {
	if device == "" {
		return p, Profile{}, wire.Errorf(wire.BadRequest, "profile: an edit needs the device that makes it")
	}
	e := &edit{device: device, next: p.clone()}
	e.delta.allocate()
	for _, change := range changes {
		if err := change(e); err != nil {
			return p, Profile{}, err
		}
	}
	if n := e.next.liveBuddies(); n > MaxBuddies && n > p.liveBuddies() {
		return p, Profile{}, wire.Errorf(wire.Limit, "profile: at most %d buddies", MaxBuddies).
			WithNext("remove some first: panpipe buddy rm")
	}
	if n := len(e.next.Bytes()); n > MaxProfile && n > len(p.Bytes()) {
		return p, Profile{}, wire.Errorf(wire.Limit, "profile: %d bytes, at most %d", n, MaxProfile).
			WithNext("shorten or remove petnames")
	}
	return e.next, e.delta, nil
}

// SetName gives the account the name that its buddies see.
func SetName(name string) Change {
	return func(e *edit) error {
		return e.setText("display name", name, e.next.name, func(p *Profile, r register) { p.name = r })
	}
}

// SetContact says whether strangers can ask to be buddies, and what they learn.
func SetContact(c Contact) Change {
	return func(e *edit) error {
		if c > ContactDirect {
			return wire.Errorf(wire.BadRequest, "profile: no way of contact has the number %d", c)
		}
		return e.set("contact", c.value(), e.next.contact, func(p *Profile, r register) { p.contact = r })
	}
}

// SetPresence replaces the account's presence key and salt.
func SetPresence(fresh Presence) Change {
	return func(e *edit) error {
		if fresh.isZero() {
			return wire.Errorf(wire.BadRequest, "profile: presence without a key")
		}
		return e.set("presence", fresh.value(), e.next.presence, setPresence)
	}
}

// NameDevice gives a device of the account a name. An empty one takes it away.
func NameDevice(id peer.ID, name string) Change {
	return func(e *edit) error {
		if err := checkPeer(id); err != nil {
			return err
		}
		return e.setText("device name", name, e.next.devices[id], func(p *Profile, r register) { p.devices[id] = r })
	}
}

// Add notes that a buddy was asked (Requested) or that both agreed (Accepted).
// A blocked one is Forbidden: it has to be unblocked first.
func Add(id identity.Principal, state State) Change {
	return func(e *edit) error {
		if state != Requested && state != Accepted {
			return wire.Errorf(wire.BadRequest, "profile: a buddy is added as requested or accepted, not as %s", state)
		}
		if e.next.buddies[id].blocked() {
			return wire.Errorf(wire.Forbidden, "%s is blocked", id).WithNext("unblock it first")
		}
		return setState(id, state)(e)
	}
}

// Remove ends a friendship. Whoever was a buddy knows the presence secret, so a
// fresh one replaces it in the same edit.
func Remove(id identity.Principal, fresh Presence) Change {
	return func(e *edit) error {
		if _, known := e.next.buddies[id]; !known {
			return wire.Errorf(wire.Unknown, "%s is not a buddy", id)
		}
		return e.all(setState(id, Removed), SetPetname(id, ""), SetSecret(id, nil), SetPresence(fresh))
	}
}

// Block keeps an account out until it is unblocked, whatever else another
// device writes meanwhile, and replaces the presence secret.
func Block(id identity.Principal, fresh Presence) Change {
	return func(e *edit) error {
		return e.all(setBlock(id, true), SetSecret(id, nil), SetPresence(fresh))
	}
}

// Unblock lifts a block. The state from before it is there again.
func Unblock(id identity.Principal) Change {
	return setBlock(id, false)
}

// SetPetname gives a buddy this account's own name for it, which is never
// sent to anybody else. An empty one takes it away.
func SetPetname(id identity.Principal, name string) Change {
	return func(e *edit) error {
		if err := checkAccount(id); err != nil {
			return err
		}
		return e.setText("petname", name, e.next.buddies[id].petname, inBuddy(id, func(b *buddy, r register) { b.petname = r }))
	}
}

// SetSecret keeps a buddy's presence secret. An empty one forgets it.
func SetSecret(id identity.Principal, secret []byte) Change {
	return func(e *edit) error {
		if err := checkAccount(id); err != nil {
			return err
		}
		if len(secret) > MaxSecret {
			return wire.Errorf(wire.TooLarge, "presence secret of %d bytes, at most %d", len(secret), MaxSecret)
		}
		return e.set("presence secret", string(secret), e.next.buddies[id].secret, inBuddy(id, func(b *buddy, r register) { b.secret = r }))
	}
}
