// Package gateway carries plain TCP and Unix clients over pipes: it publishes a
// local service on a pipe, and leads local clients to one. This comment is the
// specification of what it does; it has no wire protocol of its own. A channel
// is one connection of a pipe (package pipe), which is a link (package link) on
// the trunk (package trunk) that two nodes keep: nothing is multiplexed twice,
// and a channel outlives the path that carries it.
//
//	client ──▶ forward, socks ══ trunk: many channels ══▶ expose ──▶ service
//	     TCP, Unix        this node                  far node      TCP, Unix
//
// # Rules
//
// A rule says what is carried where. Rules are saved, restored, and changed in
// place: a rule that is given again with the ID of another, or with its listen
// address or the pipe that it exposes, takes its place, and the channels that
// are open go on as they began.
//
//	expose   serves a service on a pipe. The pipe is made if there is none of that
//	         name: unicast, dial policy listed, so that who may dial can change,
//	         with many binders unless it is exclusive. Whom it allows must be
//	         said: principals, or anyone, since a pipe's ID is no secret
//	forward  listens, and carries each client to one pipe
//	socks    listens, and each client names its pipe
//
//	         taken up                                 removed, to drain
//	waiting ──────────▶ up ─────────────────────────────────▶ draining ──▶ gone
//	   ▲ ◀──────────────┤ the listener has ended
//	   │ 1, 2, 4 … 30 s └─▶ failed: another binder has the pipe, the right to
//	   └── later            bind is revoked, the rule cannot be meant so
//
// A rule that is new and cannot be taken up is refused, and nothing has changed,
// unless what it lacks is a node that cannot be reached yet. One that is restored
// stays, with its reason. A forward to a pipe that nobody serves is up: its
// clients are refused, promptly, until somebody does. Until that is known, at
// first, they wait (not-ready in its status).
//
// Targets come from rules alone. A dialer names a pipe, never an address.
//
// # Channels
//
// Whoever leads clients to a pipe keeps the way there open from the moment of the
// rule (pipe.Keeper), so that a client meets a trunk that is there:
//
//	client          forward                       expose             service
//	connect     ─▶  Open{pipe, hops} on a new link
//	bytes       ─▶  bytes behind it           ─▶  admitted, limits
//	                                              connect        ─▶
//	                                              PROXY header   ─▶  if asked for
//	                                          ◀─  OpenReply
//	bytes      ◀──▶ bytes                    ◀──▶ bytes         ◀──▶ bytes
//
// The link's ID is the channel's: 128 random bits, which the dialer registers at
// the far node by Open before any data. On the trunk a handle that stands for it
// is in front of each piece of data, both ways; the far node looks the channel up
// by it and delivers what is behind it. Data for a channel that has ended is
// dropped and counted (trunk.Stats, Late); a number that was in use is no channel
// anew. Bytes of the client fly behind Open: the channel costs no round trip. The
// service is connected to before Open is answered, so that what it says to that
// is the answer.
//
// An end of data is carried each way on its own (half-close). What is not read
// at one end stops the writer at the other: in between are the buffers of two
// sockets and the link's window, which grows for those who read alone.
//
// An idle channel is one goroutine at each node, which waits for the local
// connection, and no buffer. What comes from the far node needs none: it is
// written to the local connection by who brings it, as far as that takes it at
// once, and otherwise by a goroutine that ends when there is no more for now.
//
// # Failures
//
//	cause                                  word to the far node  client of forward
//	service refuses the connection         refused               reset
//	service takes none within 5 s          timeout               reset
//	its host name, host or socket is gone  unreachable           reset
//	exposing node is out of descriptors    busy                  reset
//	a limit of the exposing node           limit                 reset
//	not on the list                        forbidden             reset
//	nobody serves the pipe                 (no far node) unbound reset
//	more than 8 gateways in a row          bad-request           reset
//	service resets a channel               reset                 reset
//	client resets a channel                reset                 (service) reset
//	rule removed, gateway ends             closed                reset
//	path lost                              none                  a pause
//	path lost for the time of grace        gone                  reset
//
// Who is not on the list is refused by a word that was asked for a round trip
// before the client came at the earliest: a list that has grown holds at the next
// attempt. One that has shrunk ends no channel.
//
// A channel that breaks at one side is reset at the other: a client never takes
// a break for an end. Unix sockets know no reset, and close. With several
// binders, a refusal that another may not share (busy, unbound, moved, gone,
// unreachable) leads the client to the next before it hears of it.
//
// # SOCKS5 and HTTP CONNECT
//
// A socks rule serves both at one address. The first byte decides: 5 is SOCKS5
// (RFC 1928), a capital letter HTTP. The host is <pipe ID>.pipe, or <name>.pipe
// with a name that a pipe has on this node; the port means nothing. Every other
// host is refused: this is no open proxy. Whoever can connect dials as this node
// does, without authentication: listen where only those can who may. The client
// is answered when the far node has taken the channel:
//
//	word                              SOCKS5 reply            HTTP status
//	                                  0 succeeded             200
//	forbidden, expired, not a pipe    2 not allowed           403
//	unreachable                       3 network unreachable   502
//	unbound, unknown, moved, gone     4 host unreachable      502
//	refused                           5 connection refused    502
//	timeout                           6 TTL expired           504
//	busy, limit, not-ready            1 general failure       503
//	BIND, UDP ASSOCIATE               7 command not supported
//	another method                                            405
//	head of more than 8 KiB                                   431
//	anything else                     1 general failure       502, 400, 500
//
// An HTTP refusal has the reason as text. A client has 30 s to name its pipe. The
// way to a pipe is kept for 10 min after its last client, to 256 pipes at a time.
//
// # PROXY protocol
//
// With v2 the service hears first who comes: the header of the PROXY protocol,
// version 2, with the command PROXY and the dialer's address on the path as
// source (TCP over IPv4 or IPv6 whatever the path is on), the service's address
// as destination, or zeros where it is of another family. A dialer that came over
// a relay has no such address: the command is LOCAL, the family UNSPEC. TLVs:
//
//	0xE1  the dialer's peer ID, as text
//	0xE2  the channel's ID, 16 bytes; zero on a raw stream
//
// 0xE0 is kept for the account. A connection that only looks whether the service
// is there (Check, a dialer that probes) has LOCAL and no TLV.
//
// # Loops
//
// Each Open says through how many gateways its data has come: a client that is
// this gateway's own connection to a target, which leads back to one of its
// listeners, inherits the count of the channel behind it and adds one. Above 8 the
// exposing node refuses. A loop through another program is not seen as one: what
// that program connects by is a client like any other, and says nothing of where
// its data comes from. It grows by a channel of each rule with every round, until
// a limit refuses one: half of the gateway's channels, a third where both rules
// are on one node, or sooner what max_per_client or max_channels of the rule say.
// Then it unwinds, and the rules go on.
//
// # Limits
//
//	limits.gateway_channels             of all rules, 32768
//	limits.gateway_channels_per_client  of a peer (expose) or an IP address (the
//	                                    others; Unix sockets are one client);
//	                                    unless set, as many as are still free
//	max_channels, max_per_client        of a rule
//
// Where file descriptors are short, clients wait to be accepted. What is
// refused is counted by its word.
package gateway
