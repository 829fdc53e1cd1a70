package pipe

// transferred is what a link had carried when a connection's data began.
type transferred struct{ in, out uint64 }

// Transferred is how many bytes of data have come in and gone out so far. Raw
// streams and connections within one node are not counted.
func (c *Conn) Transferred() (in, out uint64) {
	c.mu.Lock()
	st, before := c.c, c.before
	settled := isClosed(c.settled)
	c.mu.Unlock()
	if st.link == nil || !settled {
		return 0, 0
	}
	in, out = st.link.Transferred()
	return in - min(in, before.in), out - min(out, before.out)
}

// beginOutLocked notes that the messages which this side sends are out: at the
// dialer's end, data may follow from now on.
func (c *Conn) beginOutLocked() {
	if c.c.link != nil {
		_, c.before.out = c.c.link.Transferred()
	}
}

// beginInLocked notes that the far side's messages are in.
func (c *Conn) beginInLocked() {
	if c.c.link != nil {
		c.before.in, _ = c.c.link.Transferred()
	}
}

// Refusal is why the far side did not accept the connection; nil if it did, and
// as long as it has not answered.
func (c *Conn) Refusal() error {
	_, err := c.carrier()
	return err
}
