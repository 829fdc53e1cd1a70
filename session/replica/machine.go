package replica

import (
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

const (
	// window caps the bytes that are under way without being acknowledged.
	window = 1 << 20
	// backWindow caps those of them that are older than what the far side holds.
	backWindow = 256 << 10
	// quantum is how many bytes of one log go in a turn.
	quantum = 32 << 10
)

// Config says who the two ends of a session are.
type Config struct {
	Self identity.Principal // this device
	Own  bool               // the far device is one of this account
	With identity.Principal // the far device's account
	// Ours and Theirs say whether a device is in the device log of this account
	// and in that of With, valid or revoked. They are not asked where Own is set.
	Ours, Theirs func(device identity.Principal) bool
}

// Machine is one session. It has no clock and does no I/O; its owner tells it
// what arrives and what this device holds, and asks it what to send. It is not
// safe for concurrent use.
type Machine struct {
	cfg     Config
	streams map[Key]*stream

	// What this side has declared, and what it has to tell.
	outWith   map[identity.Principal]uint64
	outCount  uint64
	dirty     []*stream
	logs      [][]byte
	stops     []stop
	greeted   bool // HELLO is sent
	told      bool // READY is sent
	complete  bool // all that was held at the start is in dirty
	ups       []*stream
	downs     []*stream
	upBytes   int // under way
	downBytes int

	// What the far side has declared.
	hello   bool
	ready   bool
	shown   int // device logs
	inWith  []identity.Principal
	in      []*stream
	authors map[identity.Principal]int
}

// stream is one log in one session.
type stream struct {
	key   Key
	mine  Run // zero: never met
	their Run // zero: not declared by the far side
	told  Run // what the far side knows of mine, by declaration or by getting it

	number   uint64 // of this side's declaration
	declared bool   // by this side
	taken    bool   // the far side may send it
	given    bool   // this side may send it
	checking bool   // tags are being compared
	stopped  bool   // by either side
	isDirty  bool
	assumed  bool // their is a guess
	moved    bool // mine was empty, and began elsewhere since
	moves    int  // how often their did

	up, down       uint64 // the next counter to send
	inUps, inDowns bool
	flight         []flown
}

// stop is a log whose end in this session is to be told.
type stop struct {
	*stream
	why wire.Code
}

// flown is a part of a log that is under way: all up (or down) to last.
type flown struct {
	last  uint64
	bytes int
	down  bool
}

// NewMachine returns a machine that has nothing yet: Mine tells it what this
// device holds, and Begin that this was all.
func NewMachine(cfg Config) *Machine {
	return &Machine{
		cfg:     cfg,
		streams: map[Key]*stream{},
		outWith: map[identity.Principal]uint64{},
		authors: map[identity.Principal]int{},
	}
}

// Begin says that Mine has told all that this device held at the start.
func (m *Machine) Begin() { m.complete = true }

// Mine tells what this device holds, durably, of a log. Runs only grow; what the
// machine knows already changes nothing.
func (m *Machine) Mine(key Key, run Run) {
	if !m.cfg.Own && key.With != m.cfg.With {
		return
	}
	s := m.stream(key)
	if !run.newer(s.mine) {
		return
	}
	if s.mine.Low != 0 && run.Low != s.mine.Low && s.mine.Empty() {
		s.moved = true
		m.soil(s)
	}
	s.mine = run
	m.assume(s)
	// What the far side is to get from this one, it learns by getting it.
	if !s.declared || !s.given || !m.ready || s.their.Low == 0 {
		m.soil(s)
	}
	m.schedule(s)
}

// assume spares a new log of this device the round trip: nobody can hold more
// of it than was sent from here, and what is short is held from 1.
func (m *Machine) assume(s *stream) {
	if m.ready && s.their.Low == 0 && s.key.Author.Device == m.cfg.Self && s.mine.Low == 1 && s.mine.High <= Tail {
		s.their, s.assumed = Run{Low: 1}, true
		s.up, s.down = 1, 0
	}
}

// Show sends the account's device log, which has grown, before anything that
// its new devices have written.
func (m *Machine) Show(log []byte) {
	m.logs = append(m.logs, log)
	m.Learned()
}

// Learned says that Ours or Theirs know more devices than before.
func (m *Machine) Learned() {
	for _, s := range m.streams {
		s.given = m.mayGive(s.key)
		if !s.declared && s.mine.Low != 0 {
			m.soil(s)
		}
		m.schedule(s)
	}
}

// Checked answers an effect Compare: whether the tags are the same.
func (m *Machine) Checked(key Key, same bool) {
	s := m.streams[key]
	if s == nil || !s.checking {
		return
	}
	s.checking = false
	if !same {
		m.Stop(key, wire.Taken)
	}
	m.schedule(s)
}

// Stop takes and sends no more of a log in this session, and tells the far side
// why: Taken where it is forked, Limit where there is no room. It reports false if
// the log was stopped already.
func (m *Machine) Stop(key Key, why wire.Code) bool {
	s := m.stream(key)
	if !m.halt(s) {
		return false
	}
	if !s.declared {
		m.soil(s)
	}
	m.stops = append(m.stops, stop{s, why})
	return true
}

// halt stops the log. What is under way will not be acknowledged.
func (m *Machine) halt(s *stream) bool {
	if s.stopped {
		return false
	}
	s.stopped = true
	for _, f := range s.flight {
		m.landed(f)
	}
	s.flight = nil
	return true
}

// Moved reports that this side has begun a log elsewhere than it told at first:
// what is under way then does not adjoin.
func (m *Machine) Moved(key Key) bool { return m.stream(key).moved }

// Waiting reports that something is under way that the far side has not
// acknowledged, or that it has not said HELLO.
func (m *Machine) Waiting() bool { return !m.hello || m.upBytes+m.downBytes > 0 }

func (m *Machine) stream(key Key) *stream {
	s := m.streams[key]
	if s == nil {
		s = &stream{key: key, given: m.mayGive(key), taken: m.mayTake(key)}
		m.streams[key] = s
	}
	return s
}

func (m *Machine) mayGive(key Key) bool {
	return m.cfg.Own || m.cfg.Ours(key.Author.Device)
}

func (m *Machine) mayTake(key Key) bool {
	return m.cfg.Own || m.cfg.Theirs(key.Author.Device)
}

// soil notes that the far side is to be told of the log.
func (m *Machine) soil(s *stream) {
	if !s.isDirty {
		s.isDirty = true
		m.dirty = append(m.dirty, s)
	}
}

// limitError says that the far side has declared too much.
func limitError(what string, most int) error {
	return wire.Errorf(wire.Limit, "more than %d %s in one session", most, what)
}
