// Package linking has the two devices of a pairing meet in the overlay. What
// they say to each other is specified in package pairing; this comment specifies
// where they meet.
//
// # Mailbox pipe
//
// Both derive a pipe from the mailbox name, 5 bytes, of the code or ticket:
//
//	key            Ed25519, its seed SHA-256("panpipe/mailbox/1" ‖ mailbox name)
//	advertisement  type unicast, no name, owner the key's principal (a peer),
//	               binders exclusive, no transports, dial open, reliable, salt zero
//
// The old device binds it with a capability by that key {right bind, its own
// principal, term 1, no longer than the code is good}, and each connection is one
// attempt of package pairing. The name is no secret, and neither is the key:
// whoever knows it can bind the pipe, or stand in between, and gets what pairing
// gives to those, one guess at an attempt. Each end takes the peer that libp2p has
// proven as the other's identity.
//
// For one linking there are a code and a ticket, each with a mailbox of its own
// and three guesses; the first device to be added is the only one. A ticket names
// the old device with addresses: the new one connects to it, in whatever overlay
// there is, before it asks for the pipe.
package linking
