package api

import (
	"errors"
	"reflect"
	"testing"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestAProblemKeepsItsDialsAsAnError(t *testing.T) {
	p := ProblemOf(wire.Errorf(wire.Unreachable, "no path").WithNext("start it"))
	p.Dials = []DialAttempt{{Endpoint: "/ip4/1.2.3.4/tcp/1", Error: "refused"}}
	err := p.Err()
	if !errors.Is(err, wire.Unreachable) || wire.NextOf(err) != "start it" || err.Error() != "no path" {
		t.Errorf("%v (%v), %q", err, wire.CodeOf(err), wire.NextOf(err))
	}
	if again := ProblemOf(err); !reflect.DeepEqual(again, p) {
		t.Errorf("%+v, want %+v", again, p)
	}
}
