// Package buddy is what the devices of accounts say to each other besides
// conversations: that one would like to know the other, that a device is there,
// and what has changed. It is pure: messages, their caps, and the two pipes on
// which they are said. Package session/roster speaks it. This comment is the
// specification, with pb/buddy.proto; testdata/vectors.json has the messages in
// hex. Pipes, links and their codes are those of package pipe; principals and
// device logs those of package identity; profiles and bundles those of package
// session/account.
//
// # Who speaks
//
// Whoever the path's handshake proves to be peer P, and who shows a device log
// of account A in which P is valid, speaks for A. Nothing else is signed. A
// reader keeps, of every account that it has to do with, the log that wins (the
// fork rule of package identity) and asks that one whether P is valid: a log
// that is older or loses is no fault, but does not help a device that the winner
// has revoked. Whoever learns of a revocation ends the links of that device at
// once.
//
// # Contact pipe
//
// Its advertisement follows from the account's ID alone:
//
//	type unicast, no name, owner the account, binders many, all transports,
//	dial open, reliable, salt zero
//
// Each device of the account binds it that is online, with the device log as
// proof, unless the account takes no requests. The endpoints in its bindings are
// relayed ones, or none: then a dialer asks the overlay where the binder is. An
// account may show direct endpoints, where there is no relay. Purpose ASK is
// the only one here; others are "unsupported".
//
// # Presence pipe
//
//	type unicast, no name, owner a peer principal, binders many, all transports,
//	dial open, reliable, salt 16 random bytes
//
// The owner is the principal of the Ed25519 key in the account's profile, which
// no device has as its own: nothing ties the pipe to the account. Each device
// that is online binds it by a capability of that key. The canonical
// advertisement (at most 512 bytes) is the presence secret. Who has it can find
// out that some nodes serve the pipe, and who they are; buddies have it. Key and
// salt are replaced when a buddy is removed or blocked or a device is revoked.
//
// # Hello
//
//	dialer                             listener
//	Hello{purpose, log, run}    ─▶
//	                            ◀─     Hello{purpose, log, run}
//	what the purpose says      ◀──▶    what the purpose says
//
// Each side says Hello once, within 10 s, before anything else; the listener only
// when the dialer may speak to it. On the presence pipe that is a device of its
// own account, of an unblocked buddy, or of one that it has asked. To all others
// it is as if there were no such pipe: the link is reset with "unbound", and
// nothing is said. Other resets, by either side:
//
//	forbidden     the winning log does not have the device, or the log is another
//	              account's than was dialled
//	taken         there is a link of this purpose between these devices that stays
//	busy          too much at once
//	bad-request, too-large, unsupported, timeout    as the words say
//	closed        nothing is wrong
//
// A dialer that knows a log of the account in which the binder is valid may go
// on before it has the listener's Hello, all others wait for it.
//
// Of each purpose one link stands between two devices. Where both have dialled,
// the one dialled by the lower peer ID (by bytes) stays, if it lives: while a
// device dials, or has a link that it dialled, it resets with "taken" what a
// higher one has dialled, and ends its own for what a lower one has. But a link
// with another run than the one that stands is of a process that has begun
// anew: it replaces what stood.
//
// # Ask
//
//	dialer                             listener
//	Ask{name, note, secret}     ─▶
//	                            ◀─     Answer{accepted, name, secret}
//
// after both Hellos. The dialer sends Ask when the listener's log holds. A
// request is told to a person; until it is accepted the answer is "pending",
// and it stays that for a blocked account, of which nothing is kept, and where
// there is no room for the request (64 of strangers). An account that the listener's
// has asked, or accepted, is accepted at once: so requests that cross each other
// meet, and whoever missed a new presence secret gets it by asking again. A device that
// asks its own account is accepted too, but by one that lacks the profile key,
// which looks for it where the asker is. Asks of one peer are answered "busy" above 8
// at once and one each 10 s. Name and note have at most 128 and 256 bytes: one line of UTF-8
// without control characters, line separators or signs that turn text round.
//
// Accepting needs no answer to be waited for: the one who accepts knows the
// other's presence pipe by the Ask, dials it, and says Secret there.
//
// # Roster
//
// One link for each pair of devices, dialled on the presence pipe by whoever
// finds the other there. Both sides send frames, in any order, whenever there is
// something to say:
//
//	Status    after Hello and whenever it changes. text: at most 256 bytes, as a note
//	Secret    to a buddy after Hello, and when the secret changes: "we are
//	          buddies, this is where to find me". From an account that was
//	          neither asked nor accepted it is ignored
//	Log       the account's device log has changed
//	Ping      while one side attends to the other, every 3 s; answered by Pong.
//	          A link on which nothing has come for 8 s is dead
//	Leave     the device goes offline; the link ends behind it
//
// and between devices of one account:
//
//	Digest    after Hello: what the sender has. A reader that has something else
//	          sends its bundle
//	Profile   bundle: the whole account; delta: what the sender has changed, or
//	          learned, since it last said. Both are merged
//	Request   a buddy request that waits, or was declined
//
// Above 64 frames at once and 16 a second, Ping and Pong among them, or 8 Logs and
// one each 10 s, a link is reset with "busy". A device that the winning log has
// revoked is told nothing more: its own account shows it the log, by the last Log
// on a link that stands, or by a Hello behind which the link ends.
//
// # Chat
//
// Behind the Hellos are the frames of session/replica. Whoever dials a roster
// link dials this one too, and need not wait for the other.
//
// # Call
//
// A call rings on every device of a buddy, or of the own account, that can be
// reached: one link each, dialled on the presence pipe, of which any number may
// stand. session names the call on all of them.
//
//	dialer                             listener
//	Offer{session, kind, topic} ─▶
//	                            ◀─     RINGING      a person is asked
//	                            ◀─     ANSWER       or NO, MISSED, BUSY, NOBODY
//	GO, TAKEN or CANCEL         ─▶
//	raw bytes                  ◀──▶    raw bytes    behind GO
//
// The dialer says GO to the first that answers, and TAKEN to all others, also to
// those that answer later; CANCEL when nobody needs to answer any more. Whoever
// has said anything but RINGING, ANSWER or GO ends the link behind it. A listener
// waits 60 s for a person before it says MISSED, and a dialer as long for an
// ANSWER, and 10 s more for the last MISSED. A session of kind voice asks a
// person; one of kind data is answered by an application that serves its topic,
// else NOBODY. The topic is one line of at most 64 bytes. A listener has at most
// 4 calls of an account that ring, and 16 in all. Voice, and the moving of
// sessions between devices, are not specified yet.
package buddy
