// Package pb is generated from pipe.proto: the messages of the two pipe
// protocols. Package pipe specifies how they are used.
package pb
