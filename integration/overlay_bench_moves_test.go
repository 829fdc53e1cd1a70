//go:build figures

package integration

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/discovery"
	"github.com/panpipe-net/panpipe/integration/world"
	"github.com/panpipe-net/panpipe/protocols/pipe"
)

const (
	moves       = 20 // of pipes, each between two nodes
	movesAtOnce = 5  // in one minute
	dialsOfMove = 50 // before each move, and after it
	window      = time.Minute
)

// What the application at the old and the new binder answers.
const (
	oldBinder = 'o'
	newBinder = 'n'
)

// measureMoves dials pipes in the minute before they move and in the minute
// after, from all over the overlay, while nodes leave and join.
func (o *overlay) measureMoves(t *testing.T) { o.moves(t, "freshness", false) }

// measureDeaths does the same, but the old binder dies at the moment at which
// the new one is bound, and half of the dialers have its record in their cache.
func (o *overlay) measureDeaths(t *testing.T) { o.moves(t, "death", true) }

func (o *overlay) moves(t *testing.T, name string, dies bool) {
	if live := len(o.Live()); live < 8*movesAtOnce {
		t.Errorf("%s needs %d nodes, and there are %d: give a larger N", name, 8*movesAtOnce, live)
		return
	}
	s := &moving{o: o, a: newAgenda(), dies: dies, churn: churn{o: o, inUse: make(map[*world.Node]int)}}
	for range moves / movesAtOnce {
		s.wave(t)
		o.progress("%s: %d dials, %d nodes have left", name, len(s.after), s.churn.gone)
	}
	o.figure(name+"_dials", float64(len(s.after)), "dials", fmt.Sprintf(">=%d", moves*dialsOfMove))
	o.figure(name+"_moves_p50", percentile(s.moved, 50), "rtt", "-")
	o.figure(name+"_left_and_joined", float64(s.churn.gone), "nodes", "-")
	o.figure(name+"_reached_old", float64(s.late), "dials", "<=0")
	before, after := rttsOf(s.before), rttsOf(s.after)
	o.figure(name+"_failed_before", float64(failures(before)), "dials", "-")
	o.figure(name+"_failed", float64(failures(after)), "dials", "-")
	o.quantiles(name+"_before", before, bounds{})
	o.quantiles(name+"_after", after, bounds{})
	if knew, other := split(s.after); len(knew) > 0 {
		o.quantiles(name+"_after_cached", knew, bounds{})
		o.quantiles(name+"_after_not_cached", other, bounds{})
		o.figure(name+"_cached", float64(len(knew)), "dials", "-")
	}
	o.figure(name+"_p99_rise", percentile(after, 99)-percentile(before, 99), "rtt", "<=1")
}

// moving is a series of moves under churn.
type moving struct {
	o     *overlay
	a     *agenda
	churn churn
	dies  bool

	doomed        map[*world.Node]bool // die in this wave: they do not dial
	before, after []trial
	moved         []float64 // round trips that each move took
	late          int       // connections that an old binder's application took after the move
}

// trial is one dial.
type trial struct {
	rtts float64 // endless if it failed
	knew bool    // the dialer had the old record
}

// move is one pipe that moves.
type move struct {
	id       pipe.ID
	from, to *world.Node
	grant    []byte
	done     bool                 // the new binder is bound
	knew     map[*world.Node]bool // those that dialled before
	dialled  map[*world.Node]bool // those that dialled in this minute
}

// wave moves some pipes in parallel.
func (s *moving) wave(t *testing.T) {
	s.o.awaitCalm()
	nodes := s.o.some(2 * movesAtOnce)
	all := make([]*move, movesAtOnce)
	s.churn.goOn(t, s.a)
	s.doomed = make(map[*world.Node]bool)
	for i := range all {
		m := &move{from: nodes[2*i], to: nodes[2*i+1], knew: make(map[*world.Node]bool)}
		all[i] = m
		s.churn.inUse[m.from]++
		s.churn.inUse[m.to]++
		s.doomed[m.from] = s.dies
		s.prepare(t, m)
	}
	s.o.Pass(quiet)
	for _, m := range all {
		s.dials(t, m)
	}
	s.a.run()
	for _, m := range all {
		s.a.aside(func() func() { return s.move(t, m) })
	}
	s.a.run()
	s.a.items = nil
	for _, m := range all {
		s.churn.inUse[m.from]--
		s.churn.inUse[m.to]--
	}
}

// prepare binds the pipe at its first binder and lets the second take it.
func (s *moving) prepare(t *testing.T, m *move) {
	m.id = s.o.create(t, m.from).ID
	l, err := m.from.Pipes().Listen(t.Context(), m.id, pipe.ListenOptions{})
	if err != nil {
		t.Fatalf("bind at node %d: %v", m.from.Index, err)
	}
	m.grant = grantBind(t, m.from.Node, m.to.Node, m.id)
	s.serve(l, oldBinder, func() {
		if m.done {
			s.late++
		}
	})
}

// serve answers the first byte of every connection with one of its own. taken
// is called for each on the goroutine of the test.
func (s *moving) serve(l *pipe.Listener, answer byte, taken func()) {
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
					return
				}
				s.a.soon <- taken
				_, _ = c.Write([]byte{answer}) // who is gone needs none
			}()
		}
	}()
}

// move binds the pipe at its second binder.
func (s *moving) move(t *testing.T, m *move) (then func()) {
	began := time.Now()
	l, err := m.to.Pipes().Listen(t.Context(), m.id, pipe.ListenOptions{Capability: m.grant})
	took := s.o.rtts(time.Since(began))
	if s.dies {
		s.o.Net.Silence(m.from.IP) // at this very moment; Kill follows
	}
	return func() {
		if err != nil {
			t.Errorf("move from node %d to node %d: %v", m.from.Index, m.to.Index, err)
			return
		}
		m.done = true
		s.moved = append(s.moved, took)
		s.serve(l, newBinder, func() {})
		if s.dies {
			s.o.Kill(m.from)
		}
		s.dials(t, m)
	}
}

// dials plans the dials of a minute that begins now; the first begins at once.
func (s *moving) dials(t *testing.T, m *move) {
	m.dialled = make(map[*world.Node]bool)
	for i := range dialsOfMove {
		d := time.Duration(rand.Int64N(int64(window)))
		if i == 0 {
			d = 0
		}
		s.a.after(d, func() { s.dial(t, m, i) })
	}
}

// dialer picks who dials: any node, rather one that has not dialled the pipe
// in this minute. After the death of the old binder every second has its record
// in the cache, and is no holder, who would have the new one.
func (s *moving) dialer(m *move, i int) *world.Node {
	holders := make(map[*world.Node]bool)
	for _, n := range s.o.byDistance(m.id.Key())[:discovery.K] {
		holders[n] = true
	}
	stale := s.dies && m.done && i%2 == 0
	var best *world.Node
	most := -1
	for _, n := range s.o.some(len(s.o.Live())) {
		if n == m.from || n == m.to || s.doomed[n] || !n.Discovery().State().Joined {
			continue
		}
		fits := 0
		if !s.dies || !m.done || stale == m.knew[n] && !(stale && holders[n]) {
			fits += 2
		}
		if !m.dialled[n] {
			fits++
		}
		if fits > most {
			best, most = n, fits
		}
	}
	m.dialled[best] = true
	return best
}

// dial has one node dial the pipe.
func (s *moving) dial(t *testing.T, m *move, i int) {
	moved := m.done
	n := s.dialer(m, i)
	s.churn.inUse[n]++
	s.a.aside(func() func() {
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), giveUp)
		defer cancel()
		who, err := trade(ctx, n, m.id, 'x')
		took := s.o.rtts(time.Since(began))
		return func() {
			s.churn.inUse[n]--
			s.note(m, n, trial{took, moved && m.knew[n]}, who, err, moved)
		}
	})
}

// note adds what became of a dial.
func (s *moving) note(m *move, n *world.Node, d trial, who byte, err error, moved bool) {
	if d.rtts > 6 || err != nil {
		s.o.progress("node %d was answered %q after %.1f RTT; moved: %v; had dialled before: %v; error: %s",
			n.Index, who, d.rtts, moved, d.knew, attempts(err))
	}
	if err != nil {
		d.rtts = math.Inf(1)
	}
	if !moved {
		m.knew[n] = m.knew[n] || err == nil
		s.before = append(s.before, d)
		return
	}
	s.after = append(s.after, d)
}

// attempts tells an error with all that was tried.
func attempts(err error) string {
	said := fmt.Sprint(err)
	var failed *pipe.DialError
	if errors.As(err, &failed) {
		for _, a := range failed.Attempts {
			said += fmt.Sprintf("; %s %v: %v after %v", a.Binder, a.Addr, a.Err, a.Took)
		}
	}
	return said
}

func rttsOf(all []trial) (rtts []float64) {
	for _, d := range all {
		rtts = append(rtts, d.rtts)
	}
	return rtts
}

// split parts the dials of those that had the record from the others.
func split(all []trial) (knew, other []float64) {
	for _, d := range all {
		if d.knew {
			knew = append(knew, d.rtts)
		} else {
			other = append(other, d.rtts)
		}
	}
	return knew, other
}

func failures(rtts []float64) int {
	n := 0
	for _, v := range rtts {
		if math.IsInf(v, 1) {
			n++
		}
	}
	return n
}
