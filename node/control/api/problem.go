package api

import (
	"errors"
	"net/http"
	"strings"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// ProblemType is the media type of a Problem (RFC 9457).
const ProblemType = "application/problem+json"

// problemURN stands before a code in Problem.Type.
const problemURN = "urn:panpipe:problem:"

// Problem is a failure (RFC 9457).
type Problem struct {
	// Type is a URN that ends in the code.
	Type string `json:"type"`
	// Title is the code in plain words.
	Title string `json:"title"`
	// Status is the HTTP status.
	Status int `json:"status"`
	// Code is the word to decide on: unbound, forbidden, timeout and so on.
	Code string `json:"code"`
	// Detail says what failed and why.
	Detail string `json:"detail"`
	// Next says what to do about it, where there is something to say.
	Next string `json:"next,omitempty"`
	// Dials are all tries to connect, where a dial failed; Detail tells of alike
	// ones together.
	Dials []DialAttempt `json:"dials,omitempty"`
}

// dialFailure is the error of a Problem that has dials.
type dialFailure struct {
	err   error
	dials []DialAttempt
}

func (f *dialFailure) Error() string { return f.err.Error() }
func (f *dialFailure) Unwrap() error { return f.err }

// meaning is the HTTP status and the plain words of each code.
var meaning = map[wire.Code]struct {
	status int
	title  string
}{
	wire.Unbound:     {http.StatusNotFound, "nobody serves the pipe"},
	wire.Unknown:     {http.StatusNotFound, "not known here"},
	wire.Forbidden:   {http.StatusForbidden, "not permitted"},
	wire.NotClose:    {http.StatusMisdirectedRequest, "not the place for this record"},
	wire.Taken:       {http.StatusConflict, "somebody else has it"},
	wire.Expired:     {http.StatusForbidden, "its time is over"},
	wire.TooLarge:    {http.StatusRequestEntityTooLarge, "too large"},
	wire.Busy:        {http.StatusServiceUnavailable, "busy"},
	wire.Gone:        {http.StatusGone, "gone"},
	wire.Moved:       {http.StatusConflict, "served by another binder now"},
	wire.Replaced:    {http.StatusConflict, "lost to another binder"},
	wire.Closed:      {http.StatusGone, "closed"},
	wire.Timeout:     {http.StatusGatewayTimeout, "the deadline passed"},
	wire.Unreachable: {http.StatusBadGateway, "no path to the peer"},
	wire.Limit:       {http.StatusTooManyRequests, "a limit is reached"},
	wire.BadRequest:  {http.StatusBadRequest, "malformed"},
	wire.Unsupported: {http.StatusNotImplemented, "not offered"},
	wire.NotReady:    {http.StatusServiceUnavailable, "not ready"},
	wire.Internal:    {http.StatusInternalServerError, "internal fault"},
	wire.Refused:     {http.StatusBadGateway, "the service refused the connection"},
	wire.Reset:       {http.StatusBadGateway, "the far end reset the connection"},
}

// ProblemOf tells err as a Problem, with the dials of one that Problem.Err gave.
// It returns nil for a nil error.
func ProblemOf(err error) *Problem {
	if err == nil {
		return nil
	}
	code := wire.CodeOf(err)
	m, ok := meaning[code]
	if !ok {
		code, m = wire.Internal, meaning[wire.Internal]
	}
	p := &Problem{
		Type:   problemURN + code.String(),
		Title:  m.title,
		Status: m.status,
		Code:   code.String(),
		Detail: strings.ToValidUTF8(err.Error(), "�"),
		Next:   wire.NextOf(err),
	}
	var failed *dialFailure
	if errors.As(err, &failed) {
		p.Dials = failed.dials
	}
	return p
}

// Err returns the Problem as an error of the vocabulary, nil for nil.
func (p *Problem) Err() error {
	if p == nil {
		return nil
	}
	code, ok := wire.ParseCode(p.Code)
	if !ok || code == wire.OK {
		code = wire.Internal
	}
	e := wire.Errorf(code, "%s", p.Detail)
	e.Next = p.Next
	if len(p.Dials) > 0 {
		return &dialFailure{e, p.Dials}
	}
	return e
}
