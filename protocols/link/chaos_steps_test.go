package link

import "fmt"

// step is where an end stands in the protocol.
type step int

const (
	stepOpening   step = iota // opened by this end, and not answered
	stepAttached              // on one leg
	stepAsking                // on a leg that is not answered, after one was lost
	stepPlanned               // on a leg, and asking for another
	stepDraining              // on a leg, and another still brings bytes
	stepDetached              // without a leg
	stepFrozen                // about to move
	stepImporting             // has moved, and the far side has not taken it yet
	stepEnding                // over, and the far side does not know
	steps
	stepNone step = -1 // no end, or over at both sides
)

var stepNames = [steps]string{
	"opening", "attached", "asking", "planned", "draining", "detached", "frozen", "importing", "ending",
}

// String names a step as the matrix does.
func (p step) String() string {
	if p == stepNone {
		return "over"
	}
	return stepNames[p]
}

// stepOf tells where a machine stands.
func stepOf(m *machine) step {
	switch {
	case m == nil || (m.over != nil && !m.mustTell()) || m.moved:
		return stepNone
	case m.over != nil:
		return stepEnding
	case m.frozen:
		return stepFrozen
	case m.claiming:
		return stepImporting
	case !m.heard:
		return stepOpening
	case m.ask != nil:
		return stepPlanned
	case m.cur == nil:
		return stepDetached
	case m.cur.asking:
		return stepAsking
	case len(m.old) > 0:
		return stepDraining
	}
	return stepAttached
}

// fault is one thing that can go wrong, or that either side can do.
type fault int

const (
	faultKill fault = iota
	faultSilence
	faultSpike
	faultShortPartition
	faultLongPartition
	faultDuplicate
	faultStranger
	faultPlanned
	faultRedial
	faultAddress
	faultFreeze
	faultMove
	faultBothMove
	faultCrashExported
	faultCrashImporter
	faultRival
	faultNoMemory
	faultClose
	faultReset
	faultCrash
	faultOutage
	faults
)

var faultNames = [faults]string{
	"kill", "silent drop", "delay spike", "short partition", "long partition", "duplicate resume", "stranger's resume",
	"planned change", "redial", "address change", "freeze and thaw", "move", "both ends move", "crash, exported", "importer crashes",
	"rival import", "no memory", "close", "reset", "crash", "outage > grace",
}

// String names a fault as the matrix does.
func (f fault) String() string { return faultNames[f] }

// cell is a fault that strikes at a step.
type cell struct {
	f  fault
	at step
}

// Why some faults cannot strike at some steps.
const (
	noLeg      = "the end has no leg"
	nobodyElse = "nobody else has opened a leg before the first answer"
	notHeard   = "the far side has not taken the link yet"
	isFrozen   = "a frozen end does nothing"
	isOver     = "the link is over"
	noneToKeep = "there is no leg to keep meanwhile"
	noImporter = "the end was not imported"
)

// impossible lists the cells that cannot be.
var impossible = func() map[cell]string {
	all := make(map[cell]string)
	add := func(why string, at []step, fs ...fault) {
		for _, f := range fs {
			for _, p := range at {
				all[cell{f, p}] = why
			}
		}
	}
	add(noLeg, []step{stepDetached, stepFrozen}, faultKill, faultSilence, faultSpike)
	add(nobodyElse, []step{stepOpening}, faultDuplicate, faultStranger)
	add(notHeard, []step{stepOpening}, faultPlanned, faultFreeze, faultMove, faultBothMove, faultCrashExported, faultRival)
	add(noneToKeep, []step{stepDetached}, faultPlanned)
	add(isFrozen, []step{stepFrozen}, faultPlanned, faultRedial, faultFreeze, faultMove, faultBothMove)
	add(isOver, []step{stepEnding}, faultPlanned, faultFreeze, faultMove, faultBothMove, faultCrashExported, faultRival, faultNoMemory)
	for p := range steps {
		if p != stepImporting {
			add(noImporter, []step{p}, faultCrashImporter)
		}
	}
	return all
}()

// possible lists the other cells, faults first.
var possible = func() (all []cell) {
	for p := range steps {
		for f := range faults {
			if c := (cell{f, p}); impossible[c] == "" {
				all = append(all, c)
			}
		}
	}
	return all
}()

// String says which cell it is.
func (c cell) String() string { return fmt.Sprintf("%s while %s", c.f, c.at) }
