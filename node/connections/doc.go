// Package connections keeps a node at the number of connections that it may
// have: a libp2p connection manager that acts when a connection is made, not
// by the clock.
//
// libp2p's own manager looks every ten seconds, spares what is younger than its
// time of grace, and counts neither those nor the protected ones towards the
// limit. In an overlay whose routing tables are refreshed or whose nodes come
// and go, somebody dials all the time; nodes stayed above their limits for
// minutes, at up to twice of it.
//
// # Rule
//
// Above the limit, the connections to the least useful nodes are closed until a
// tenth is free. All connections count. Of those to choose from, the ones whose
// tags are worth the least go first; of equals the idle ones, then the younger
// ones. Not to choose from are
//
//   - protected nodes, as those with whom a pipe connection is open;
//   - a connection in its first three seconds, in which it shows what it is for,
//     or in its first twenty, as long as a stream is open on it. Streams of
//     background protocols do not count, which stay open for no reason;
//   - of the rest, the most useful ones, up to a share of the limit: a flood of
//     new connections cannot push out all that have proven themselves, and a
//     node that serves many pipes stays part of the overlay.
//
// So a node is above its limit for seconds, while more are made at once than it
// has room for, or for as long as it has more pipe connections than that.
package connections
