// Package discovery finds the overlay and keeps this node in it: joining,
// role and reachability, and the walk towards a key.
//
// # Joining
//
// A node joins through the nodes it is told of (multiaddrs and tickets), those
// that mDNS hears on the LAN under the service name _<overlay>._udp, and up to
// 50 servers remembered from the last run. A named node is dialled for ever
// while fewer than 4 servers are connected: at once, then after pauses that
// begin at half a second, grow by half each time up to a minute, and are
// jittered by half. A lost connection is renewed after such a pause too, so
// that nodes do not come back to a restarted one all at once.
//
// 64 neighbours of the LAN and 100 servers of earlier are kept at a time. Of
// too many, whoever has failed most often goes, else one of the network (/24 of
// IPv4, /48 of IPv6) that most of them are in; who is connected stays.
//
// The node is ready as soon as one server of its overlay is connected. A node
// that has nobody to join through is ready at once: it is its own holder, and
// two nodes make a working overlay.
//
// Nothing waits for readiness that need not: a walk of a node that has no
// server yet begins with the nodes to join through, dials them itself, and puts
// its question to them before identify has told what they are.
//
// # Servers, role and reachability
//
// kad-dht, under the prefix of the overlay, keeps the routing table and
// refreshes it. A node is a server when identify says that it speaks
// /<overlay>/kad/1.0.0, which kad-dht offers in server mode only; there is no
// protocol of our own here. Whether this node serves is judged from what is
// known of its reachability: addresses that AutoNAT v2 has verified or refuted,
// nodes outside that have dialled in, public addresses on its interfaces. Where
// nobody has seen a public address (LAN, loopback) everyone serves. The
// judgement is emitted as EvtLocalReachabilityChanged, the one event that
// kad-dht, AutoRelay and the relay service listen to, and emitted again
// whenever somebody else emits another.
//
// # Where this node is
//
// Its public addresses are those of its interfaces, those that AutoNAT v2 has
// verified, and what those say who see it. The last may be lies: only public
// nodes that this one has dialled are heard, at most 64 and 4 of one address
// group (the /16 of an IPv4, the /32 of an IPv6 address), all of a group
// with one voice together. More than half of the voices must agree, and of
// these two, or one that a person named. A report lasts while its node is
// connected, and an hour; when an address of this machine goes, all are forgotten.
// The gate before all dials is told of every change, and who was named to join
// through, heard on the LAN, or connected in an earlier run.
//
// # The walk
//
// A walk puts one question, given as a function, to the nodes nearest to a key.
// It begins with the nearest 20 of the routing table and all connected servers
// (a small client may do without a routing table), or, while no server is
// connected, with the nodes to join through and those remembered. If none of
// these answers a node that has never joined, the walk waits for the join, 10 s
// at most, and begins anew. Every answer may tell up to 20 nodes that are
// closer, with up to 8 addresses each, all of them servers. What makes no sense
// in an answer is skipped: the asking node itself, invalid IDs, nodes without a
// usable address, whatever is beyond the caps.
//
//   - Each node is asked once, and at most 200 nodes in one walk. One that failed
//     is asked once more if its connection was closed under the ask, or when
//     somebody tells a new address of it.
//   - The window is the 20 nearest that have not failed. The walk is over when
//     all of them have answered, or there is nobody left to ask.
//   - Of one public network (/24 of IPv4, /48 of IPv6, as connections show it, and
//     before as it is told, if all tell the same)
//     at most 3 are in the window while there are others, and 3 count among the
//     nodes that are closer than a holder: who grinds node IDs near to a key
//     must run them in many networks to hide what is there.
//   - 10 asks at a time hold a slot. A connected node costs one round trip and a
//     dial makes it two, so connected ones are asked first; of the slots 2 are
//     left to dials while dials are wanted, and 5 to connected nodes while
//     there are such. With fewer than 3 connected nodes in the window, up to 3
//     beyond it are asked too, until somebody has answered.
//   - Who takes longer than 1.5 times the median answer (of its kind: connected
//     or dialled) loses the slot, not the right to answer. Who takes longer than
//     8 times that, and a second, no longer holds up the end. After AskTimeout
//     an ask has failed.
//   - Nodes that kept silent while others answered leave the routing table, are
//     told to nobody, and for 30 s are asked as if they were not connected.
package discovery
