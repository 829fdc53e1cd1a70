package discovery

import "time"

// next picks whom to ask now, nil for nobody. Connected nodes answer in one
// round trip, others need a dial first, so each kind leaves slots to the other.
// Slow ones make place in the window for others beyond it.
func (m *machine) next() *candidate {
	conn, dial, out := m.busy()
	if conn+dial >= m.alpha || out >= 3*m.alpha || m.asks >= m.maxAsked {
		return nil
	}
	var c, d *candidate
	connectedInWindow := 0
	for _, x := range m.window(func(c *candidate) bool { return c.slow }) {
		if x.connected {
			connectedInWindow++
		}
		switch {
		case x.phase != phaseKnown:
		case x.connected && c == nil:
			c = x
		case !x.connected && d == nil:
			d = x
		}
	}
	if c == nil && connectedInWindow < early {
		c = m.earlyConnected()
	}
	switch {
	case c != nil && (d == nil || conn < m.alpha-m.alpha/5):
		return c
	case d != nil && (c == nil || dial < m.alpha/2):
		return d
	}
	return c
}

// earlyConnected finds a connected node beyond the window, as long as fewer
// than early of them were asked and nobody has answered: they speak while the
// nearer ones are still being dialled.
func (m *machine) earlyConnected() *candidate {
	n := 0
	for _, c := range m.cands {
		switch {
		case c.phase == phaseAnswered:
			return nil
		case !c.connected:
		case c.phase == phaseKnown:
			return c
		default:
			if n++; n >= early {
				return nil
			}
		}
	}
	return nil
}

// busy counts the asks that hold a slot, by kind, and all that are out and not
// lost.
func (m *machine) busy() (conn, dial, out int) {
	for _, c := range m.cands {
		if c.phase != phaseAsked {
			continue
		}
		if !c.lost {
			out++
		}
		switch {
		case c.slow:
		case c.connected:
			conn++
		default:
			dial++
		}
	}
	return conn, dial, out
}

// markSlow takes the slot of those that take longer than one and a half times
// what is typical.
func (m *machine) markSlow(now time.Duration) {
	for _, c := range m.cands {
		if c.phase == phaseAsked {
			c.lost = c.lost || now-c.since >= m.patience(c)
			c.slow = c.slow || c.lost || now-c.since >= m.slowAfter(c)
		}
	}
}

func (m *machine) slowAfter(c *candidate) time.Duration {
	return max(m.typical(c.connected)*3/2, minSlow)
}

// patience is how long the last ones out are waited for.
func (m *machine) patience(c *candidate) time.Duration {
	return min(max(8*m.typical(c.connected), minPatience), m.askTimeout)
}

// typical is the median time of answers of one kind, guessed while there are
// none.
func (m *machine) typical(connected bool) time.Duration {
	median := func(s []time.Duration) time.Duration { return s[len(s)/2] }
	switch {
	case connected && len(m.tookConnected) > 0:
		return median(m.tookConnected)
	case connected:
		return guessTypical
	case len(m.tookDialled) > 0:
		return median(m.tookDialled)
	}
	return 2 * m.typical(true)
}

// wake is the next moment at which time alone changes something.
func (m *machine) wake(now time.Duration) time.Duration {
	var next time.Duration
	for _, c := range m.cands {
		if c.phase != phaseAsked || c.lost {
			continue
		}
		at := c.since + m.patience(c)
		if !c.slow {
			at = min(at, c.since+m.slowAfter(c))
		}
		if at > now && (next == 0 || at < next) {
			next = at
		}
	}
	return next
}
