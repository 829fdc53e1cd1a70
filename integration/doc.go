// Package integration holds the tests of whole nodes and the benchmarks of the
// overlay. Tests in virtual time use the package world; those that need other
// transports than QUIC, or processes, run on loopback.
//
// Folder js has a second implementation, in JavaScript on js-libp2p, written
// from the package comments, the .proto file and the vectors alone. The tests
// behind the build tag "full" run it against real nodes.
//
// The benchmarks are behind the build tag "figures", since they take minutes:
//
//	make bench-overlay N=100
//	make bench-node
//	make bench-link
//	make bench-gateway
package integration
