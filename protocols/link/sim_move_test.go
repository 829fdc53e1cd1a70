package link

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// simMove is an end on its way to another node: its state, and the application
// as it was at the cut.
type simMove struct {
	s         *sim
	from      *simNode
	state     []byte
	app       simApp
	rivals    int
	most      uint64     // epochs given out beyond that of the state
	importers []*simNode // that have tried
	owner     *simNode   // whom the far side has taken
	over      bool       // nobody else may try: the end has moved on, or will not
	waits     bool       // the old node hears of it once the far side has taken the new one
}

// movable reports that the end can be frozen.
func (n *simNode) movable() bool {
	return n.m != nil && n.app != nil && !n.dead && n.m.over == nil && !n.m.frozen && n.m.heard &&
		(n.owner() || (len(n.move.importers) == 1 && n.move.rivals == 0))
}

// moveOptions says how an end moves.
type moveOptions struct {
	crash  bool          // the old node dies at the cut
	rivals int           // so many others import the same state
	wait   time.Duration // until the first import
}

// moves freezes the end and has it go on at another node.
func (n *simNode) moves(o moveOptions) *simMove {
	n.say("freezes, to move: %+v", o)
	n.m.freeze()
	n.act()
	mv := &simMove{s: n.s, from: n, app: *n.app, rivals: o.rivals, waits: o.rivals > 0 || n.s.rng.IntN(2) == 0}
	mv.state = n.m.export(peer.ID("from"), peer.ID("far")).append(nil)
	n.away = mv
	if n.move != nil {
		n.move.over = true
	}
	if o.crash {
		n.crash()
	}
	n.s.after(o.wait, mv.arrives)
	for range o.rivals {
		n.s.after(max(0, o.wait-100*time.Millisecond)+n.s.upTo(200*time.Millisecond), mv.arrives)
	}
	return mv
}

// moveNow moves the end, if it can be moved, in a while.
func (n *simNode) moveNow(crash bool) {
	if n.movable() {
		n.moves(moveOptions{crash: crash, wait: n.s.upTo(3 * time.Second)})
	}
}

// arrives imports the end at a new node, unless another has it or it has ended.
func (mv *simMove) arrives() {
	if mv.owner != nil || mv.over || (mv.from.m.over != nil && !mv.from.m.moved) {
		return
	}
	st, err := parseState(mv.state, simMost)
	if err != nil {
		mv.s.fault("%v: %+v", err, st)
		return
	}
	to := mv.s.newNode(mv.from.at)
	if !to.memory.reserve(st.beyondFirst()) { // it goes where there is more, or later
		mv.s.after(mv.s.upTo(time.Second), mv.arrives)
		return
	}
	mv.importers = append(mv.importers, to)
	to.move, to.far = mv, mv.from.far
	to.m = restore(st, to.settings())
	to.m.claim(st.epoch+1+mv.most, []byte(to.token()))
	app := mv.app
	app.paused = false
	to.run(&app)
	to.say("imports, epoch %d", to.m.epoch)
	if !mv.waits {
		mv.leaves(to)
	}
	to.m.detach(errImported, to.s.now)
	to.act()
}

// leaves ends the end at the old node.
func (mv *simMove) leaves(to *simNode) {
	if n := mv.from; !n.dead && !n.m.moved {
		n.m.exported([]byte{byte(to.num)})
		n.act()
	}
}

// settled notes that the far side has taken the node for the end.
func (n *simNode) settled() {
	if n.move == nil || n.owns || n.m.claiming {
		return
	}
	n.owns = true
	n.say("is known to have the end")
	if had := n.move.owner; had != nil && had != n {
		n.s.fault("nodes %d and %d both think that the far side has taken them", had.num, n.num)
	}
	n.move.owner = n
	n.s.apps[n.at] = n.app
	for mv := n.move; mv != nil; mv = mv.from.move {
		mv.leaves(n)
	}
}

// latest is the node that has the end, or tries to, in the end.
func (n *simNode) latest() *simNode {
	for n.away != nil && len(n.away.importers) > 0 {
		to := n.away.importers[len(n.away.importers)-1]
		for _, o := range n.away.importers {
			if o.m.over == errComplete || wire.CodeOf(o.m.over) == simReset || n.s.owners[n.at][o.m.epoch] == o { // it had no need to be taken, or does not know
				to = o
			}
		}
		if n.away.owner != nil {
			to = n.away.owner
		}
		n = to
	}
	return n
}

// again has the end imported once more, after all who tried have crashed, at a
// later epoch.
func (mv *simMove) again() {
	mv.most++
	for _, n := range mv.importers {
		if !n.dead {
			n.crash()
		}
	}
	mv.s.after(mv.s.upTo(3*time.Second), mv.arrives)
}
