// Package world is a virtual world for whole-node tests: real nodes, made by
// node.Start, on a simulated network, in a testing/synctest bubble whose clock
// is theirs. Hours pass in seconds, and times are exact.
//
//	world.Run(t, world.Config{Nodes: 20}, func(t *testing.T, w *world.World) {
//		w.Settle(t)
//		w.Kill(w.Nodes[3])
//		…
//	})
//
// Every node has a public IPv4 address in a /16 of its own, one QUIC endpoint,
// and joins through node 0. Packets take Config.OneWay each. A test may lose
// packets by a closure, silence an address, split the network and heal it, give
// a node another address, and kill, stop and start nodes.
//
// Only UDP passes here, so QUIC is the one transport; what needs others belongs
// into tests with sockets. mDNS and port mapping are off. AutoNAT v2 is off
// too: the host from which it dials back takes none of libp2p's QUIC options,
// so it would open real sockets, and a goroutine that reads one keeps the clock
// of the bubble still.
package world
