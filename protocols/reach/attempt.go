package reach

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Attempt tells one try to get a path.
type Attempt struct {
	Addr      ma.Multiaddr  // what was dialled, or the far address of the connection reused
	Transport Transport     // of Addr
	Started   time.Time     // when the try began
	Took      time.Duration // until its outcome was known
	Err       error         // nil for the one that gave the path; else a *wire.Error with the cause
	Reused    bool          // nothing was dialled: the connection was there
	Punch     bool          // hole punching: Addr is where it led, or the relayed connection over which it failed
}

// DialError says that no path came about, and lists every attempt. Decide on
// it with wire.CodeOf:
//
//   - Unreachable: no address is known, or no address answered
//   - Timeout: every address stayed silent, or the deadline passed before any
//     was tried
//   - Limit: this node's own resource limits forbade every attempt
//   - Closed: the caller cancelled
type DialError struct {
	Peer     peer.ID
	Want     Transport // the transport that was required, or Any
	Attempts []Attempt
	Ended    error // what ended it early: the context's error, or nil
}

// Error lists the attempts, one a line.
func (e *DialError) Error() string {
	var b strings.Builder
	b.WriteString(e.head().What)
	for _, a := range e.Attempts {
		fmt.Fprintf(&b, "\n  %s: %v (%v)", a.Addr, a.Err, a.Took.Round(time.Millisecond))
	}
	return b.String()
}

// Unwrap gives first the word of the vocabulary with its advice, then the
// cause of each attempt.
func (e *DialError) Unwrap() []error {
	errs := []error{e.head()}
	if e.Ended != nil {
		errs = append(errs, e.Ended)
	}
	for _, a := range e.Attempts {
		if a.Err != nil {
			errs = append(errs, a.Err)
		}
	}
	return errs
}

// head is the error in one line.
func (e *DialError) head() *wire.Error {
	over := ""
	if e.Want != Any {
		over = " over " + string(e.Want)
	}
	code := verdict(e.Attempts, e.Ended)
	punch := slices.IndexFunc(e.Attempts, func(a Attempt) bool { return a.Punch && a.Err != nil })
	switch {
	case punch >= 0 && code != wire.Closed:
		why := e.Attempts[punch].Err
		return wire.Errorf(code, "no direct path to %s%s: %v", e.Peer, over, why).WithNext("%s", wire.NextOf(why))
	case code == wire.Closed:
		return wire.Errorf(code, "dialling %s%s was cancelled", e.Peer, over)
	case code == wire.Limit:
		return wire.Errorf(code, "cannot dial %s%s: this node's limits are reached", e.Peer, over).
			WithNext("raise the limits on connections, or close some")
	case len(e.Attempts) == 0 && code == wire.Unreachable:
		return wire.Errorf(code, "no address of %s is known%s", e.Peer, over).
			WithNext("name an address of it, ask for another transport, or wait until the overlay knows it")
	case code == wire.Timeout:
		return wire.Errorf(code, "no answer from %s%s in time", e.Peer, over).
			WithNext("see that it runs, and that no firewall stands between")
	}
	if next := e.forbidden(); next != "" {
		return wire.Errorf(code, "cannot reach %s%s: no address of it may be dialled", e.Peer, over).WithNext("%s", next)
	}
	return wire.Errorf(code, "cannot reach %s%s", e.Peer, over).
		WithNext("see that it runs at one of the addresses tried")
}

// forbidden returns the advice that helps where this node's own rules forbade
// every attempt, and nothing elsewhere.
func (e *DialError) forbidden() string {
	next := ""
	for _, a := range e.Attempts {
		if wire.CodeOf(a.Err) != wire.Forbidden {
			return ""
		}
		if next == "" {
			next = wire.NextOf(a.Err)
		}
	}
	return next
}

// verdict is the word for a dial that failed.
func verdict(attempts []Attempt, ended error) wire.Code {
	if errors.Is(ended, context.Canceled) {
		return wire.Closed
	}
	limited := len(attempts) > 0
	silent := limited || ended != nil
	for _, a := range attempts {
		code := wire.CodeOf(a.Err)
		silent = silent && code == wire.Timeout
		limited = limited && code == wire.Limit
	}
	switch {
	case limited:
		return wire.Limit
	case silent:
		return wire.Timeout
	}
	return wire.Unreachable
}

// cause puts what a dial of one address ended with into the vocabulary and
// into words.
func cause(err error) error {
	var mismatch sec.ErrPeerIDMismatch
	var word *wire.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &word):
		return err
	case errors.As(err, &mismatch):
		return wire.Errorf(wire.Unreachable, "another node answers there: %w", err)
	case errors.Is(err, network.ErrResourceLimitExceeded):
		return wire.Errorf(wire.Limit, "this node's limits forbid another connection: %w", err)
	case errors.Is(err, swarm.ErrDialBackoff):
		return wire.Errorf(wire.Busy, "it failed a moment ago and is left alone for a while: %w", err)
	case errors.Is(err, swarm.ErrGaterDisallowedConnection):
		return wire.Errorf(wire.Forbidden, "this node's rules forbid the connection: %w", err)
	case errors.Is(err, swarm.ErrNoTransport):
		return wire.Errorf(wire.Unsupported, "this node has no transport for it: %w", err)
	case errors.Is(err, swarm.ErrDialToSelf):
		return wire.Errorf(wire.BadRequest, "it is this node's own address: %w", err)
	case errors.Is(err, swarm.ErrDialRefusedBlackHole):
		return wire.Errorf(wire.Unreachable, "no dial of its kind has worked from this network: %w", err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return wire.Errorf(wire.Unreachable, "nobody listens there: %w", err)
	case isTimeout(err):
		return wire.Errorf(wire.Timeout, "no answer: %w", err)
	}
	return wire.Errorf(wire.Unreachable, "%w", err)
}

// isTimeout reports whether err is any of the many ways to say that time ran
// out.
func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || (errors.As(err, &t) && t.Timeout())
}
