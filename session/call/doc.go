// Package call makes sessions other than conversations between devices of
// accounts: calls, which a person answers, and data sessions, which an
// application answers. The protocol is specified in the comment of package
// protocols/buddy, section Call.
//
//	Call ── Offer ──▶ every device of the buddy that is there ── Ringing ──▶ a person
//	  ▲                                                                        │ Answer
//	  └── the first that answers: GO, raw bytes ◀──────────────────────────────┘
//	      all others: TAKEN, they stop ringing
//
// A Session is a net.Conn that outlives its path, as the link below does.
package call
