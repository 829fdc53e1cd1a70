// Package replica is how the devices of two accounts come to hold the same
// conversations. It is pure: entries, clocks, what is held of an author's log,
// the frames, and the machine of one session. Package session runs the machine
// over a connection, and node/store keeps what it holds. This comment is the
// specification; testdata/vectors.json has the frames in hex.
//
// # Logs
//
// A conversation is what two accounts say to each other; each of them calls it
// by the other's name. (An account with itself is one too, of its own devices.)
// It is a set of logs, one for each author, and every device of both accounts
// wants all of them. An author is a device and an epoch, 64 random bits, chosen
// when the device first writes in the conversation. Its entries are numbered
// from 1 without gaps, by a counter of at most 2^62.
//
//	entry    counter ‖ record
//	record   ID (16 bytes) ‖ uvarint kind (1 to 127) ‖ uvarint sent ‖ body (the rest, at most 65,536 bytes)
//	ID       stamp (64 bits, big endian, the first bit 0) ‖ 64 random bits
//	sent     when the author's own clock said it was written, Unix milliseconds below 2^48; for people, decides nothing
//
//	 1  text       UTF-8, not empty
//	 2  delivered  marks: the writing device holds the entries up to them
//	 3  read       marks: a person has seen them on the writing device
//	 4  state      bytes of the application; the newest ID of all authors is the state
//
//	marks    1 to 32 of: uvarint length ‖ device ‖ epoch (64 bits) ‖ uvarint counter, from 1
//
// Entries of other kinds are kept and passed on like these, and not shown: what
// retracts or ends entries can so be added without a new major version. Marks
// stand for all entries of the author up to the counter. What an account has
// read is the highest of its devices' marks; what one device has, its own.
//
// # Stamps and places
//
// A stamp is a hybrid logical clock: Unix milliseconds ‖ 16 bits that count
// within one. Within a log stamps rise with the counter, so that an ID is never
// used twice by an author. A device's next stamp is above all it holds, but what
// lies more than ten minutes ahead of its own clock moves nothing: one clock
// that is ten years ahead leaves all others as they are. Its own entries are no
// exception: a device whose last stamp is more than ten minutes ahead begins a
// new epoch.
//
// People see a conversation in the order of places. An entry's place is its ID,
// but where the stamp is more than ten minutes ahead on arrival, the time of
// arrival takes its part, never before the author's entry before it nor behind
// the one after it. So devices agree on the order of everything but that which
// a broken clock has stamped.
//
// # What is held
//
// A device holds of every author one run of counters, low to high. A device
// that meets a log for the first time chooses where to begin, at most 32 entries
// before its end, and then holds "nothing, from low on" (high = low - 1). From
// there the run grows in both directions: up with what is new, down with what
// is older. So a new device shows what was said last, live at once, and the
// history of years follows behind it without standing in the way. While nothing
// is held yet low may sink, told by HAVE: where the device that promised more has
// gone, what others have of the log is taken.
//
// # Session
//
// A session is one connection (a link) between two devices that already know
// whose they are. Both send the same frames in both directions and do not wait
// for each other:
//
//	HELLO, then what I hold of every log: CONVERSATION and AUTHOR, then READY;
//	from then on HAVE when a run has grown, and ENTRY for what the far side lacks
//
//	frame        type (1 byte) ‖ uvarint length ‖ payload
//
//	 1 HELLO         version (1 byte, 1) ‖ uvarint features (0)                     at most   64 bytes
//	 2 LOG           device log of the sender's account, which has grown                  16,384
//	 3 CONVERSATION  the other account; empty between two accounts                            64
//	 4 AUTHOR        uvarint conversation ‖ device ‖ epoch (64 bits) ‖ run                   160
//	 5 READY         nothing; all that is held has been told                                  64
//	 6 HAVE          uvarint author ‖ run                                                     64
//	 7 ENTRY         uvarint author ‖ uvarint counter ‖ record                            65,664
//	 8 BYE           uvarint word of package wire ‖ why, UTF-8                               256
//	 9 STOP          uvarint author ‖ uvarint word                                           64
//
//	device       uvarint length ‖ bytes of the peer principal
//	run          uvarint low (from 1) ‖ uvarint high (from low - 1) ‖ tag: the random half of high's ID, zero where nothing is held
//
// Conversations and authors are numbered from 0 in the order in which the sender
// declares them, each direction by itself: at most 4,096 conversations, 65,536
// authors, 2,048 in one conversation, and 64 LOGs. A device takes the logs of at
// most 1,024 authors of a conversation from others, and leaves the rest alone.
// Payloads are binary and not protobuf, because the data plane of this protocol
// is ENTRY, by the ten thousands a second. Frames from 128 on that
// a reader does not know are skipped; unknown ones below are "unsupported".
//
// HAVE and AUTHOR acknowledge: what they name is on the far side's disk. An
// entry is only sent when its sender holds it durably, and counts as had by its
// sender. Nothing else is acknowledged, nothing is sent twice in one session, and
// after a cut both sides begin with what they then hold. What arrives by two
// paths at once is kept once: the journal decides by (conversation, author,
// counter).
//
// Who sends: to another account only entries of one's own devices, to one's own
// devices everything. Who takes: from another account only entries by devices in
// its device log (those revoked too: history stays), from own devices
// everything. LOG goes before the AUTHOR of a device that the far side cannot
// know yet.
//
// What a sender lacks room for waits at its side: at most 1 MiB is under way
// without being acknowledged, at most 256 KiB of it older than what the far side
// holds. Logs take turns, upwards before downwards.
//
// # The machine
//
// One machine for each session; for each log a stream:
//
//	        Mine(run)                     AUTHOR                       tags differ, no room, STOP
//	unknown ---------> known to me only ---------> both known, flowing ------------> stopped
//	   |                                              ^   |  Next, Sent: ENTRY up or down
//	   | AUTHOR                                       |   |  HAVE: theirs grew
//	   v                 Adopt, Mine(empty run)       |   |  Mine: mine grew: HAVE, or ENTRY follows
//	known to them only -------------------------------+   +-> (itself)
//
// # Forks
//
// A device that is restored from a backup writes counters again that others
// hold with another content. Whoever has the longer run compares the tag at the
// shorter one's end: if they differ, the log is forked. Each side keeps what it
// had first, and sends and takes no more of that log in this session: STOP with
// "taken" tells the other side. The same holds for an entry whose counter is held
// with another ID, or whose stamp is not above that of the entry before it: one
// branch then continues what a device holds of the other. A device that learns that its own log is forked, or longer
// elsewhere than at home, begins a new epoch in that conversation; own devices
// send it what it has lost. What it wrote in between stays where it is, and goes
// nowhere.
//
// STOP with "limit" says that there is no room for more of the conversation:
// whoever fills it is told, and holds up no other.
//
// # A bad far side
//
// It may claim to hold anything, and then is not sent that, and repeat
// entries, which is counted. What follows ends the session with BYE and the
// word, and nothing of it is kept: "bad-request" for a counter that does not
// adjoin the run, a run that shrinks and was not empty, an ID used again with another content, text that is not UTF-8, marks that do not parse;
// "too-large" for a length above the cap, before anything is read; "forbidden"
// for an author who is none of the sender's; "limit" for too many declarations;
// "unsupported" for another version; "timeout" for one that takes entries and
// acknowledges nothing.
package replica
