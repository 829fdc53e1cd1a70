package link

import "fmt"

// simApp is what uses an end: it writes and reads a stream, and goes with the
// end from node to node.
type simApp struct {
	s  *sim
	at int // 0 dialer, 1 listener
	n  *simNode

	toWrite, written uint64
	toRead, read     uint64
	readSize         int
	closing          bool // CloseWrite once all is written
	leaves           bool // Close instead
	manual           bool // it does nothing by itself
	sawEOF           bool
	err              error
}

// streamByte is byte off of the stream that an end sends.
func streamByte(at int, off uint64) byte {
	x := (off+1)*0x9E3779B97F4A7C15 + uint64(at)*0xD1B54A32D192ED03
	return byte((x ^ x>>29) >> 48)
}

// work reads what there is and writes what it may.
func (a *simApp) work() {
	if a.manual || a.n == nil || a.n.dead || a.n.m.frozen {
		return
	}
	a.writes()
	a.reads()
	a.n.act()
}

func (a *simApp) writes() {
	m := a.n.m
	for a.written < a.toWrite {
		b := make([]byte, min(a.toWrite-a.written, uint64(1+a.s.rng.IntN(30000))))
		for i := range b {
			b[i] = streamByte(a.at, a.written+uint64(i))
		}
		n, err := m.write(b)
		a.written += uint64(n)
		if err != nil || n == 0 {
			return
		}
	}
	if a.leaves {
		_ = m.closeWrite()
		m.stop()
	} else if a.closing {
		_ = m.closeWrite()
	}
}

func (a *simApp) reads() {
	b := make([]byte, a.readSize)
	for !a.leaves {
		n, eof, err := a.n.m.read(b)
		for i := range b[:n] {
			if want := streamByte(1-a.at, a.read+uint64(i)); b[i] != want {
				a.s.fault("end %d: byte %d is %d, not %d", a.at, a.read+uint64(i), b[i], want)
				return
			}
		}
		a.read += uint64(n)
		a.sawEOF = a.sawEOF || eof
		if eof || err != nil || n == 0 {
			return
		}
	}
}

// fault notes what must not be.
func (s *sim) fault(format string, args ...any) {
	if s.found == "" {
		s.found = fmt.Sprintf(format, args...)
	}
}
