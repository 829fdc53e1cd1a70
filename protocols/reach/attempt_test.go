package reach

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestVerdictOfADial(t *testing.T) {
	silent, refused := cause(context.DeadlineExceeded), cause(syscall.ECONNREFUSED)
	limited := cause(fmt.Errorf("open: %w", network.ErrResourceLimitExceeded))
	for name, c := range map[string]struct {
		errs  []error
		ended error
		want  wire.Code
	}{
		"nothing known":         {nil, nil, wire.Unreachable},
		"time out, none tried":  {nil, context.DeadlineExceeded, wire.Timeout},
		"all silent":            {[]error{silent, silent}, context.DeadlineExceeded, wire.Timeout},
		"one refused":           {[]error{silent, refused}, context.DeadlineExceeded, wire.Unreachable},
		"silent in their time":  {[]error{silent}, nil, wire.Timeout},
		"own limits":            {[]error{limited, limited}, nil, wire.Limit},
		"own limits for one":    {[]error{limited, refused}, nil, wire.Unreachable},
		"cancelled":             {[]error{refused}, context.Canceled, wire.Closed},
		"cancelled before all":  {nil, context.Canceled, wire.Closed},
		"backed off everywhere": {[]error{cause(swarm.ErrDialBackoff)}, nil, wire.Unreachable},
	} {
		e := &DialError{Peer: "p", Want: TCP, Ended: c.ended}
		for _, err := range c.errs {
			e.Attempts = append(e.Attempts, Attempt{Addr: ma.StringCast("/ip4/1.2.3.4/tcp/1"), Err: err})
		}
		if got := wire.CodeOf(e); got != c.want || !errors.Is(e, c.want) {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		if !strings.Contains(e.Error(), "over tcp") || (c.want == wire.Unreachable) != strings.Contains(wire.NextOf(e), "address") {
			t.Errorf("%s: says %q, next %q", name, e, wire.NextOf(e))
		}
	}
}

func TestDialErrorListsEveryAttempt(t *testing.T) {
	e := &DialError{Peer: peer.ID("p"), Attempts: []Attempt{
		{Addr: ma.StringCast("/ip4/1.2.3.4/tcp/1"), Err: cause(syscall.ECONNREFUSED)},
		{Addr: ma.StringCast("/ip4/1.2.3.4/udp/2/quic-v1"), Err: cause(swarm.ErrDialBackoff)},
	}}
	for _, want := range []string{"/ip4/1.2.3.4/tcp/1: nobody listens there", "/udp/2/quic-v1: it failed a moment ago"} {
		if !strings.Contains(e.Error(), want) {
			t.Errorf("%q does not say %q", e, want)
		}
	}
	if !errors.Is(e, syscall.ECONNREFUSED) || !errors.Is(e, swarm.ErrDialBackoff) {
		t.Error("the causes are lost")
	}
}

func TestCausesAreInTheVocabulary(t *testing.T) {
	for _, c := range []struct {
		err  error
		want wire.Code
	}{
		{syscall.ECONNREFUSED, wire.Unreachable},
		{network.ErrResourceLimitExceeded, wire.Limit},
		{swarm.ErrDialBackoff, wire.Busy},
		{swarm.ErrGaterDisallowedConnection, wire.Forbidden},
		{swarm.ErrNoTransport, wire.Unsupported},
		{swarm.ErrDialToSelf, wire.BadRequest},
		{swarm.ErrDialRefusedBlackHole, wire.Unreachable},
		{context.DeadlineExceeded, wire.Timeout},
		{syscall.ETIMEDOUT, wire.Timeout},
		{errors.New("whatever"), wire.Unreachable},
		{wire.Errorf(wire.Gone, "as it is"), wire.Gone},
	} {
		if got := cause(fmt.Errorf("dial: %w", c.err)); wire.CodeOf(got) != c.want || !errors.Is(got, c.err) {
			t.Errorf("%v: %v", c.err, got)
		}
	}
	if cause(nil) != nil {
		t.Error("no error became one")
	}
}
