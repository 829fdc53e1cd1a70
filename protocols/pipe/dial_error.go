package pipe

import (
	"fmt"
	"strings"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/reach"
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

// Error says what decided, and then each attempt with its cause.
func (e *DialError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "dialling pipe %s: %v", e.Pipe, e.Err)
	for _, a := range e.Attempts {
		if a.Err == nil {
			continue
		}
		fmt.Fprintf(&b, "; %s", a.Binder)
		if a.Addr != nil {
			fmt.Fprintf(&b, " at %s", a.Addr)
		} else if a.Transport != "" {
			fmt.Fprintf(&b, " on %s", a.Transport)
		}
		fmt.Fprintf(&b, ": %v", a.Err)
	}
	return b.String()
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
