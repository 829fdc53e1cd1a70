package link

// leg is a link's attachment to a carrier, for a while, as the machine sees it.
//
//	opener:    asking ── RESUMED ──▶ current ──▶ draining ──▶ released
//	              └───── REFUSED ──▶ released
//	answerer:  current ──▶ draining ──▶ released
//
// Data is sent on the current leg alone. A draining leg still brings what the
// far side sent before it changed too.
type leg struct {
	gen     uint64
	opener  bool
	planned bool   // the leg before it was well when this one was asked for
	tell    kind   // opening frame still to be sent; 0 for none
	asking  bool   // opened by this end and not answered
	out     uint64 // where the far side expects this end's next DATA; noOffset unless told
	in      uint64 // where the far side's next DATA stands; noOffset unless told
	until   uint64 // draining: needed for bytes before this offset; noOffset unless told
	rewinds int    // by the far side
	asked   bool   // REWIND was sent on it, and not answered by SEEK
	strange bool   // opened to a node that is not known for the far end: it gets nothing before its answer
	vouched bool   // opened by a far side that knows this life of this end
	carrier any    // what carries it; the machine does not look
	lent    *chunk // for the frame that is being written
}

// returned notes that the trunk is done with what was lent to it.
func (l *leg) returned() {
	if l.lent != nil {
		l.lent.returned()
		l.lent = nil
	}
}

func newLeg(carrier any) *leg {
	return &leg{carrier: carrier, out: noOffset, in: noOffset, until: noOffset}
}
