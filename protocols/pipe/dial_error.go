package pipe

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Attempt is one try of a Dial: a path, and what the binder at its end said.
type Attempt struct {
	Binder identity.Principal
	reach.Attempt
}

// DialError is a Dial that failed, with every attempt.
type DialError struct {
	Pipe     ID
	Attempts []Attempt
	Err      error // what decided the outcome; its word of the vocabulary is the DialError's
}

// Error says what decided, and then what else each binder failed of: once for
// each cause, with the endpoint that had it, or how many did. Dials has them
// all.
func (e *DialError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "dialling pipe %s: %v", e.Pipe, e.Err)
	type cause struct {
		binder identity.Principal
		text   string
	}
	var causes []cause
	where := make(map[cause][]string)
	for _, a := range e.Attempts {
		if a.Err == nil || a.Beaten() || a.Err.Error() == e.Err.Error() {
			continue
		}
		c := cause{a.Binder, reason(a.Err)}
		at, known := where[c]
		if !known {
			causes = append(causes, c)
		}
		if place := a.place(); !slices.Contains(at, place) {
			at = append(at, place)
		}
		where[c] = at
	}
	for _, c := range causes {
		at := where[c][0]
		if n := len(where[c]); n > 1 {
			at = fmt.Sprintf(" at %d addresses", n)
		}
		fmt.Fprintf(&b, "; %s%s: %s", c.binder, at, c.text)
	}
	return b.String()
}

// Dials tells of every attempt, in order.
func (e *DialError) Dials() []ExplainedAttempt { return explained(e.Attempts) }

// reason is what this program says of a failure, without the words of the
// libraries below, which differ from address to address.
func reason(err error) string {
	var told *wire.Error
	if !errors.As(err, &told) || told.Err == nil {
		return err.Error()
	}
	if below := errors.Unwrap(told.Err); below != nil && below.Error() != told.What {
		return strings.TrimSuffix(told.What, ": "+below.Error())
	}
	return told.What
}

// place says where a path led.
func (a Attempt) place() string {
	switch {
	case a.Addr != nil:
		return " at " + a.Addr.String()
	case a.Transport != "":
		return " on " + string(a.Transport)
	}
	return ""
}

// Unwrap gives the deciding error first, then each attempt's, to errors.Is and
// errors.As.
func (e *DialError) Unwrap() []error {
	all := []error{e.Err}
	for _, a := range e.Attempts {
		if a.Err != nil {
			all = append(all, a.Err)
		}
	}
	return all
}

// advice is what a person can do about a failed dial.
func (d *dialing) advice(code wire.Code) string {
	switch code {
	case wire.Forbidden, wire.Expired:
		owner := ""
		if !d.advertisement.Owner.IsZero() {
			owner = ", " + d.advertisement.Owner.String() + ","
		}
		return fmt.Sprintf("ask the owner%s for a capability to dial: panpipe pipe grant %s --dial --to %s", owner, d.id, d.s.cfg.principal())
	case wire.Unreachable, wire.Timeout:
		if next := d.forbidden(); next != "" {
			return next
		}
		if next := d.punchAdvice(); next != "" {
			return next
		}
		return "the record is there but its endpoints cannot be reached: is the binder behind a NAT or firewall, or gone without leaving?"
	case wire.Busy:
		return "the binder does not keep up with its dialers: try again, or raise its backlog"
	case wire.Unbound, wire.Moved, wire.Replaced, wire.Closed, wire.Gone:
		return fmt.Sprintf("whom the record names does not serve the pipe: start its binder, panpipe pipe listen %s, or wait for one", d.id)
	}
	return ""
}

// forbidden returns the advice of reach where this node's own rules forbade
// every dial, and nothing elsewhere.
func (d *dialing) forbidden() string {
	next := ""
	for _, a := range d.attempts {
		switch {
		case a.Addr == nil:
			continue // stands in for a path to which no address was left
		case wire.CodeOf(a.Err) != wire.Forbidden:
			return ""
		}
		if next == "" {
			next = wire.NextOf(a.Err)
		}
	}
	return next
}

// punchAdvice is what can be done where hole punching has failed.
func (d *dialing) punchAdvice() string {
	for _, a := range d.attempts {
		if a.Punch && a.Err != nil {
			return wire.NextOf(a.Err)
		}
	}
	return ""
}
