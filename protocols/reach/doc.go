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
//   - It ends with the context, and after Config.DialTimeout at the latest. It
//     never waits for identify.
//   - Each address tried is told as an [Attempt], with its cause in words;
//     a failure is a [DialError] that lists them.
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
// libp2p's hole punching takes no note of an adopted relayed connection. Only a
// relayed path that the swarm dialled, which is one wanted with AllowRelay and
// without a required transport, is upgraded to a direct one by it.
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
//	wire.Limit              the far side's limits, or this side's, forbid the stream
//	wire.Unreachable        the connection below is lost
//	wire.BadRequest         the far side answers something else than multistream-select
//
// WebTransport carries no reset codes: there a limit of the far side is a
// plain reset.
package reach
