// Package session holds what accounts say to each other, and brings it to all of
// their devices: it runs the machine of package replica, whose comment is the
// protocol's specification, over connections, on one journal.
//
//	Write, or entries of a far device --> Journal (one sync for all that wait)
//	                                         |
//	                          Watch: what is new, in the order of commits
//	                                         v
//	             every session's machine --> HAVE, or ENTRY to whom it lacks
//
// A connection is a link on which both ends have said whose devices they are;
// who may do so is not decided here. It has a goroutine each way. The one that
// reads takes what has arrived, at most 128 KiB, has it journalled with one
// sync, and reads on: so a fast sender makes large commits and a slow disk holds
// up nobody but its own senders. It never waits for the one that writes, which
// sends what the machine says, as much as the far side acknowledges: the journal
// is the queue, and a session has 64 KiB of its own. What was just committed is
// read from memory (4 MiB for all sessions), all else from the journal.
//
// A far side that does not move for two minutes while something waits for it, in
// either direction, ends the session with "timeout". What breaks the protocol
// ends it with the word in BYE and is counted; a log that is forked, or has no
// room, is reported and stops, and the session goes on.
package session
