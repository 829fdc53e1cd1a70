// Package reach makes paths to other nodes and opens streams on a path of the
// caller's choice. It is the only part of Panpipe that touches the swarm of
// go-libp2p.
//
// # Paths
//
// A [Path] is one libp2p connection to a peer over one [Transport]: tcp,
// quic-v1, ws, wss, webtransport, webrtc-direct, or relay (a circuit v2
// through another node). [Reach.Path] promises:
//
//   - What exists is used: of the connections that serve the [Want] and are not
//     closed, a direct one before a relayed one, then the newest.
//   - Without a required transport a new path is dialled by the swarm, with
//     the addresses given and those in the peerstore.
//   - With a required transport, or when only the given addresses may be
//     used, the addresses are dialled beside whatever connections exist, QUIC
//     first and IPv6 and IPv4 in turn, each a little after the one before it or
//     as soon as nothing is in flight; the first to answer wins and the others
//     are closed. Callers that want the same peer and transport at the same
//     time share one dial.
//   - A relayed path is given only to who allows or requires one.
//   - Addresses that failed a moment ago are left alone for a while (the
//     swarm's back-off), unless the want is Explicit.
//   - It ends with the context. Dialling ends after Config.DialTimeout at the
//     latest, and hole punching [PunchTime] after that. It never waits for
//     identify.
//   - Each address tried is told as an [Attempt], with its cause in words;
//     a failure is a [DialError] that lists them.
//
// # What is dialled
//
// Whoever is named in an answer, a record, or a message of libp2p's own
// protocols is a stranger at that address: it may be a victim, or a machine on
// this node's LAN. A [Gate] stands before every dial of the node, those of the
// swarm (kad-dht, hole punching, relays) and those of reach. By the address:
//
//   - public: dialled, within the budgets below.
//   - private (also carrier-grade NAT, IPv6 ULA, all that is not routed): dialled
//     while this node has met nobody outside and has no public address of its
//     own, so that it is a LAN; if somebody vouched for that peer at that IP; or if the
//     peer was seen at a public address that is this node's own too (the same
//     IPv4 address, the same IPv6 /64) within the hour: it is a neighbour. Seen
//     by a connection of this node, or by a holder of its record.
//   - loopback, link-local: the same, but a neighbour's word does not do.
//   - a cloud's metadata service: only if somebody vouched for it.
//   - a name: as what it resolves to. Unresolved it is not dialled.
//   - a relay's address counts as one that is named for the relay.
//   - unspecified, multicast, broadcast, deprecated forms, and addresses that name
//     two places: never.
//
// An IPv4 address inside an IPv6 one (mapped, NAT64, 6to4, Teredo, SIIT) counts
// as that IPv4 address.
//
// Who vouches: a person, by --join or a ticket, for everything, names included;
// mDNS, for private and link-local addresses; the last run, for where it was
// connected; and every connection that this node has dialled with success, for
// that peer at that IP. A voucher's word is for one peer at one IP, whatever the
// port. 256 are kept of each voucher, 1024 of connections; the oldest goes.
//
// Budgets, for what is not vouched for, counted while nobody answers and
// forgotten after 5 to 10 minutes: 8 ports of one peer at one IP; 16 IPs of one
// peer, those excepted where others saw it; 64 pairs of peer and port at one IP;
// of a neighbour's private addresses 8, and 32 of all neighbours.
//
// The swarm goes through many public addresses of one peer two IPs at a time
// ([Rank]), and through relays that are connected before others ([RankBy]). Of those that a [Want] calls Unproven two are in flight at a time,
// the second as unlike the first in IP version and protocol as there is, and
// while others wait each has 4 s. Relayed ones come after the direct ones, by 2 s
// if any of these is unproven, two at a time.
// Addresses where this node was connected to the peer are not unproven; those of
// the peerstore are where nobody says otherwise, and so are a neighbour's private ones.
//
// # Direct, relayed, and direct after all
//
// Where the peer is known to be on a relay, a [Want] is served like this:
//
//	AllowRelay                whatever is first: direct addresses, then the relay. For
//	                          a relayed path, Improve begins.
//	AllowRelay, PreferDirect  as the next, but after PreferTime the relayed path is given.
//	neither (direct only)     direct addresses, then a relayed connection that carries
//	                          the signals of hole punching and never a stream of the
//	                          caller; the direct connection is waited for, PunchTime at most.
//	Transport                 the addresses on it; if all fail, hole punching as above, if
//	                          the path that comes of it is on that transport.
//	Transport relay           a relayed path, whatever else exists.
//	NoPunch                   as above, but hole punching is not waited for.
//
// Hole punching is go-libp2p's (DCUtR, /libp2p/dcutr): the side that took the
// relayed connection begins it, once, when that connection comes about. It
// needs a public address that both sides know of themselves: their own, or one
// that others observed. Its dials share the swarm's books with every other dial
// of that peer, and an address that failed there is not dialled again while
// anybody else still dials; so reach does not dial a peer while holes are being
// punched. If the far side turns out not to take part, its addresses are
// dialled once more instead. A relayed connection whose hole punching has come
// to nothing and that carries no stream is closed by the next want for a direct
// path, so that another one brings another try; not within half a second of
// being given to somebody, who may be about to open one. [Punches] gives errors
// their cause.
//
// [Reach.Improve] seeks a direct path for as long as there is only a relayed one:
// after hole punching had its time, the direct addresses are dialled again after
// 10 s, then 30 s, a minute, two, four, and every five minutes. The relayed path
// stays, for the streams that are on it. [Reach.Watch] tells of better paths.
//
// # Peers in use
//
// Whoever has something that lasts with a peer, as a link, says so by
// [Reach.Keep] until it is over: the connection manager leaves its connections
// alone, they are looked after first when something happened to the machine,
// and Improve begins by itself whenever relayed paths are all there is, be it
// that the far side dialled them or that a direct one was lost. [Reach.Watch]
// with the same Want tells, within one event of the swarm, of each path that
// beats the one before. [Reach.Hold] is for what is short.
//
// # Dead paths
//
// Neither the swarm nor its transports notice silence in less than half a
// minute, and the swarm goes on handing out the connection. Whoever got no
// answer says so to [Reach.Doubt], which sends libp2p's ping on that very
// connection; repeated every second; without an answer within 4 s the connection is
// closed, for everybody. The other connections to that peer are probed beside it. Any answer is life, and so is the acknowledgement of a packet on a
// QUIC connection whose streams are stalled. Reach doubts by itself:
//
//   - a stream whose protocol the far side's host has not answered to within a
//     second, when its user gives up (deadline, Reset, Close);
//   - a connection that gives no room for a stream in time;
//   - the connection to a relay, when a dial through it times out or a relayed
//     path over it is in doubt.
//
// A connection on which opening a stream fails otherwise is closed at once.
//
// Who sends doubts when the oldest byte has not been acknowledged for 500 ms, or
// three round trips, and after one second at the latest. So silence is noticed
// within 5 s in all. Closing a connection wakes everything that waits on its
// streams, with wire.Unreachable (WebSocket takes 100 ms to say good-bye first).
//
// # Disturbances
//
// Package netwatch notices that the machine slept, or that its addresses, links
// or default routes have changed, and has [Reach.Disturb] act on it:
//
//   - the swarm's dial back-offs are forgotten
//   - connections whose local address is gone are closed at once, relayed ones
//     with the address they go out from. A QUIC connection that this node
//     dialled does not know its local address; it may live on from another
//   - dials under way begin again
//   - every other connection is put in doubt: those of peers that are kept or
//     held at once, the others 32 at a time
//   - better paths are sought at once
//   - swarm and host look anew at the machine's addresses, so that identify,
//     discovery and bindings tell the new ones
//   - then [Reach.Disturbed] tells whoever has more to do, such as to dial again
//
// # Relays and their limits
//
// A relay may limit a relayed connection by time and by bytes each way, and says
// so when it begins. [Path.Allowance] tells the limits and what is left. When
// such a path ends at a limit (within 3 s, or within a tenth of the bytes: the
// relay counts encryption and framing too), its streams fail with wire.Limit,
// and name relay and limit.
//
// # The end
//
// First those who use paths end, then [Gate.Close] has every further dial of the
// host refused, [Reach.Close] ends and joins what reach does, the host is closed,
// and [Reach.Join] joins what only that could end.
//
// # How a second connection enters the swarm
//
// The swarm dials a peer once and answers further dials with the connection it
// has. A connection kept outside of it would be a trap, since the far side's
// swarm may use it for streams that nobody here accepts. So reach dials with
// the transport itself and hands the result to the swarm through a listener of
// its own, on a private /memory address which [HideAdopted] keeps out of what
// the host announces. The far side sees an ordinary inbound connection. This
// side's swarm counts the adopted connection as inbound too; [Reach.Adopted]
// tells the difference. Limits hold as for any dial: the transport opens the
// outbound scope at the resource manager, and the gater is asked at each step.
//
// Hole punching takes no note of an adopted relayed connection: the side that
// dialled must see it as outbound. Relayed connections are therefore dialled by
// the swarm, with two exceptions: one that is required while a direct one
// exists, which misses nothing, and one wanted with Only, since the swarm dials
// every address it knows. A relayed connection that is in use and whose hole
// punching failed is not punched again before it ends.
//
// # Streams
//
// [Path.OpenStream] opens on that very path, and sends nothing by itself. The
// first write carries multistream-select's header and the one protocol
// proposed (protocol multistream-select 1.0.0: uvarint length ‖ text ‖ '\n',
// twice) ahead of the data; the answer is read before the first data is. So
// opening costs no round trip, and a peer that does not speak the protocol
// shows at the first read.
//
// Streams opened and streams handled ([Reach.Handle]) report the same errors,
// whatever transport and muxer are below:
//
//	os.ErrDeadlineExceeded  the deadline passed; the stream can be used on
//	net.ErrClosed           this side has closed that direction, or reset the stream
//	network.ErrReset        the far side reset the stream (wrapped)
//	wire.Unsupported        the far side does not speak the protocol
//	wire.Limit              the far side's limits, or this side's, forbid the stream,
//	                        or the relay's limit for the path is used up
//	wire.Unreachable        the connection below is lost
//	wire.BadRequest         the far side answers something else than multistream-select
//
// WebTransport carries no reset codes: there a limit of the far side is a
// plain reset.
package reach
