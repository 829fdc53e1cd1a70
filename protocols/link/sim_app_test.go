package link

import "time"

// simApp is what uses an end: it writes and reads a stream, and goes with the
// end from node to node.
type simApp struct {
	s  *sim
	at int // 0 dialer, 1 listener
	n  *simNode

	toWrite, written uint64
	toRead, read     uint64
	readSize         int
	turn             uint64 // bytes that it writes at a time, with pauses between; 0 writes what it may
	paused           bool
	closing          bool // CloseWrite once all is written
	manual           bool // it does nothing by itself
	left             bool // it has closed the link early
	sawEOF           bool
	err              error // why the link has ended
}

// streamByte is byte off of the stream that an end sends.
func streamByte(at int, off uint64) byte {
	x := (off+1)*0x9E3779B97F4A7C15 + uint64(at)*0xD1B54A32D192ED03
	return byte((x ^ x>>29) >> 48)
}

// work reads what there is and writes what it may.
func (a *simApp) work() {
	if a.manual || a.n.app != a || a.n.dead || a.n.m.frozen {
		return
	}
	a.writes()
	a.reads()
	a.n.act()
}

func (a *simApp) writes() {
	m := a.n.m
	for a.written < a.toWrite && !a.left {
		if a.paused {
			return
		}
		most := uint64(1 + a.s.rng.IntN(30000))
		if a.turn > 0 {
			most = min(most, a.turn)
		}
		b := make([]byte, min(a.toWrite-a.written, most))
		for i := range b {
			b[i] = streamByte(a.at, a.written+uint64(i))
		}
		n, err := a.write(b)
		a.written += uint64(n)
		if err == errFarClosed {
			break
		}
		if err != nil || n == 0 {
			return
		}
		if a.turn > 0 {
			a.pause()
		}
	}
	if a.closing && m.over == nil {
		_ = m.closeWrite()
	}
}

// write writes some of b, with a copy or, every other time, without.
func (a *simApp) write(b []byte) (int, error) {
	m := a.n.m
	if a.written%2 == 0 {
		return m.write(b)
	}
	room, err := m.room(len(b))
	if room == 0 || err != nil {
		return 0, err
	}
	c := newChunk(min(room, len(b)))
	n := copy(c.b[c.head():], b[:min(room, len(b))])
	if taken, err := m.put(c, n); !taken || err != nil {
		a.s.fault("end %d at node %d: no room for %d bytes of %d: %v", a.at, a.n.num, n, room, err)
		c.free()
	}
	return n, nil
}

// pause has it write again in a while.
func (a *simApp) pause() {
	a.paused = true
	a.s.after(a.s.upTo(40*time.Millisecond), func() {
		a.paused = false
		a.work()
	})
}

func (a *simApp) reads() {
	for !a.left {
		b, eof, err := a.readSome()
		for i := range b {
			if want := streamByte(1-a.at, a.read+uint64(i)); b[i] != want {
				a.s.fault("end %d at node %d: byte %d is %d, not %d", a.at, a.n.num, a.read+uint64(i), b[i], want)
				return
			}
		}
		a.read += uint64(len(b))
		if eof {
			a.sees()
		}
		if eof || err != nil || len(b) == 0 {
			return
		}
	}
}

// readSome reads with a copy or, every other time, without.
func (a *simApp) readSome() (b []byte, eof bool, err error) {
	if a.read%2 == 0 {
		b = make([]byte, a.readSize)
		n, eof, err := a.n.m.read(b)
		return b[:n], eof, err
	}
	var some [2]part
	parts, eof, err := a.n.m.takeParts(some[:0], a.readSize)
	for _, p := range parts {
		b = append(b, p.bytes()...)
		p.c.free()
	}
	return b, eof, err
}

// sees checks that the end of the stream is where the far side has put it.
func (a *simApp) sees() {
	a.sawEOF = true
	if far := a.s.apps[1-a.at]; a.read != far.written && a.n.owner() && far.n.owner() {
		a.s.fault("end %d at node %d: the stream ends at byte %d, the far side wrote %d", a.at, a.n.num, a.read, far.written)
	}
}

// leave closes the link before all is said.
func (a *simApp) leave() {
	a.left = true
	_ = a.n.m.closeWrite()
	a.n.m.stop()
	a.n.act()
}
