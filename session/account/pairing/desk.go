package pairing

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Limits of a linking.
const (
	Life    = 10 * time.Minute // of a code or ticket
	guesses = 3                // wrong proofs, after which it is spent
)

// desk is a host's linking as a whole, over all attempts. It is a value, and
// its methods are its only transitions:
//
//	open ── right proof of P ──▶ won by P ── done, or ten minutes ──▶ over
//	  │                            (P alone may come again: its grant was lost)
//	  └── third wrong proof, or ten minutes ──▶ over
type desk struct {
	offer  Offer
	opened time.Time
	wrong  int
	winner peer.ID
	over   bool
}

// admit says whether a guest that names this mailbox may try. A wrong name
// costs nothing: whoever has it wrong cannot have seen the code.
func (d desk) admit(now time.Time, mailbox Mailbox, guest peer.ID) error {
	switch {
	case mailbox != d.offer.Mailbox:
		return wire.Errorf(wire.Unknown, "no linking goes on under this code").WithNext("check the first part of the code: %s", mailbox)
	case d.wrong >= guesses:
		return wire.Errorf(wire.Gone, "the code was tried %d times with wrong words, and is void", guesses).WithNext("make a new one on the other device")
	case d.over:
		return wire.Errorf(wire.Gone, "the code has been used, or was taken back").WithNext("make a new one on the other device")
	case d.expired(now):
		return wire.Errorf(wire.Expired, "the code was good for %s", Life).WithNext("make a new one on the other device")
	case d.winner != "" && d.winner != guest:
		return wire.Errorf(wire.Taken, "another device has used the code").WithNext("if that was not yours, revoke it at once: panpipe account revoke")
	}
	return nil
}

// judge counts a proof. The error is Forbidden for a wrong one, and what admit
// says for one that comes too late.
func (d desk) judge(now time.Time, guest peer.ID, right bool) (desk, error) {
	if err := d.admit(now, d.offer.Mailbox, guest); err != nil {
		return d, err
	}
	if !right {
		d.wrong++
		return d, wire.Errorf(wire.Forbidden, "wrong words, or somebody stands between the two devices").
			WithNext("check the two words of the code; %d tries are left", d.left())
	}
	d.winner = guest
	return d, nil
}

// finish ends the linking of a guest that has all.
func (d desk) finish(guest peer.ID) desk {
	if d.winner == guest {
		d.over = true
	}
	return d
}

func (d desk) left() int { return guesses - d.wrong }

func (d desk) expired(now time.Time) bool { return now.Sub(d.opened) >= Life }

// closed reports that nobody can use the code any more, however early it is.
func (d desk) closed() bool { return d.over || d.wrong >= guesses }
