package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
)

// Code is one word of the error vocabulary. It is the same word in Go (a Code
// is an error, to be met with errors.Is), on the wire (its number), in the
// local API (the `code` of a problem) and in the CLI (text and exit code).
type Code uint32

// The vocabulary. Numbers are part of the wire format and never reused.
const (
	OK          Code = 0  // no error
	Unbound     Code = 1  // nobody serves this pipe
	Unknown     Code = 2  // no such pipe, peer, name or record here
	Forbidden   Code = 3  // the asker has no right to this
	NotClose    Code = 4  // the holder knows enough nodes closer to the key
	Taken       Code = 5  // another binder, name or process has it
	Expired     Code = 6  // its time is over
	TooLarge    Code = 7  // above a size cap
	Busy        Code = 8  // try again soon
	Gone        Code = 9  // it was here and will not come back
	Moved       Code = 10 // served by another binder now
	Replaced    Code = 11 // this binder lost the pipe to another
	Closed      Code = 12 // already closed
	Timeout     Code = 13 // the deadline passed
	Unreachable Code = 14 // no path to the peer
	Limit       Code = 15 // a cap was hit; the error names cap and setting
	BadRequest  Code = 16 // malformed, forged, or not allowed by the format
	Unsupported Code = 17 // understood, but not offered by this version or side
	NotReady    Code = 18 // the node has not joined its overlay yet
	Internal    Code = 19 // a fault of this program or machine
	Refused     Code = 20 // the service refused the connection
	Reset       Code = 21 // the far end reset the connection
)

var codeNames = [...]string{
	"ok", "unbound", "unknown", "forbidden", "not-close", "taken", "expired",
	"too-large", "busy", "gone", "moved", "replaced", "closed", "timeout",
	"unreachable", "limit", "bad-request", "unsupported", "not-ready", "internal",
	"refused", "reset",
}

// Codes lists the vocabulary in the order of its numbers, OK first.
func Codes() []Code {
	all := make([]Code, len(codeNames))
	for i := range all {
		all[i] = Code(i)
	}
	return all
}

// String returns the word, or "code-N" for a number this version does not know.
func (c Code) String() string {
	if c.Known() {
		return codeNames[c]
	}
	return fmt.Sprintf("code-%d", uint32(c))
}

// Known reports that this version has a word for c. What a peer sends may be
// any number.
func (c Code) Known() bool { return int(c) < len(codeNames) }

// Error makes a Code an error of its own: errors.Is(err, wire.Unbound).
func (c Code) Error() string { return c.String() }

// Timeout reports whether c is the word for a passed deadline (net.Error).
func (c Code) Timeout() bool { return c == Timeout }

// Temporary reports whether trying again may help (net.Error).
func (c Code) Temporary() bool { return c == Timeout || c == Busy }

// ParseCode returns the Code of a word.
func ParseCode(word string) (Code, bool) {
	for i, n := range codeNames {
		if n == word {
			return Code(i), true
		}
	}
	return Internal, false
}

// Error is a failure told in words: what failed and why, the word of the
// vocabulary to decide on, and what a person can do next.
type Error struct {
	Code Code
	What string // what failed, and why
	Next string // what to do next; empty when there is nothing to say
	Err  error  // the cause, may be nil
}

// Errorf makes an Error. Format and args are those of fmt.Errorf; a %w cause
// is kept.
func Errorf(code Code, format string, args ...any) *Error {
	e := fmt.Errorf(format, args...)
	return &Error{Code: code, What: e.Error(), Err: e}
}

// WithNext says what to do next and returns e.
func (e *Error) WithNext(format string, args ...any) *Error {
	e.Next = fmt.Sprintf(format, args...)
	return e
}

// LimitError says that a cap was hit, and which setting moves it.
func LimitError(limit string, value int64, setting string) *Error {
	e := Errorf(Limit, "limit %s (%d) reached", limit, value)
	if setting != "" {
		e.Next = "raise " + setting
	}
	return e
}

func (e *Error) Error() string {
	if e.What == "" {
		return e.Code.String()
	}
	return e.What
}

// Unwrap gives both the word and the cause to errors.Is and errors.As.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Code}
	}
	return []error{e.Code, e.Err}
}

// Timeout reports whether a deadline passed (net.Error).
func (e *Error) Timeout() bool { return e.Code.Timeout() }

// Temporary reports whether trying again may help (net.Error).
func (e *Error) Temporary() bool { return e.Code.Temporary() }

// CodeOf maps any error to the vocabulary: OK for nil, the outermost Code in
// its chain, Timeout for whatever calls itself one, Closed for a stream that
// ended or a cancelled context, else Internal.
func CodeOf(err error) Code {
	if err == nil {
		return OK
	}
	var w interface{ word() Code }
	if errors.As(err, &w) {
		return w.word()
	}
	var n net.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return Timeout
	case errors.As(err, &n) && n.Timeout():
		return Timeout
	case errors.Is(err, net.ErrClosed), errors.Is(err, context.Canceled), errors.Is(err, io.ErrClosedPipe),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return Closed
	}
	return Internal
}

// word lets CodeOf meet a bare Code and an Error in the order of the chain.
func (c Code) word() Code   { return c }
func (e *Error) word() Code { return e.Code }

// NextOf returns the advice that the outermost Error in err's chain carries.
func NextOf(err error) string {
	var e *Error
	for errors.As(err, &e) {
		if e.Next != "" {
			return e.Next
		}
		if e.Err == nil {
			return ""
		}
		err = e.Err
	}
	return ""
}
