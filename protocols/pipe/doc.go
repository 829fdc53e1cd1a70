// Package pipe gives names to channels that belong to nobody's address: it
// finds who serves a pipe, binds pipes, and carries connections to whoever has
// bound them. This comment is the specification of its two protocols. With it,
// pb/pipe.proto, testdata/vectors.json, and the comments of packages protocols
// (what is below), wire (canonical bytes, error codes), identity (principals,
// envelopes, capabilities, tickets) and discovery (joining, the walk), a client
// can be written in another language. integration/js is one.
//
//	/<overlay>/pipe-binding/1   query, store, replaced: one request a stream
//	link service "pipe"         a connection: one a link (package link)
//	/<overlay>/pipe-conn/1      a connection as a raw stream: one a stream
//
// Messages are protobuf, each with its length as a uvarint before it. What is
// hashed or signed has canonical bytes and travels as those bytes: readers
// verify them as they came and never encode them again. ‖ joins bytes; numbers
// in canonical bytes are minimal uvarints; peer IDs are binary multihashes.
// Seconds are s, milliseconds since 1970 UTC are Unix ms (1 to the end of 9999).
//
// # Pipe ID and key
//
// A pipe is described by its advertisement, and the advertisement's hash names
// it, so that nobody can change it:
//
//	ID     01 55 12 20 ‖ SHA-256(advertisement), 36 bytes: CIDv1, raw, sha2-256
//	text   "b" ‖ base32(ID), RFC 4648 lower case, no padding, 59 characters;
//	       readers take "pipe:" before it
//	key    SHA-256("panpipe/key" ‖ ID), 32 bytes: where its records are held
//
// A key is a place in the key space in which a node is at SHA-256(peer ID);
// distance is XOR, read as a big-endian number. An ID is an address, neither a
// secret nor an authority; but nodes on the way to a key learn the key alone.
//
// # Advertisement
//
// Canonical bytes, at most 1024:
//
//	1  type          1 unicast, 2 secure, 3 propagate (not yet served)
//	2  name          public, UTF-8 without control characters (U+0000 to 001F,
//	                 007F to 009F), at most 128 bytes; absent: none
//	3  owner         principal: may bind, grant and revoke
//	4  binders       1 exclusive: one at a time; 2 many
//	5  transports    list of at most 16 names of 1 to 32 of a-z, 0-9, "-", sorted
//	                 by bytes, each once; absent: every transport is allowed
//	6  dial policy   1 open, 2 listed, 3 capability
//	7  reliable      1 yes, 2 no
//	8  salt          16 bytes, always present; zero in a pipe that is to be
//	                 derived from the rest
//
// 1, 3, 4, 6, 7 and 8 are needed. An unknown value of 1, 4, 6 or 7 is
// `unsupported`, like an unknown field below 1000; fields from 1000 on are
// ignored, but the ID covers them. Unknown names of transports are no fault.
//
// The transport of a multiaddr, leaving out IP addresses, DNS names, sni,
// certhash and p2p:
//
//	tcp            /tcp
//	quic-v1        /udp/quic-v1
//	ws, wss        /tcp/ws; /tcp/wss and /tcp/tls/ws
//	webtransport   /udp/quic-v1/webtransport
//	webrtc-direct  /udp/webrtc-direct
//	relay          whatever has /p2p-circuit in it
//
// An address with anything else is on none of them: a pipe that names its
// transports does not allow it, and a dialer that wants a transport has no use
// for it.
//
// # Binding
//
// "This node serves this pipe at these endpoints": an envelope under
// "panpipe/binding/1", signed by the binder, at most 36 KiB. Body:
//
//	1  pipe            ID, 36 bytes
//	2  advertisement   canonical bytes; their hash must be the pipe's
//	3  binder          principal, kind peer; its key signs the envelope
//	4  seq             1 to 2^63-1, rises with each record of this binder
//	5  issued          Unix ms, by the binder's clock
//	6  life            s, 10 to 86400
//	7  endpoints       list of at most 8 binary multiaddrs of at most 256
//	                   bytes, none twice, not ending in /p2p; on allowed
//	                   transports; may be absent
//	8  capability      envelope of the owner's capability, at most 18 KiB
//	9  term            up to 2^63-1; exclusive: at least 1; else usually absent
//	10 proof           device log of the account that owns the pipe and whose
//	                   device the binder is, at most 16 KiB
//	11 withdrawn       1: a tombstone, without endpoints; absent: a live binding
//
// 1 to 6 are needed. The binder is the owner and shows no capability
// (`bad-request` if it does); or it is a device of the account that owns the
// pipe and shows the account's log, and no capability (Accounts); or it shows a
// capability from the owner, to the binder itself, for this pipe, with right
// bind, with the binding's term, that is valid at the time issued (`expired` if
// it was over by then, else `forbidden`). A capability cannot be passed on.
//
// seq is the larger of the last one + 1 and the clock in Unix ms, so that a
// binder which has lost its store is not locked out. A binder signs one record
// for each seq and sends those bytes to everybody.
//
// # Revocation
//
// An envelope under "panpipe/revocation/1", signed by the owner, at most 19
// KiB, voids a capability to bind or dial:
//
//	1  pipe            ID
//	2  advertisement   canonical bytes; their hash must be the pipe's
//	3  issuer          principal: the owner (else `forbidden`)
//	4  nonce           16 bytes, not all zero: that of the capability
//	5  expiry          Unix ms: that of the capability
//	6  issued          Unix ms
//	7  proof           device log of the issuer, if that is an account
//
// All but 7 are needed. It voids whatever capability for the pipe has the
// nonce. Whoever knows a revocation ignores bindings that rest on the
// capability, and refuses dialers who show it.
//
// # Accounts
//
// For an account its devices speak, each with its own key, and show the
// account's device log as proof (package identity): they bind what the account
// owns as an owner does, sign its capabilities and revocations, and dial and
// listen as the account. A reader verifies the log whole. In a record a log that
// is malformed, another account's, or one in which the signer is no valid device
// is `bad-request`, and so is a proof where no account has a part. It need not
// be the newest.
//
// Whoever has to do with an account keeps the log that wins of all that it was
// shown: by bindings, capabilities in them, revocations, dialers, holders. What
// a device has signed that is not valid in the winner, though it was in the log
// that came with it, is void:
//
//	binding      does not count, nor does one by a capability that such a device
//	             has signed; with its term it is taken for revoked (Order)
//	revocation   is not taken any more; one that was taken before stays in force,
//	             or what it has voided would come to life again
//	dialer       is `forbidden`, and so is one by such a device's capability
//	listener     ends when it learns that this node is no device any more
//
// A device whose record shows another log than the winner signs a new one at
// once. Of accounts that own a pipe which it serves, or are on its list, a node
// keeps the log as long as it serves; of others as long as there is room.
//
// So a revocation is in force for whoever has heard of it, and of binders that
// is everybody, as long as another device serves the pipe or has within a day
// (Holders).
//
// The contact pipe of an account follows from its ID alone: type unicast, no
// name, owner the account, many binders, no transports, dial policy open,
// reliable, salt zero. Its devices list no endpoints there but those through a
// relay, unless the account wants to be found directly.
//
// # Clocks
//
// Clocks of honest nodes differ by at most 10 minutes (skew). At time now a
// record is, for a reader:
//
//	issued > now + skew                       refused, `bad-request`
//	now ≥ issued + life + skew                over, `expired` (binding)
//	now ≥ capability's expiry                 over, `expired` (binding)
//	now ≥ expiry + skew                       over, `expired` (revocation)
//
// A holder counts a binding's life from when it received it, refuses one that
// was issued more than skew ago, and ends it with its capability at the latest.
//
// # Order
//
// Of several verified bindings of a pipe these serve it:
//
//  1. Leave out what is issued too far ahead, what a revocation voids, and what
//     is void by the best device log of the account among all records.
//  2. Of each binder keep the record with the highest seq alone, even if it is
//     over or withdrawn.
//  3. Exclusive: a record with a term below the highest of these is dead, even
//     if the one with the highest is over or withdrawn.
//  4. Leave out what is over or withdrawn. Many: all that is left serves.
//     Exclusive: the one whose binder has the higher SHA-256(principal bytes),
//     as a big-endian number.
//
// A revocation takes the term of the record that it voids out of 3, but raises
// no other from the dead: a reader that has seen such a record takes one with a
// lower term only from its binder itself (authoritative), which it asks; and an
// old binder never answers `moved` to a binding whose capability is revoked.
//
// No clock decides between binders. A move uses a term above every one that is
// known: the owner's capability fixes it, or the owner names one when it binds.
//
// # Query
//
// Request{query} asks any node for the bindings of a key; every answer names
// up to 20 servers closer to the key with up to 8 addresses each, so that a
// walk (package discovery) costs one message a node. A request is one stream:
// the asker ends its side behind the Request, the other its own behind the
// Answer. Servers answer every op; a client that has bound pipes answers
// queries for those and `replaced`, since both go to the binder itself. The
// asker shows that it knows the ID:
//
//	proof = HMAC-SHA256(key: ID, "panpipe/query" ‖ nonce ‖ asker ‖ asked)
//
// with the 16 random bytes of nonce and both peer IDs. A node gives bindings,
// revocations and advertisement only for a right proof, and closer peers
// always; a wrong proof and an unknown pipe are answered alike. The answer
// repeats the nonce. It has what the node serves itself (authoritative), holds
// for the binder (held), or learned for its own use (cached), each with its age
// in s, from when its binder signed it (authoritative) or its holder received it
// (held, and cached likewise); tombstones too; and on an exclusive pipe the
// record with the highest term although it is over, for as long as a holder
// remembers it, since it proves that lower ones are dead. With no_cache it has what the node serves itself alone.
// transport and only_peers narrow it, but what may put an end to other records
// is given on every transport: tombstones, and all records of an exclusive
// pipe. want_advertisement asks for the description.
//
// The asker verifies every envelope, that it is of the pipe asked for, and the
// order; it matters not who gave it, save that authoritative counts only from
// the binder. `not found` disproves nothing. Lists above their caps are cut,
// and nonsense in them is skipped: bad peer IDs or addresses, the asker
// itself. The indexes in unproven are of endpoints that the holder did not see
// the binder at: public addresses with another IP than the connection's, and
// every endpoint that does not begin with an IP address.
//
// # Endpoints
//
// A record lists what its binder likes, so a dialer takes care not to become a
// weapon, or a scanner of its own network:
//
//   - Unproven is an endpoint that the holder marks so. A record that no holder
//     gave (authoritative, moved, replaced) has all of its public endpoints and
//     names unproven; whoever passes a record on as cached passes the marks on.
//     An endpoint at whose IP the dialer was connected to the binder is proven.
//   - At most two unproven endpoints are dialled at a time. Those who only
//     ask a binder something use at most two of them at all.
//   - Private endpoints are dialled while the dialer has no public address of its
//     own and has met nobody outside; or if a person, a ticket or mDNS named
//     that node at that address; or if a public endpoint that is not unproven is
//     at the dialer's own public address (same IPv4, same IPv6 /64). Loopback and
//     link-local ones only by the first and second. The comment of package reach
//     has the whole rule.
//   - The addresses at which a binder without any endpoint is dialled are those
//     that a walk to its own place finds; all are unproven.
//   - A binder without a public endpoint lists one at which others see it, the
//     port of QUIC as most see it: by it neighbours know each other.
//
// # Store
//
// Request{store} brings up to 128 records, of one pipe or of many; each is
// judged for itself and has its result, in the same order. key is where closer
// servers are wanted for; without records, it only asks. A record is stored at
// the 20 servers closest to its key; a bind is done when min(5, servers there
// are) of them have it. Of one public network 3 are among the 20 while there are
// others, and 3 among the 5 while one of another network may take the record
// yet. A server that others name counts there until it has failed, but no longer
// than 1 s unless it answers. The results:
//
//	ok            held; displaced has the live bindings of others that it ended
//	forbidden     brought by another peer than its binder, its capability is
//	              revoked (standing: the revocation), or who has signed for an
//	              account is no device of it (standing: the device log)
//	taken         exclusive: a record beats it (standing: that record)
//	expired       issued or ended too long ago, or its seq is not above the
//	              binder's last (standing: that record, if it is still kept)
//	not-close     the holder knows 20 servers that are closer, of which 3 of one
//	              public network count (a /24, a /48)
//	limit         a quota is full; the reason names it
//	bad-request, too-large, unsupported   the record is no good anywhere
//
// The answer's revocations concern the pipes of the records, one of each before
// a second of any; the binder must know them, since it refuses dialers by them.
//
// # Holders
//
// A holder takes a binding or tombstone from its binder alone (the peer at the
// other end of the connection), and a revocation from anybody. It judges:
//
//   - The same body again refreshes the record; else seq must rise.
//   - Exclusive: below the highest term ever seen is `taken`, also after that
//     record is over or withdrawn. At the same term a live binding of another
//     binder with the higher hash is in the way (`taken`), and one with the
//     lower hash is displaced. A tombstone neither is in the way of nor
//     displaces others at its own term.
//   - A revocation removes bindings that rest on the capability, with their
//     terms, and keeps them out until it ends: 10 minutes after the
//     capability's expiry, and at most 30 days after receipt.
//   - Of each account that owns pipes it keeps the device log that wins of those
//     that the records had which it took. A record by a device that is not
//     valid in the winner is `forbidden`, and bindings by such devices are
//     removed, with their terms, from all pipes of the account.
//   - Seq of each binder, and the highest term with the record that proves it,
//     are remembered for 24 h after the record is over, within the quotas; the
//     log of an account as long as anything of its pipes.
//
// Quotas count records (envelope + 1 KiB each) by depositor (2048 records, 4
// MiB), by address group (8192, 8 MiB), by pipe (64 binders, 64 revocations)
// and in all (32 MiB). A group is the /24 of an IPv4 or the /48 of an IPv6
// address; relayed peers are grouped by their relay's, apart; loopback is
// exempt. A full depositor or group first loses what is merely remembered,
// then is refused. A full holder drops records of the heaviest group, there
// the farthest from its own place first. A revocation is charged to whoever
// brought it first, or to the owner. A log that is kept counts with the record
// that brought it and, when that goes, with the one of the account that is
// remembered longest.
//
// # Replaced
//
// Whoever displaces another binder of an exclusive pipe sends it
// Request{replaced} with the new binding. The old binder verifies it, stores
// it, stops to serve, answers ok (also if it does not serve the pipe at all),
// and from then on answers dialers `moved`; `taken` says that its own binding
// stands, `forbidden` that the new one's capability or device is revoked.
// The bind is done when every holder that showed the old record has the new
// one or has failed, and the old binder has answered or been silent for 2 s.
//
// Each binder is told once: a record of its that turns up again, with a seq no
// higher than the one it has acknowledged the end of, is passed by. A binder
// also stops to serve when a record that beats its own comes to it in another
// way: as a Store, as `taken` in the answer to one, or in a query of its own. If
// that one rests on a capability, a binder that is not the owner first asks the
// nodes near the key, for 2 s at most, whether it is revoked; if it rests on a
// device of an account, every binder does.
//
// # Renewal and withdrawal
//
// Life is 30 minutes, unless asked otherwise. A binder signs anew at half life,
// up to a twentieth of the life earlier by chance, and at once when its
// endpoints or the device log of its account change; at its end, and when the node stops, it stores a tombstone:
// the same with a higher seq, withdrawn, no endpoints.
//
// One record goes out by a walk. Several are swept: what is due, with what is
// due within a quarter of its life, is sorted by key, and each server gets one
// Store with every record for which it is among the 20 closest known, or the
// four next, as far as 128 records and the cap of a request allow; 10 at a time,
// in the order of the keys. key of each Store is that of the record of whose
// neighbourhood the fewest answers have told, so that every record has the
// opinion of three servers, where there are so many: an answer tells of all keys that are no
// farther from the one asked for than the farthest server that it names, and of
// every key if it names fewer than 20. Who is named is a candidate for all
// records. Where they would be more than 8192, who has named the most (a
// server, or all of one public network) makes room for others. The next closest
// takes the place of a server that fails, or that answers `not-close` or
// anything else but `ok`. Of one public network 3 count among the closest while
// there are others, as in a walk. After `not-close`, where fewer than 20 closer
// ones are known, the binder among them, that server is asked who they are;
// where so many are known nobody farther is asked. One that does not answer
// within 2 s makes place meanwhile; one that fails is asked again only by a new
// address; one that is `busy` after 1, 2, 4 and 8 s.
// So a round of many records costs about one message for each server that is
// close to any of them.
//
// Published out of turn are:
//
//	endpoints changed       at once, then after 1, 2, 4 … 30 s from one to the
//	                        next, the newest state always in the end; the first
//	                        pause again after a minute of rest. Not if what is
//	                        held is what would be signed
//	`expired`, with a newer record of this binder: with a higher seq, likewise,
//	                        since two nodes with one key would chase each other
//	nobody but this node has it, and others are there: after 30 s, then twice
//	                        as long each time, up to a quarter of the life
//	few holders             looked at each minute: of the 20 servers known now
//	                        to be closest to the key fewer than 5 have the
//	                        record, counted as for a bind, and 5 or more had at
//	                        the first look; not in the first eighth of a life
//
// The last is for holders that leave together, and for a crowd that comes in
// between. A connection that closes is no sign of either: connection managers
// close what they like.
//
// An owner binds under the highest term that it has used; one above it if it
// was replaced, or knows of another binder under it; and one below it if it has
// granted that term, and the grant is not known to be used. Above the highest
// term there is none: a binding under it that is live is `taken`. A bind that meets a
// higher number starts over at most three times, from the second time on after
// a short rest by chance. So does one that meets a binding by capability, if
// another holder tells within 2 s that the capability is revoked.
//
// An overlay that was split serves what each part has bound. When it is whole
// again the next renewal on either side, or a query by the loser, ends that:
// the binder with the lower rank is answered `taken`, or is told `replaced`.
// What a part has not heard to be withdrawn ends there with its life, and
// readers may take it for live until skew after that.
//
// # Connection
//
//	dialer                          listener
//	Open{pipe, nonce, …}     ─▶
//	                         ◀─     OpenReply{code}
//	Confirm{signature}       ─▶                        secure pipes alone
//	raw bytes               ◀──▶    raw bytes
//
// A connection is a link, opened to the service "pipe" on a path to the binder,
// or a raw stream of pipe-conn. These messages are the first bytes of either; so
// a link costs no round trip more, and what is said below of a stream holds for
// both. The difference is what happens when the path is lost: see Links.
//
// The dialer names the pipe and 16 random bytes,
// and where it is needed the owner's capability with right dial for its
// principal. principal is empty or that of the peer itself, or an account of
// which the peer is a device by the log in proof (else `forbidden`), in
// OpenReply as in Open; a proof goes with an account, and with nothing else
// (`bad-request`). The peer is the one that the path's handshake has proved, so
// this needs no other signature. By the pipe's dial policy the listener admits
// everybody (open), whom it lists (listed), or who shows a capability that is
// valid and not revoked; a list adds to capabilities and capabilities to a list,
// and the owner is always admitted. Who dials as an account is admitted also
// where its node itself would be. A
// list may have everybody, for as long as its listener says. A path on a
// transport that the pipe does not allow is `unsupported`. hops is how many
// gateways the data has gone through before the dialer, by its own word; more
// than 8 is `bad-request`, a loop. A listener may ask a service behind it before
// it answers, so that what becomes of that is told in OpenReply; it answers before
// the 10 s of an opening are over. A code other than 0 ends the stream:
//
//	unbound     this node does not serve the pipe
//	moved       moved has the binding of who does; the dialer verifies it, and
//	            that it beats the one it followed, and goes there, a few times
//	busy        too many connections wait; again later, or another binder
//	refused     the service behind the listener refused the connection
//	timeout, unreachable   that service did not answer, or is not to be found
//	forbidden, expired, unsupported, limit, bad-request   as the words say
//
// A dialer that was refused so may go to another binder of the pipe with all that
// it has sent: the listener has dropped it.
//
// A dialer may follow a record that it has kept. It should then ask a few of the
// nodes nearest to the key meanwhile, and leave the old binder for a newer
// record at once: a binder that is dead answers nobody `moved`.
//
// On a unicast pipe raw bytes follow OpenReply both ways. The dialer may send
// up to 64 KiB behind Open without waiting; it keeps them until the reply, to
// send them again where the pipe has moved, since a listener that refuses
// drops them. Each side ends its data by closing the stream for writing; a
// reset ends both ways at once and loses what is under way. A link's reset has a
// code: `gone` where an end was dropped, `reset` where an end passes on that what
// is behind it has reset.
//
// On a secure pipe both prove their principals first, even where the path's own
// handshake did: OpenReply has 16 random bytes and the listener's envelope
// under "panpipe/secure/1", Confirm the dialer's. Body:
//
//	1  pipe                   ID
//	2  side that signs        1 listener, 2 dialer
//	3  dialer's peer ID       of the path below
//	4  listener's peer ID
//	5  dialer's principal     never empty here
//	6  listener's principal
//	7  dialer's nonce         16 bytes, of Open
//	8  listener's nonce       16 bytes, of OpenReply
//
// The key of the envelope is that of the principal that signs, and for an
// account that of the node at this end of the path; the other side compares the
// body with the one that it makes itself, byte by byte.
// No data goes before it: the dialer sends Confirm when the listener's proof
// holds, and raw bytes right behind; the listener delivers and sends nothing
// before Confirm holds. Whoever finds a proof wrong resets the stream.
//
// With probe in Open the dialer asks no more than whether it would be accepted
// now. The listener judges it like any dialer and sends the same OpenReply, on
// a secure pipe with its proof. Then both close: there is no Confirm, no raw
// bytes follow, and whoever accepts connections hears nothing of it; a service
// behind the listener may be asked.
//
// With watch beside probe the listener keeps the stream behind an OpenReply with
// code 0, on which neither side sends anything, and asks no service. It resets it
// when it would not accept the dialer any more, a link with the code that it
// would answer now: `unbound` or `moved` when it serves the pipe no more,
// `forbidden` when its list has the dialer no more. So whoever dials a pipe often
// keeps a path and a carrier open, hears at once of what has changed, and needs
// not ask before each dial. A listener that knows no watch closes.
//
// # Links
//
// A link outlives its path. Its dialer takes it up again, for as long as the
// link's time of grace lasts, on a path that the dial's options and the pipe
// allow: one that exists, else one to the endpoints that it knows, else, when
// these have not answered within 250 ms or have failed, one to those that the
// overlay knows of this binder now. The binder need not serve the pipe any more.
// Other binders are never turned to: only this one has the other end. A binder
// that seeks its dialer (package link says when) does so on a path that exists,
// else at the addresses that it or the overlay knows of that node. While the
// path is relayed and the pipe allows a direct one, the link moves to a direct
// path as soon as there is one. A listener takes no leg on a transport that the
// pipe does not allow (`unsupported`).
//
// Before OpenReply a link does not outlive its path: the dialer goes on as after
// any other failed try. A dialer uses a raw stream at once where identify has
// told that the binder does not speak the trunk's protocol, and again where a
// link comes to `unsupported` before OpenReply: the trunk's protocol is not
// spoken after all, there is no service "pipe", or the listener, having read
// Open, has reset the link with `unsupported` since it wants raw streams for
// this pipe. A node that ends in good order resets its links.
//
// # Limits
//
//	Request 128 KiB, Answer 256 KiB, Open 40 KiB, OpenReply 64 KiB, Confirm 4 KiB
//	Answer: 64 records, 64 revocations, 20 closer peers, 128 results, 8
//	addresses a peer; reason 256 bytes
//	Store: 128 records. Query: 32 binders in only_peers
//
// A request is read and answered within 10 s; so is Open, and on a secure pipe
// Confirm follows within the same 10 s. An answer too long for its cap leaves
// out records from the last on. Above its rate for a peer, or for the
// peer's address group, a node answers `busy`; each record of a store counts as
// a request, and so does an Open that takes more than a look at the list: for a
// pipe that is not served, of a dialer that is not listed and shows a new
// capability or none, on a secure pipe. A device log in a request or Open that
// the node does not remember to have read counts one for each 256 bytes. Of what a node has places for (requests being served, connections,
// connections that wait to be accepted) a peer gets as many as are still free,
// and a group twice as many. An operation or record kind that a reader does not know is
// `unsupported`; an error code that it does not know is read as `internal`.
// Bits in features: none is defined yet; a reply sets none that the first
// message did not.
//
// # Vectors
//
//	keys            Ed25519 keys of the seeds; others name them as signer
//	advertisements  fields and bytes (one has a field more, that is ignored), the
//	                ID in both forms, the key
//	bindings,       body and envelope; code is what a reader says before it looks
//	revocations     at a clock, who knows no device log but the one that is shown;
//	                empty values, term "0" and proof "" are absent
//	order           both of one exclusive pipe
//	query_proofs    proof of asker to asked
//	handshakes      both sides of a secure pipe
//	messages        as they are sent, with their length
//	refused         what a reader must not take, and the word
package pipe
