// Package roster knows an account's buddies: who they are, which of their
// devices are there, and what is said to them. It binds the account's contact
// and presence pipes, asks and answers (package buddy is the protocol), keeps
// the account's own devices alike, and runs the conversations of package session
// with whoever is there.
//
//	Keeper (account, log, profile) ──▶ catchUp ──▶ book ◀── links, looks, asks
//	                                                │ step
//	                                                ▼
//	                                    look, ask, dial, cut
//
// What is known, and what is to be done about it, is the book: pure, with its
// tables in tests. Roster keeps it under one lock, which is never held while a
// conversation, the keeper or the network is called, tells it what happens, and
// does what step says. Links have a goroutine each way; what is to be said on one
// is a set of flags, composed when it is sent: so nothing queues up, and what is
// sent is what is then the case.
//
// # Who is connected
//
//	offline    no binding on the presence pipe; or it left, or was lost, and has
//	           signed no binding since
//	announced  bound, and not connected
//	connected  there is a roster link
//
// Every buddy's presence pipe is looked up at the start, 32 at a time, and again
// at half a binding's life; after somebody was found once more a second later,
// for devices that had not answered yet. This account's own devices are
// connected to, and at most 64 buddies: those that a person attends to, then
// those with whom there is a conversation, the latest first. Who is to be
// connected to and is not there is looked for after 1, 2, 4 … 60 s. A link that nobody
// looks at on either side, beyond those 64, is closed five minutes later.
//
// While somebody attends on one side, that side pings every 3 s, and 8 s of
// silence are the end of a link: its device is offline until it has signed a new
// binding or is reached again, which is tried after 1, 2, 4 … 120 s. Without, a
// ping goes every 25 s, and 75 s are the end.
//
// # Finding each other again
//
// A buddy that is not on the presence pipe that is known may have replaced it:
// it is asked at its contact pipe, again after a quarter of an hour. So is an
// account that has not answered yet. Own devices do the same among themselves,
// and a device that has others waits up to 3 s for one of them to tell what it
// has before it binds a presence that may have been replaced.
//
// # What is kept
//
// Of every account: the device log that won, its name, when it was last there;
// its request while it waits, or that a person declined it, for a week. Buddies,
// petnames and secrets are in the profile, which all own devices have.
//
// # Limits
//
//	32 Hellos at once and one a second from a device, 8 asks and one each 10 s
//	4 device logs of newcomers verified at a time; more are told "busy"
//	64 requests wait, 256 declined ones are remembered
//	64 devices of an account are taken in
//	1024 events wait for a watcher; then it is told that some were lost
package roster
