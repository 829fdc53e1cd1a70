package link

import "time"

// firstWindow is what either end may send before it has heard from the other,
// and what it keeps for replay at first, in bytes.
const firstWindow = 16 << 10

// settings is what a machine is made of.
type settings struct {
	id      ID
	service string
	dialer  bool
	grace   time.Duration
	most    uint64 // window and replay grow to this, in bytes
	budget  budget
}

func newMachine(s settings) *machine {
	m := &machine{
		id: s.id, service: s.service, dialer: s.dialer, seeks: s.dialer, grace: s.grace,
		most: max(s.most, firstWindow), budget: s.budget, in: newInbound(firstWindow),
	}
	m.out.keep, m.out.credit = firstWindow, firstWindow
	return m
}

// resume is what an OPEN says, in the words of a RESUME.
func (o opening) resume() resume {
	return resume{id: o.id, gen: o.gen, marks: marks{credit: max(o.credit, firstWindow)}, from: 1}
}
