// Package trunk carries the frames of many legs on few libp2p streams, since a
// stream for each would not scale: hosts cap them, QUIC connections of go-libp2p
// allow 256. This comment is the specification of the protocol; what is below it
// is in packages protocols and reach, and testdata/vectors.json has the bytes.
//
//	/<overlay>/trunk/1   a carrier: one stream, for as long as it is of use
//
// # Frames
//
// A carrier is a stream of frames each way, of at most 65,524 bytes, so that
// with yamux's header one is 64 KiB:
//
//	uvarint handle ‖ kind, 1 byte ‖ uvarint length ‖ payload, length bytes
//
// Uvarints are minimal. A handle is at most 2^62-1.
//
// Handle 0 is the carrier itself. Its frames, in the column "size" the bytes of
// payload that are looked at; more may follow in later versions:
//
//	kind     size     payload
//	3 HELLO  uvarint  bit set; the first frame of each side, sent once
//	                  1  of the carrier's opener: other legs than its own are
//	                     not wanted here
//	4 SEEN   uvarint  how many bytes of frames on other handles than 0, headers
//	                  included, were read from this carrier since it began
//	5 PING   8        any bytes
//	6 PONG   8        those of the last PING
//	7 GOAWAY uvarint  code (package wire); 0 unless something is wrong
//
// Every other handle is a leg. Kinds 16 to 255 on it belong to the leg's user;
// the others are the trunk's:
//
//	1 LEAVE    uvarint or nothing  the sender is done with the leg; code, or 0
//	2 DATAGRAM at most 1100 bytes  section Datagrams
//
// Bits of HELLO and kinds 0 to 15 that are unknown are ignored. Whatever else
// breaks a rule of this comment ends the carrier: the stream is reset, with the
// code 0x1004 (a violation) or 0x1002 (a limit) where streams have codes.
//
// # Handles and legs
//
// Either side opens legs on a carrier, whoever opened that. The side whose peer
// ID is the greater, as bytes, gives out the odd handles 1, 3, 5, …, the other
// the even ones 2, 4, 6, …; each rising, on all carriers of one connection
// together, and never twice. A leg begins with a frame of its user that has a
// handle above all which that side has used on the carrier before. Handles may
// be left out.
//
//	              own first frame, or the far side's
//	                             │
//	                             ▼
//	   LEAVE sent  ┌────────── open ──────────┐ LEAVE read
//	               ▼                          ▼
//	what comes is dropped              nothing is sent but
//	               │                    this side's LEAVE
//	    LEAVE read └──────► forgotten ◄───────┘ LEAVE sent
//
// After its LEAVE a side sends nothing on the handle. A side that has read a
// LEAVE answers with its own. LEAVE with code 0 waits for company, 25 ms at most,
// unless the carrier was opened for its leg alone. Who does not want a leg sends LEAVE too;
// a frame of its user may come before, to say why. Frames for a leg that is
// forgotten are dropped; one with a handle of the reader's own that it has not
// given is a violation, and so is a leg that begins with LEAVE or DATAGRAM.
//
// A carrier has no flow control: the users of the legs have. A reader of a
// carrier waits for nobody, least of all for a write.
//
// # Order of sending
//
// Frames of the carrier itself go first, then LEAVEs, then the legs that have
// something to send by deficit round robin with a quantum of 16 KiB; a leg alone
// gets all. What many legs have is written together.
//
// # SEEN, PING, and the end of a path
//
// SEEN is sent along with whatever is sent when 4 KiB or more are unreported, at
// once when it is 256 KiB though not within 2 ms of the last such, and 25 ms
// after the first unreported byte otherwise. It never falls, nor exceeds what was
// written.
//
// A sender has no more frames of legs under way than arrive in 250 ms or four
// round trips at the rate that it sees, 256 KiB at least, and 1 MiB as long as it
// has seen none: what is queued in muxers and sockets below delays whatever comes
// after it, the probe of a slow path too.
//
// On a carrier that has legs:
//
//   - Bytes that no SEEN covers, without progress for 500 ms or three round
//     trips if those are more: the path is in doubt (package reach), which
//     closes a dead one within 5 s. Doubted every 5 s.
//   - Nothing owed and nothing heard for 18 s: PING. Its PONG is owed from then
//     on like a SEEN. So a dead path is found within 25 s, whatever is sent.
//   - What was owed for 15 s though the path lives: the carrier is reset. Its
//     far side has stopped in the middle of a frame, or reads no more.
//
// # The end of a carrier
//
// A carrier without legs is of no use to its opener at once if it was for its
// own legs, and to either side after a minute. That side sends GOAWAY, opens no
// more legs here, and goes on reading. Whoever reads GOAWAY opens no more legs
// either; when there are none, it sends GOAWAY too and closes its direction. The
// other closes the stream at that end, and resets it if that does not come
// within 5 s of the last leg. No leg is lost so: one that was opened while GOAWAY
// was on its way lives on. A stream that ends otherwise takes its legs along.
//
// Both sides may open carriers at the same time, and use any that is not its
// opener's own.
//
// # Datagrams
//
// On a quic-v1 path whose peer takes QUIC datagrams (RFC 9221) a datagram is
//
//	uvarint handle ‖ payload, at most 1100 bytes
//
// and DATAGRAM frames are ignored. On any other path it is a DATAGRAM frame. A
// datagram may be lost or overtake frames; one for a leg that is not open is
// dropped. A side that cannot send as fast as its user wants drops the oldest of
// 32.
//
// # Limits
//
// Of this implementation, and what it does above them:
//
//	16      carriers that each side opens on a connection: 0x1002, or an error
//	8       of these for one leg each: an error
//	20,000  legs on a carrier, 40,000 with a peer: LEAVE with code limit (15)
//	256     last frames of refused legs that wait: LEAVE alone, busy (8)
//	256     legs above the cap that the far side has not left: carrier reset
//
// # Use
//
// [Trunks.Attach] makes a leg for an [Owner]; [Config].Accept finds one for those
// that come. What an owner has to send is pulled when there is room for it, into
// the very bytes that are written, and what comes it reads from the stream into
// its own memory. Whoever says [Leg.Ready] on an idle carrier of which little is
// under way writes himself, so that a small exchange costs no switch between
// goroutines; else the carrier's second goroutine does. What comes is taken in by
// the goroutine that has read it from the connection, if that can be (package
// muxer); else by the carrier's first. There are two for each carrier, three in
// the former case, and two for each QUIC connection, none for a leg.
//
// # Vectors
//
//	frames    header and payload of each kind, and the bytes
//	refused   bytes that are no header, and the word
//	carriers  all that one side writes, as sent by an opener, with the handles
//	          of the side whose peer ID is the lower
package trunk
