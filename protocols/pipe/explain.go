package pipe

import (
	"context"
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Explanation is an account of how a pipe is found and dialled, for a person
// or a program to read. It is JSON-friendly: no field needs this package to be
// understood.
type Explanation struct {
	Pipe       string             `json:"pipe"`
	Name       string             `json:"name,omitempty"` // the advertisement's
	Type       string             `json:"type,omitempty"`
	Found      bool               `json:"found"`
	Error      string             `json:"error,omitempty"` // why the pipe was not found or not dialled
	Code       string             `json:"code"`            // "ok" or the word of the vocabulary
	Asked      int                `json:"asked"`           // nodes asked
	Took       time.Duration      `json:"took_ns"`
	Records    []ExplainedRecord  `json:"records"`
	Dials      []ExplainedAttempt `json:"dials"`
	Connected  bool               `json:"connected"`
	Suggestion string             `json:"suggestion,omitempty"` // what to do next
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
	Took      time.Duration `json:"took_ns"`
	Error     string        `json:"error,omitempty"` // empty when it worked
}

// Explain resolves the pipe afresh, dials it, and tells how each step went. It
// closes the connection that it made. What it finds wrong is in the
// Explanation.
func (s *Service) Explain(ctx context.Context, id ID, o DialOptions) Explanation {
	e := Explanation{Pipe: id.String(), Records: []ExplainedRecord{}, Dials: []ExplainedAttempt{}}
	started := time.Now()
	r, err := s.Resolve(ctx, id, ResolveOptions{
		Transport: o.Transport, NoCache: o.NoCache, Fresh: true, Wait: o.Wait, Binders: o.Binders,
	})
	e.Took = time.Since(started)
	if err != nil {
		// What is proven counts even if it is of no use to this dial.
		k := s.cache.records(id)
		e.describe(k.live(time.Now()))
		return e.end(err)
	}
	e.Asked = r.Asked
	e.describe(r.Bindings)
	o.accepted, o.Wait = true, 0
	d := newDialing(s, id, o)
	defer d.release()
	if err = d.resolve(ctx, 0); err == nil {
		var c *call
		if c, err = d.established(ctx); err == nil {
			c.carrier.drop()
			e.Connected = true
		}
	}
	e.dialled(d.attempts)
	return e.end(err)
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

func (e *Explanation) dialled(attempts []Attempt) {
	for _, a := range attempts {
		d := ExplainedAttempt{
			Binder: a.Binder.String(), Transport: string(a.Transport), Reused: a.Reused, Took: a.Took,
		}
		if a.Addr != nil {
			d.Endpoint = a.Addr.String()
		}
		if a.Err != nil {
			d.Error = a.Err.Error()
		}
		e.Dials = append(e.Dials, d)
	}
}

// end adds how it ended and what a person can do about it.
func (e *Explanation) end(err error) Explanation {
	e.Code = wire.CodeOf(err).String()
	if err != nil {
		e.Error, e.Suggestion = err.Error(), wire.NextOf(err)
	}
	if e.Suggestion == "" {
		e.Suggestion = suggestion(wire.CodeOf(err))
	}
	return *e
}

func suggestion(code wire.Code) string {
	switch code {
	case wire.Forbidden, wire.Expired:
		return "ask the owner for a capability to dial: panpipe pipe grant ID --dial --to PRINCIPAL"
	case wire.Unreachable, wire.Timeout:
		return "the record is there but its endpoints cannot be reached: is the binder behind a NAT or firewall, or gone without leaving?"
	case wire.Busy:
		return "the binder does not keep up with its dialers: try again, or raise its backlog"
	case wire.Unbound, wire.Moved, wire.Replaced:
		return "the binder has left since its record was stored: start it again, or wait"
	}
	return ""
}
