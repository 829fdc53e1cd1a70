package reach

import (
	"context"
	"net"
	"os"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestProbeIsJudgedByWhatItEndedWith(t *testing.T) {
	for _, c := range []struct {
		err   error
		acked bool
		want  health
	}{
		{nil, false, alive},
		{wire.Unsupported, false, alive},
		{wire.BadRequest, false, alive},
		{&network.StreamError{Remote: true}, false, alive},
		{os.ErrDeadlineExceeded, false, dead},
		{context.DeadlineExceeded, false, dead},
		{context.DeadlineExceeded, true, alive},
		{wire.Unreachable, false, dead},
		{wire.Limit, false, unknown},
		{wire.Busy, false, unknown},
		{context.Canceled, false, unknown},
		{net.ErrClosed, false, unknown},
	} {
		if got := judge(c.err, c.acked); got != c.want {
			t.Errorf("%v, acknowledged %v: %s, want %s", c.err, c.acked, got, c.want)
		}
	}
}

func TestImprovePausesForPunchingAndThenGrow(t *testing.T) {
	want := []time.Duration{PunchTime, 30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 5 * time.Minute, 5 * time.Minute}
	for try, pause := range want {
		if got := improvePause(try, true); got != pause {
			t.Errorf("try %d after %v, want %v", try, got, pause)
		}
	}
	if got := improvePause(0, false); got != 0 {
		t.Errorf("without hole punching the first try is after %v", got)
	}
	if got := improvePause(1<<40, true); got != 5*time.Minute {
		t.Errorf("a late try is after %v", got)
	}
}

func TestAllowanceIsSpentNearItsLimits(t *testing.T) {
	for _, c := range []struct {
		a    Allowance
		want string
	}{
		{Allowance{}, ""},
		{Allowance{Duration: 2 * time.Minute, Elapsed: 90 * time.Second}, ""},
		{Allowance{Duration: 2 * time.Minute, Elapsed: 118 * time.Second}, "2m0s"},
		{Allowance{Duration: 2 * time.Minute, Elapsed: time.Hour}, "2m0s"},
		{Allowance{Duration: 4 * time.Second, Elapsed: 2 * time.Second}, ""},
		{Allowance{Data: 1 << 20, Sent: 1 << 19}, ""},
		{Allowance{Data: 1 << 20, Received: 1<<20 - 100}, "1048576 bytes each way"},
		{Allowance{Data: 1 << 20, Sent: 1 << 30, Duration: time.Minute, Elapsed: time.Minute}, "1m0s and of 1048576 bytes each way"},
	} {
		if got := c.a.spent(); got != c.want {
			t.Errorf("%+v: %q, want %q", c.a, got, c.want)
		}
	}
}
