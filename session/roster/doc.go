// Package roster knows an account's buddies: who they are, which of their
// devices are there, and what is said to them. It binds the account's contact
// and presence pipes, asks and answers (package buddy is the protocol), keeps
// the account's own devices alike, and runs the conversations of package session
// with whoever is there.
package roster
