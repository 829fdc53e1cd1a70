// Package pb is generated from buddy.proto: what devices of accounts say to each
// other besides conversations. Package buddy specifies how it is used.
package pb
