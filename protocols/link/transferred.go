package link

// Transferred is how many bytes have been read from the link and written to it
// so far, at this end.
func (l *Link) Transferred() (read, written uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.m.in.q.off, l.m.out.q.end
}
