package link

import "time"

// Who makes legs: the dialer, and an end that has moved, always. The listener
// waits for the dialer, which finds out for itself that a leg is lost, and is the
// one that can be unreachable for others; but for two cases, until it has a leg.
//
//	its own address has changed    the dialer may not notice for long: at once
//	it has had no leg for a while  and has something to send: perhaps it alone
//	                               has noticed
const (
	changeTime = 30 * time.Second // after a change of address a lost leg counts as lost by it
	listenTime = 5 * time.Second  // that a listener leaves to the dialer
)

// needsLeg reports that this end is to make a leg.
func (m *machine) needsLeg() bool {
	return m.cur == nil && m.ask == nil && (m.seeks || m.roams) && m.takesLeg()
}

// takesLeg reports that a leg is of use here. It is asked again when a leg is
// there: the end may have been frozen, or have moved, while that was sought.
func (m *machine) takesLeg() bool {
	return !m.frozen && !m.moved && (m.over == nil || m.mustTell())
}

// addressChanged says that the node's own address has.
func (m *machine) addressChanged(now time.Time) {
	if m.changedAt = now; m.cur == nil {
		m.roam()
	}
}

// roam has a listener make legs too.
func (m *machine) roam() {
	m.roams = !m.seeks
	m.fx.redial = m.fx.redial || m.needsLeg()
}

// detach notes since when there is no leg that the far side has answered: legs
// that it never answers do not stop the clock.
func (m *machine) detach(why error, now time.Time) {
	m.endSent = false
	if m.over != nil && !m.mustTell() {
		return
	}
	if m.lostAt.IsZero() {
		m.lostAt = now
	}
	m.lostWhy = why
	if !m.changedAt.IsZero() && now.Sub(m.changedAt) <= changeTime {
		m.roam()
	}
	m.fx.redial = m.needsLeg()
}

// carried notes that a leg carries the link again.
func (m *machine) carried() {
	m.lostAt, m.lostWhy = time.Time{}, nil
	m.roams, m.listened, m.changedAt = false, false, time.Time{}
}

// listens reports that this end leaves it to the far side to make a leg, and has
// not done so for long.
func (m *machine) listens() bool { return m.cur == nil && !m.seeks && !m.roams && !m.listened }

// wants notes that there is something to send, perhaps.
func (m *machine) wants() {
	if m.cur == nil && m.listened && m.out.undelivered() {
		m.roam()
	}
}
