package control

import (
	"context"
	"sync"
	"time"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/node/doctor"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// diagnosisLife is how long a diagnosis is told again, while nothing is known
// to have changed. An examination asks other nodes, and tries the disk.
const diagnosisLife = 5 * time.Second

// examiner has the node examined, once for all who ask meanwhile and shortly
// after.
type examiner struct {
	// fixed
	examine func(context.Context) []doctor.Finding
	spawn   func(func(context.Context)) bool // runs a task of the server's; false when it closes
	change  func() uint64                    // rises when something has changed that a diagnosis tells of

	mu   sync.Mutex
	last *examination // guarded by mu; nil before the first
}

// examination is one of them. What it found may be read when done is closed.
type examination struct {
	done   chan struct{}
	change uint64 // when it began
	found  api.Diagnosis
}

// diagnosis examines, or gives what was found just now. ctx bounds the wait; an
// examination that has begun goes on for the others.
func (x *examiner) diagnosis(ctx context.Context) (api.Diagnosis, error) {
	e, err := x.current()
	if err != nil {
		return api.Diagnosis{}, err
	}
	select {
	case <-e.done:
		return e.found, nil
	case <-ctx.Done():
		return api.Diagnosis{}, ctx.Err()
	}
}

// current is the examination to wait for: the one under way, the last if it
// still holds, or a new one.
func (x *examiner) current() (*examination, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if e := x.last; e != nil && !e.stale(x.change()) {
		return e, nil
	}
	e := &examination{done: make(chan struct{}), change: x.change()}
	if !x.spawn(func(ctx context.Context) { e.run(ctx, x.examine) }) {
		return nil, wire.Errorf(wire.Closed, "the local API is closing")
	}
	x.last = e
	return e, nil
}

// stale reports that an examination has ended and no longer holds.
func (e *examination) stale(change uint64) bool {
	select {
	case <-e.done:
		return change != e.change || time.Since(e.found.Examined) >= diagnosisLife
	default:
		return false
	}
}

func (e *examination) run(ctx context.Context, examine func(context.Context) []doctor.Finding) {
	defer close(e.done)
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	found := examine(ctx)
	e.found = api.Diagnosis{Examined: time.Now(), Worst: string(doctor.Worst(found)), Findings: Findings(found)}
}
