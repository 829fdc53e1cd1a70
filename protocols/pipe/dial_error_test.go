package pipe

import (
	"errors"
	"strings"
	"testing"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestAlikeCausesOfAFailedDialAreToldTogether(t *testing.T) {
	try := func(addr, below string) Attempt {
		why := wire.Errorf(wire.Unreachable, "nobody listens there: %w", errors.New(below))
		return Attempt{Attempt: reach.Attempt{Addr: ma.StringCast(addr), Transport: reach.TCP, Err: why}}
	}
	e := &DialError{Err: wire.Errorf(wire.Unreachable, "no binder could be reached"), Attempts: []Attempt{
		try("/ip4/1.2.3.4/tcp/1", "1.2.3.4:1 refused"), try("/ip4/1.2.3.4/tcp/2", "1.2.3.4:2 refused"),
		{Attempt: reach.Attempt{Addr: ma.StringCast("/ip4/1.2.3.4/udp/9/quic-v1"), Err: wire.Errorf(wire.Timeout, "no answer: %w", errors.New("late"))}},
	}}
	said := e.Error()
	for _, want := range []string{"at 2 addresses: nobody listens there;", "at /ip4/1.2.3.4/udp/9/quic-v1: no answer"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q lacks %q", said, want)
		}
	}
	if strings.Contains(said, "refused") || strings.Contains(said, "late") {
		t.Errorf("%q repeats the words of each address", said)
	}
	all := e.Dials()
	if len(all) != 3 || all[1].Endpoint != "/ip4/1.2.3.4/tcp/2" || !strings.Contains(all[1].Error, "1.2.3.4:2 refused") {
		t.Errorf("all of them: %+v", all)
	}
}
