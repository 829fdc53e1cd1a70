package pipe

import (
	"context"
	"slices"
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Explanation is an account of how a pipe is found and dialled, for a person
// or a program to read. It is JSON-friendly: no field needs this package to be
// understood.
type Explanation struct {
	Pipe      string             `json:"pipe"`
	Name      string             `json:"name,omitempty"` // the advertisement's
	Type      string             `json:"type,omitempty"`
	Found     bool               `json:"found"`
	Error     string             `json:"error,omitempty"` // why the pipe was not found or not dialled
	Code      string             `json:"code"`            // "ok" or the word of the vocabulary
	Asked     int                `json:"asked"`           // nodes asked
	Took      time.Duration      `json:"took_ns"`
	Records   []ExplainedRecord  `json:"records"`
	Dials     []ExplainedAttempt `json:"dials"`
	Connected bool               `json:"connected"` // a connection of the pipe is open: State says the same
	Accepted  bool               `json:"accepted"`  // a binder accepted the probe
	State     State              `json:"state"`
	// Reconnecting is since when a connection of the pipe waits for a path; zero
	// if none does.
	Reconnecting time.Time `json:"reconnecting,omitzero"`
	Path         string    `json:"path,omitempty"`       // direct or relay: of the open connection, else of the probe
	Suggestion   string    `json:"suggestion,omitempty"` // what to do next
}

// ExplainedRecord is one binding that was found.
type ExplainedRecord struct {
	Binder    string        `json:"binder"`
	From      string        `json:"from"`   // the peer that gave it
	Origin    string        `json:"origin"` // authoritative, held or cached
	Age       time.Duration `json:"age_ns"` // since that peer received it
	Issued    time.Time     `json:"issued"`
	Expires   time.Time     `json:"expires"`
	Seq       uint64        `json:"seq"`
	Term      uint64        `json:"term,omitempty"`
	Endpoints []string      `json:"endpoints"`
	Unproven  []int         `json:"unproven,omitempty"` // indexes into Endpoints
}

// ExplainedAttempt is one try to connect.
type ExplainedAttempt struct {
	Binder    string        `json:"binder"`
	Endpoint  string        `json:"endpoint,omitempty"`
	Transport string        `json:"transport,omitempty"`
	Reused    bool          `json:"reused,omitempty"` // an existing connection
	Punch     bool          `json:"punch,omitempty"`  // hole punching rather than a dial
	Beaten    bool          `json:"beaten,omitempty"` // given up when another address had answered
	Took      time.Duration `json:"took_ns"`
	Error     string        `json:"error,omitempty"` // empty when it worked, or was beaten
}

// explainTime is how long an explanation waits for more records before it dials
// the binder that is found; the search goes on meanwhile. Nodes that have died
// without a word keep it going for seconds.
const explainTime = 500 * time.Millisecond

// Explain resolves the pipe afresh, asks its binders whether they would accept,
// and tells how each step went. Nothing is opened: whoever listens hears nothing
// of it. What it finds wrong is in the Explanation.
func (s *Service) Explain(ctx context.Context, id ID, o DialOptions) Explanation {
	e := Explanation{Pipe: id.String(), Records: []ExplainedRecord{}, Dials: []ExplainedAttempt{}}
	o.probe = true
	d := newDialing(s, id, o)
	defer d.release()
	started := time.Now()
	asked, err := d.explore(ctx)
	e.Took = time.Since(started)
	all := d.found()
	if err == nil {
		var c *call
		if c, err = d.established(ctx); err == nil {
			c.carrier.Close()
			e.Accepted, e.Path = true, pathWord(c.carrier.opened.direct)
		}
	}
	// What is proven counts even if it is of no use to this dial, and what came
	// while it went on.
	e.describe(union(d.search.live(), all))
	open, direct, waiting := s.connected(id)
	e.Reconnecting = waiting
	if e.Connected = open; open {
		e.Path = pathWord(direct)
	}
	e.State = stateOf(e.Found, open, err)
	e.Asked = asked + d.search.count()
	e.Dials = explained(d.attempts)
	return e.end(err, d)
}

// explore asks the overlay for all that it knows of the pipe, and fills the
// queue. It returns how many nodes were asked beside its search.
func (d *dialing) explore(ctx context.Context) (asked int, err error) {
	d.searching.Do(func() { d.beginSearch(ctx) })
	enough := time.NewTimer(explainTime)
	defer enough.Stop()
	select {
	case <-d.search.done:
	case <-ctx.Done():
	case <-enough.C:
		select {
		case <-d.search.found:
		case <-d.search.done:
		case <-ctx.Done():
		}
	}
	if !d.o.NoCache {
		d.gather()
		if d.resolveErr == nil || d.o.Wait <= 0 {
			return 0, d.resolveErr
		}
	}
	r, err := d.s.Resolve(ctx, d.id, ResolveOptions{
		Transport: d.o.Transport, NoCache: d.o.NoCache, Fresh: true, Wait: d.o.Wait, Binders: d.o.Binders,
	})
	if err != nil {
		return 0, err
	}
	d.resolveErr, d.advertisement = nil, r.Advertisement
	d.enqueue(d.ordered(r.Bindings)...)
	return r.Asked, nil
}

// found is what the search has found, and what the resolve after it did.
func (d *dialing) found() []Found {
	queued := make([]Found, len(d.queue))
	for i, c := range d.queue {
		queued[i] = c.Found
	}
	return union(d.search.live(), queued)
}

// union adds those of more whose binder all lacks.
func union(all, more []Found) []Found {
	for _, m := range more {
		if !slices.ContainsFunc(all, func(f Found) bool { return f.Binding.Binder == m.Binding.Binder }) {
			all = append(all, m)
		}
	}
	return all
}

func (e *Explanation) describe(all []Found) {
	e.Found = len(all) > 0
	for _, f := range all {
		b := f.Binding
		e.Name, e.Type = b.Advertisement.Name, b.Advertisement.Type.String()
		r := ExplainedRecord{
			Binder: b.Binder.String(), From: f.From.String(), Origin: string(f.Origin), Age: f.Age,
			Issued: b.Issued, Expires: b.Expires(), Seq: b.Seq, Term: b.Term,
			Endpoints: []string{}, Unproven: f.Unproven,
		}
		for _, a := range b.Endpoints {
			r.Endpoints = append(r.Endpoints, a.String())
		}
		e.Records = append(e.Records, r)
	}
}

// explained tells of each attempt.
func explained(attempts []Attempt) []ExplainedAttempt {
	all := []ExplainedAttempt{}
	for _, a := range attempts {
		d := ExplainedAttempt{
			Binder: a.Binder.String(), Transport: string(a.Transport), Reused: a.Reused, Punch: a.Punch, Beaten: a.Beaten(), Took: a.Took,
		}
		if a.Addr != nil {
			d.Endpoint = a.Addr.String()
		}
		if a.Err != nil && !d.Beaten {
			d.Error = a.Err.Error()
			if next := wire.NextOf(a.Err); next != "" {
				d.Error += "; " + next
			}
		}
		all = append(all, d)
	}
	return all
}

// end adds how it ended and what a person can do about it.
func (e *Explanation) end(err error, d *dialing) Explanation {
	e.Code = wire.CodeOf(err).String()
	if err != nil {
		e.Error, e.Suggestion = err.Error(), wire.NextOf(err)
	}
	if e.Suggestion == "" {
		e.Suggestion = d.advice(wire.CodeOf(err))
	}
	return *e
}
