// Package link makes byte streams between two nodes that outlive what carries
// them: a link goes on over another connection, another transport, and from
// another node, and nothing is lost, doubled or reordered. This comment is the
// specification; what is below it is in packages protocols and trunk, and
// testdata/vectors.json has the bytes.
//
//	pipe, gateway, session   what a link is opened for: a service
//	link                     two streams, two ends, one leg after another
//	trunk                    legs: handles, fair sending, liveness, datagrams
//
// A link has an ID of 16 random bytes, chosen by the end that opens it, the
// dialer; the other is the listener. The ID is no secret: an end talks to the
// node that it knows for the far end and to no other, but for section Moving.
//
// # Frames
//
// Payloads of trunk frames on the handle of a leg. Numbers are minimal uvarints;
// those called offsets, and epochs, are at most 2^62. ID is 16 bytes; (n) after
// a field: its length as a uvarint, at most n, before it. More may follow in
// later versions.
//
//	kind        payload
//	16 OPEN     ID ‖ generation ‖ features ‖ credit ‖ grace ‖ service (64)
//	17 RESUME   ID ‖ what RESUMED has
//	18 RESUMED  generation ‖ flags ‖ epoch ‖ far epoch ‖ received ‖ safe ‖ credit
//	            ‖ begin ‖ token (2048)
//	19 REFUSED  code ‖ generation ‖ hint (1024)
//	20 DATA     bytes of the stream, any number
//	21 SEEK     offset: where the next DATA on this leg stands
//	22 ACK      received ‖ safe ‖ credit
//	23 FIN      offset: the stream ends here
//	24 STOP     nothing: the sender reads no more
//	25 RESET    code ‖ reason (256), UTF-8 text
//	26 REWIND   offset: send again from here
//	27 CLOSE    nothing: the link is over for the sender
//
//	generation  of the leg; in REFUSED the highest that the sender knows of
//	features    bit set, 0; unknown bits are ignored
//	flags       1 planned: the leg before still works; 2 STOP was sent or is
//	            due; unknown bits are ignored
//	credit      offset: the receiver of the frame may send up to here
//	grace       ms that the listener is to wait for a leg
//	service     what is opened; bytes that the two applications agree on
//	epoch       how often the sender's end has moved to another node
//	far epoch   the same of the receiver's end, as the sender knows it
//	begin       1 + offset of the sender's next DATA on this leg; 0: SEEK will say
//	token       why the sender may have its end; empty unless it has moved
//	code        package wire
//	hint        with `moved`: where to, as the exporter's application wrote it
//
// A payload has at most 2248 bytes, that of DATA what the trunk allows.
//
// # Streams
//
// Two, one from each end; the first byte of each has offset 0. A receiver tells
// two marks and the credit; none of them ever falls, so that late and repeated
// frames do no harm:
//
//	received  all before it has come. It acknowledges, and frees nothing.
//	safe      all before it has been read by the application: the sender may
//	          forget it
//	credit    the sender may send up to here; at first 16384 each way
//
//	0 ······ safe ━━━━━━━━ received ······ sent ······ credit
//	         └─ kept by the sender: at most what it can replay ─┘
//
// FIN counts as one more byte, at the stream's end: received and safe are the
// end + 1 when FIN has come, and when the application has seen it. FIN needs no
// credit.
//
// The bytes of DATA on a leg follow each other from the leg's begin, or the last
// SEEK. Of bytes that come twice the first copy counts. ACK is due 20 ms after
// something changes, and so is the last word of a link that has ended in good
// order; at once when half a window has come, and when the application has read
// a quarter of the window. It goes before whatever else is sent once it tells of
// 4 KiB, or of FIN.
//
// Bytes beyond a gap are kept if they join each other, else dropped. A receiver
// that lacks bytes which no leg can bring any more sends REWIND, once until SEEK
// comes. On REWIND, which must be between safe and sent, a sender goes back, and
// begins with SEEK; at most 16 times on a leg. Whatever else it said on the leg,
// ACK, STOP, and RESET or CLOSE if it is over, it says again.
//
// # Legs
//
// A leg begins with OPEN or RESUME, by its opener; DATA and all else may follow
// at once, so that OPEN costs no round trip. The other side, the answerer,
// answers RESUMED, or REFUSED and leaves the leg.
//
//	opener     OPEN or RESUME ─▶ asking ── RESUMED ─▶ current ─▶ draining ─▶ left
//	                               └────── REFUSED ─▶ left
//	answerer   RESUMED ────────────▶ current ─▶ draining ─▶ left
//
// The dialer opens the first leg with OPEN, and repeats OPEN on other legs until
// the far side has answered one, or resumed the link itself; then it uses RESUME,
// like everybody else. Who is to make legs: the dialer, and an end that has
// moved. The listener does until it has one, when it lost its leg within 30 s of
// a change of its own address, which the dialer may not notice; and when it has
// had none for 5 s, and has sent or is to send what was not received.
//
// Generations order legs. A new leg has 1 + the highest generation known. An
// answerer refuses as `taken` what is not above the one that is current, and what is
// below the one it has asked for itself, or equal to that if its own peer ID is
// the larger, as bytes; it refuses as bad-request what is more than 2^20 above.
// Who is refused goes on from the generation in REFUSED. So of two ends that
// resume at once the one with the larger peer ID is answered, after one round
// trip.
//
// An unplanned change: the leg before is lost, or counts as lost. It is fenced:
// left, and nothing counts any more that comes on it. The opener sends from the
// far side's last received on, the answerer from the received in RESUME, both
// say where in begin.
//
// A planned change, flag 1: make before break. It is one only if the answerer's
// current leg is answered, RESUME comes from the same epoch, and has the next
// generation; else it is an unplanned one, and RESUMED says so by its flag.
//
//	opener                                 answerer
//	  │  RESUME planned, begin 0 (new leg)    │
//	  ├──────────────────────────────────────▶│ sends on the new leg from now on,
//	  │  DATA on the old leg goes on          │ from begin; the old leg drains
//	  │◀──────────────────────────────────────┤
//	  │  RESUMED, begin                       │
//	  │  the old leg drains up to begin       │
//	  ├──────────────────────────────────────▶│
//	  │  SEEK on the new leg, DATA …          │ the old leg drains up to SEEK
//
// A leg drains until all before that offset has come, and is left then. If it is
// lost first, or brings nothing for 1 s while bytes wait behind a gap, REWIND
// asks for the rest. ACK, FIN and STOP are sent again on the new leg. Of two
// changes in a row the first one's old leg is left.
//
// # An end
//
//	          open, accept
//	               │
//	               ▼    leg lost                  grace over
//	        ┌─▶ attached ──────────▶ detached ─────────────────▶ over (gone)
//	        │      │  ◀──────────────  │  ▲
//	        │      │      resumed      │  │
//	        │      │ freeze            │ freeze
//	   thaw │      ▼                   ▼  │ thaw
//	        └─── frozen ───────────────┴──┘
//	               │ exported
//	               ▼
//	          over (moved)
//
//	attached, both streams have ended ─▶ over (closed)
//	anywhere, RESET sent or received  ─▶ over (the code of the reset)
//
// A stream has ended for an end when FIN and all before it has come, or it sent
// STOP; and when FIN was received by the far side, or that has sent STOP. When
// both have, it sends ACK and CLOSE, after STOP if FIN never came, and keeps the
// leg until CLOSE comes. An end that resets sends RESET in place of CLOSE; who
// reads RESET answers CLOSE. An end is forgotten once both CLOSE, or RESET and
// CLOSE, have passed. If the leg is lost before, it is resumed to say it again:
// the far side answers likewise, or REFUSED `gone` if it has forgotten the link,
// which is as good. After the time of grace it is forgotten anyway.
//
// Without a leg, or as long as a leg is not answered, an end waits for its time
// of grace, 60 s unless the dialer says otherwise and at most 10 min: then it is
// over, `gone`, with the cause. An end that makes legs tries at once, at most
// every 50 ms, and after n failures or refusals in a row waits 50 to 100 ms ×
// 2^(n-1), at most 2.5 to 5 s. What a RESUME may be answered, in this order:
//
//	moved        the end was exported; hint tells where to
//	its code     the end is over, and the far side knows
//	gone         no such link; or RESUME knows a later epoch of this end
//	busy         frozen: try again
//	moved        RESUME is of an earlier epoch of the far end
//	forbidden    of the same epoch, from another node
//	bad-request, taken   the generation
//	forbidden, busy      a claim is refused; too many are being judged
//
// OPEN besides: unsupported for a service that nobody serves, limit, and taken
// for an ID of this node's own. Busy, taken, moved, limit, timeout and, once the
// far side has taken the link, unsupported (not on this path) are tried again
// until grace is over; all others end the link. A refusal by another node than
// the one known for the far end never ends it.
//
// # Moving
//
// An end is frozen, exported at that one cut, and imported by another node, with
// epoch + 1. The exporter keeps a tombstone for the time of grace. Bytes of an
// exported end, version 1:
//
//	1 ‖ ID ‖ flags ‖ epoch ‖ far epoch ‖ generation ‖ grace ‖ read ‖ fin ‖ credit
//	‖ safe ‖ received ‖ sent ‖ far credit ‖ service (64) ‖ self (128) ‖ far (128)
//	‖ unread (window) ‖ unacknowledged (window)
//
//	flags  1 dialer; 2 the far side has answered; 4 the application has seen the
//	       end; 8 it reads no more; 16 FIN has come, at fin; 32 the application
//	       writes no more; 64 FIN was sent; 128 the far side reads no more
//	read, fin, credit                  of the stream that comes in
//	safe, received, sent, far credit   of the one that goes out
//	self, far                          peer IDs of this end's node and the other
//
// The importer refuses what contradicts itself, and credit beyond its means: it
// is never withdrawn. Then it seeks the far side with its token. Until the far
// side has taken it, it sends RESUME and RESUMED alone, with the marks that it
// was exported with, and no STOP: should it die, the same state may be imported
// by another node, at a later epoch. It is taken when RESUMED comes; or, on a leg
// that it did not open, when REWIND does, which ends each judgement, or, if RESUME
// named its epoch, any frame: the asker sends ACK as soon as it is answered.
//
// A RESUME or RESUMED of a later epoch than known is a claim. It is judged by
// [Config].Authorise: who asks, for which epoch, with which token. What comes on
// the leg meanwhile is dropped and asked for again. When the verdict is there
// the epoch is compared once more, so that of several claims to one epoch the
// first that is granted wins, and the others are refused.
//
// So the far end is the record of who owns this one. Who gives out the right to
// an epoch has spent it: a second node gets the state with a token for a later
// one ([ImportOptions].Epoch), which beats the first. The exporter takes its end
// back by claiming it itself ([Frozen.Reclaim]) at the epoch that it gave out, and
// loses to whom it gave it to if that one was faster.
//
// Epochs are of each end, so that both may move at once. Then an end may be
// judged by one that is not taken itself ([Claim].Untaken), of which there might
// be several: each could grant a different claim, and there would be two pairs of
// owners. So either no state is imported twice at one epoch while the far end
// moves, or an untaken judge grants only what an owner from before its export has
// granted, which the token has to show.
//
// An opener sends DATA to no other node than the one it knows before that has
// answered and been judged, and OPEN to none at all.
//
// # Memory and limits
//
// Of this implementation; in brackets the setting, where there is one.
//
//	16 KiB     window and replay of a link at first, each
//	16 MiB     of a link at most, each [limits.link_window]. The window doubles
//	           while the application keeps pace: up to 256 KiB, or 1 MiB if
//	           the round trip is not known, and beyond if half of it lasts no
//	           longer than two round trips. Replay doubles while it is all that
//	           holds a writer back.
//	1 GiB      of all links [limits.link_memory]: each has its 32 KiB of it as long
//	           as it counts, and without that is refused as limit; half may be had
//	           beyond, at most an eighth of what is left of that at a time. What the
//	           application has not read counts after the end too.
//	32,768     links [limits.links]; 16,384 of one peer [limits.links_per_peer].
//	           A handler that runs on counts until it returns.
//	4          claims of one peer that are judged at a time, 30 s each
//	64         datagrams that wait for a reader; 4 before the first is read
//	8          legs that a link remembers
//
// A link that carries bulk, 4 MiB within 4 s, asks for a carrier of its own if it
// shares the one it has, by a planned leg of the end that makes legs. It keeps
// that carrier for as long as the leg lives. With none to be had it stays.
//
// Memory is held for bytes that are there, in pieces of 1 to 64 KiB that small
// frames fill up, so that what is queued takes at most four times its size and
// 64 KiB. An idle link has no goroutine, no timer and no buffer. There is a
// goroutine for each handler, for each route that is redialled, for each claim,
// and for each link whose bytes wait for the conn that [Link.Drain] writes them
// to.
//
// # Bad peers
//
// A malformed OPEN or RESUME, another first frame, and a control frame above
// 2248 bytes end the carrier. Any other breach ends the link alone, by RESET
// with bad-request, limit or gone, and is told to [Config].Hostile:
//
//	DATA before begin is known; beyond credit or FIN; SEEK and FIN beyond credit
//	FIN at two offsets, or before what has come
//	received beyond what was sent; safe beyond received
//	REWIND beyond what was sent, or to what was safe: the far side has lost its
//	state (gone); a seventeenth REWIND on a leg (limit)
//	CLOSE before both streams have ended; an unknown kind; a malformed frame
//
// Who asks for a link of others is refused as forbidden, and told of too; the
// link goes on.
//
// # Versions
//
// This is the first. Retired numbers: none. Later versions add fields at the end
// of frames, and bits; new kinds are sent only to who has shown a bit for them.
//
// # Use
//
// [Links.Open] and [Links.Handle] give a [Link], a net.Conn with half-close;
// what a machine decides is pure, in machine.go and its neighbours. [Link.ReadFrom]
// and [Link.WriteTo] join it to a conn without copies, [Link.Drain] also without
// a goroutine that waits for what comes. [Link.Freeze] and
// [Links.Import] move an end.
//
// # Vectors
//
//	frames   fields and bytes of each kind; begin as in the table
//	refused  payloads that are malformed
//	states   exported ends
//	links    all that both ends send, in the order in which it arrives
package link
