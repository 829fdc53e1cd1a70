// Package protocols tables the wire protocols of Panpipe. It has no code: the
// comment of each package below is the specification of its protocol.
//
// Protocol IDs begin with the overlay's prefix, "panpipe" unless another was
// chosen, so that nodes of different overlays have nothing to say to each
// other.
//
//	ID                            package                    what
//	/<overlay>/kad/1.0.0          (libp2p's Kademlia DHT)    routing table and its refresh; spoken by servers
//	/<overlay>/pipe-binding/1     protocols/pipe             query, store, replaced: one request a stream
//	/<overlay>/pipe-conn/1        protocols/pipe             a connection of a pipe as a raw stream: one a stream
//	/<overlay>/trunk/1            protocols/trunk            frames of many legs on one stream
//
// Links, protocols/link, are spoken on the legs of a trunk and have no ID of their
// own. Nor has what the devices of accounts say to each other on links,
// protocols/buddy and session/replica.
//
// The last number is the major version. Minor features are a set of bits in
// the first message of each side.
//
// Below is libp2p as specified: TLS 1.3 or Noise and yamux on tcp, ws and wss;
// QUIC, WebTransport and WebRTC with what they bring. A node speaks one of them
// at least, answers identify (/ipfs/id/1.0.0), and may leave kad alone unless it
// serves. Streams are negotiated by multistream-select 1.0.0, and its
// proposal, the first message and the end of the stream may come in one flight.
//
// What the protocols share:
//
//   - [github.com/panpipe-net/panpipe/protocols/wire]: canonical bytes,
//     delimited messages, the error vocabulary
//   - [github.com/panpipe-net/panpipe/protocols/identity]: principals, signed
//     envelopes, capabilities, device logs of accounts, tickets
//   - [github.com/panpipe-net/panpipe/protocols/reach]: paths to peers over a
//     chosen transport
//   - [github.com/panpipe-net/panpipe/protocols/reach/netwatch]: noticing sleep
//     and changed addresses
//
// The protocols:
//
//   - [github.com/panpipe-net/panpipe/protocols/trunk]: frames of many legs on
//     few streams, scheduling, liveness, datagrams
//   - [github.com/panpipe-net/panpipe/protocols/link]: byte streams that outlive
//     what carries them, and move between nodes
//   - [github.com/panpipe-net/panpipe/protocols/pipe]: advertisements,
//     bindings, holders, resolving, binding and dialling
//   - [github.com/panpipe-net/panpipe/protocols/buddy]: buddy requests and
//     presence, between the devices of accounts
//   - [github.com/panpipe-net/panpipe/session/replica]: conversations, on all
//     devices of two accounts
package protocols
