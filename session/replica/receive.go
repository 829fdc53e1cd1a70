package replica

import (
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Action is what the machine's owner is to do.
type Action uint8

// The actions.
const (
	Nothing  Action = iota
	Store           // hold Entry durably, then Mine, then Heard
	Adopt           // begin to hold the log Key with an empty run, then Mine
	Compare         // look whether the entry of Key at Run.High has Run.Tag, then Checked
	Split           // the log Key is forked; the machine has stopped it
	Stopped         // the far side has stopped the log Key; Err says why
	LogShown        // the far side shows its grown device Log
	Parted          // the far side has ended the session; Err says why
)

// Effect is an action and what it is about.
type Effect struct {
	Do    Action
	Key   Key
	Run   Run   // of the far side
	Entry Entry // its body aliases what was received
	Log   []byte
	Err   error
	Acked bool // the far side holds Run of Key, which is more than before
	// Behind says that Key is this device's own log and longer elsewhere, or
	// forked there: a new epoch is to begin, if Key is of the present one.
	Behind bool
}

// Receive takes the frame that b begins with. It returns its size, 0 if b does
// not hold all of it, and what is to be done. After an error the session is to
// end with Bye.
func (m *Machine) Receive(b []byte) (size int, do Effect, err error) {
	f, size, err := parseFrame(b)
	if err != nil || size == 0 {
		return 0, do, err
	}
	if !m.hello && f.typ != frameHello && f.typ != frameBye {
		return 0, do, wire.Errorf(wire.BadRequest, "frame %d before HELLO", f.typ)
	}
	switch f.typ {
	case frameHello:
		err = m.onHello(&f)
	case frameLog:
		if m.shown++; m.shown > maxShown {
			err = limitError("device logs", maxShown)
		}
		do = Effect{Do: LogShown, Log: f.log}
	case frameConversation:
		err = m.onConversation(f.with)
	case frameAuthor:
		do, err = m.onAuthor(&f)
	case frameReady:
		m.ready = true
	case frameHave:
		do, err = m.onHave(&f)
	case frameEntry:
		do, err = m.onEntry(&f)
	case frameStop:
		do, err = m.onStop(&f)
	case frameBye:
		do = Effect{Do: Parted, Err: wire.Errorf(f.code, "the far side ended the session: %s", f.reason)}
	}
	return size, do, err
}

func (m *Machine) onHello(f *frame) error {
	if m.hello {
		return wire.Errorf(wire.BadRequest, "a second HELLO")
	}
	if f.version != version {
		return wire.Errorf(wire.Unsupported, "session protocol version %d, this side speaks %d", f.version, version)
	}
	m.hello = true
	return nil
}

func (m *Machine) onConversation(with identity.Principal) error {
	most := MaxConversations
	if !m.cfg.Own {
		most = 1
	}
	if len(m.inWith) == most {
		return limitError("conversations", most)
	}
	if with.IsZero() == m.cfg.Own {
		return wire.Errorf(wire.Forbidden, "a conversation that is not between the two accounts")
	}
	if !m.cfg.Own {
		with = m.cfg.With
	}
	if _, again := m.authors[with]; again {
		return wire.Errorf(wire.BadRequest, "a conversation is declared twice")
	}
	m.authors[with] = 0
	m.inWith = append(m.inWith, with)
	return nil
}

func (m *Machine) onAuthor(f *frame) (do Effect, err error) {
	if f.number >= uint64(len(m.inWith)) {
		return do, wire.Errorf(wire.BadRequest, "conversation %d is not declared", f.number)
	}
	with := m.inWith[f.number]
	if m.authors[with]++; m.authors[with] > maxDeclared || len(m.in) > maxAuthorNumber {
		return do, limitError("authors", maxDeclared)
	}
	s := m.stream(Key{With: with, Author: f.author})
	if s.their.Low != 0 && !s.assumed {
		return do, wire.Errorf(wire.BadRequest, "an author is declared twice")
	}
	m.in = append(m.in, s)
	return m.learn(s, f.run), nil
}

func (m *Machine) onHave(f *frame) (do Effect, err error) {
	if f.number >= uint64(len(m.in)) {
		return do, wire.Errorf(wire.BadRequest, "author %d is not declared", f.number)
	}
	s := m.in[f.number]
	if !f.run.covers(s.their) && !s.their.Empty() {
		return do, wire.Errorf(wire.BadRequest, "what the far side holds has become less")
	}
	return m.learn(s, f.run), nil
}

// learn takes what the far side says it holds.
func (m *Machine) learn(s *stream, run Run) Effect {
	first := s.their.Low == 0 || s.assumed
	do := Effect{Key: s.key, Run: run, Acked: !run.Empty() && (first || run.High > s.their.High || run.Low < s.their.Low)}
	if first {
		s.up, s.down, s.assumed = max(s.up, run.High+1), run.Low-1, false
	}
	if !first && !run.covers(s.their) { // it began elsewhere
		for _, f := range s.flight {
			m.landed(f)
		}
		s.flight = nil
		s.moves++
		s.up, s.down = run.High+1, run.Low-1
	}
	s.their = run
	s.up, s.down = max(s.up, run.High+1), min(s.down, run.Low-1)
	m.land(s)
	do.Behind = s.key.Author.Device == m.cfg.Self && !run.Empty() && (s.mine.Low == 0 || run.High > s.mine.High)
	do.Do = m.judge(s, run, first)
	m.schedule(s)
	return do
}

// judge looks for a fork. Whoever holds more of a log can tell, once for each
// session; what comes later is compared entry by entry.
func (m *Machine) judge(s *stream, run Run, first bool) Action {
	switch {
	case !run.Empty() && s.mine.Useless(run) && m.mayTake(s.key):
		return Adopt
	case !first || s.mine.Low == 0 || run.Empty() || s.mine.Empty() || run.High < s.mine.Low || run.High > s.mine.High:
		return Nothing
	case run.High < s.mine.High:
		s.checking = true
		return Compare
	case run.Tag != s.mine.Tag:
		m.Stop(s.key, wire.Taken)
		return Split
	}
	return Nothing
}

func (m *Machine) onEntry(f *frame) (do Effect, err error) {
	if f.number >= uint64(len(m.in)) {
		return do, wire.Errorf(wire.BadRequest, "author %d is not declared", f.number)
	}
	s, c := m.in[f.number], f.entry.Counter
	if !s.taken {
		if s.taken = m.mayTake(s.key); !s.taken {
			return do, wire.Errorf(wire.Forbidden, "an entry whose author is no device of the sender's account")
		}
	}
	if s.stopped {
		return do, nil
	}
	switch {
	case c == s.their.High+1:
		s.their.High, s.their.Tag = c, f.entry.ID.Tag()
	case c+1 == s.their.Low:
		s.their.Low = c
	case c < s.their.Low || c > s.their.High:
		return do, Apart.Err()
	}
	s.up, s.down = max(s.up, s.their.High+1), min(s.down, s.their.Low-1)
	m.land(s)
	f.entry.Key = s.key
	return Effect{Do: Store, Key: s.key, Entry: f.entry}, nil
}

func (m *Machine) onStop(f *frame) (do Effect, err error) {
	if f.number >= uint64(len(m.in)) {
		return do, wire.Errorf(wire.BadRequest, "author %d is not declared", f.number)
	}
	s := m.in[f.number]
	if m.halt(s) {
		do = Effect{Do: Stopped, Key: s.key, Err: wire.Errorf(f.code, "the far side takes no more of a log: %s", f.code)}
		do.Behind = f.code == wire.Taken && s.key.Author.Device == m.cfg.Self
	}
	return do, nil
}

// Heard says that entries of the log have arrived and are held: the far side is
// to be told, whether they were new or not.
func (m *Machine) Heard(key Key) {
	if s := m.streams[key]; s != nil {
		m.soil(s)
		m.schedule(s)
	}
}
