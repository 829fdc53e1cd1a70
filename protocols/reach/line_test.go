package reach

import (
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"
)

// queue makes a line of addresses, each 100 ms after the one before; those in
// wary are.
func queue(wary []string, all ...string) *line {
	l := &line{wary: make(map[string]bool)}
	for i, s := range all {
		a := ma.StringCast(s)
		l.wary[string(a.Bytes())] = slices.Contains(wary, s)
		l.waiting = append(l.waiting, network.AddrDelay{Addr: a, Delay: time.Duration(i) * 100 * time.Millisecond})
	}
	return l
}

// starts takes what goes at a time.
func (l *line) starts(now time.Duration) (all []string) {
	for a, _ := l.next(now); a != nil; a, _ = l.next(now) {
		all = append(all, a.String())
	}
	return all
}

const (
	q6 = "/ip6/2606::1/udp/1/quic-v1"
	q4 = "/ip4/1.1.1.1/udp/1/quic-v1"
	t6 = "/ip6/2606::1/tcp/1"
	t4 = "/ip4/1.1.1.1/tcp/1"
	o4 = "/ip4/1.1.1.2/tcp/1"
)

func TestEachGoesInItsTurn(t *testing.T) {
	l := queue(nil, q6, q4, t6)
	for i, want := range []string{q6, q4, t6} {
		if got := l.starts(time.Duration(i) * 100 * time.Millisecond); !slices.Equal(got, []string{want}) {
			t.Errorf("at %d00 ms goes %v, want %v", i, got, want)
		}
	}
	l = queue(nil, q6, q4)
	l.starts(0)
	if _, again := l.next(40 * time.Millisecond); again != 60*time.Millisecond {
		t.Errorf("again after %v", again)
	}
	l.landed(ma.StringCast(q6))
	if got := l.starts(40 * time.Millisecond); !slices.Equal(got, []string{q4}) {
		t.Errorf("when nothing is in flight goes %v", got)
	}
}

func TestTwoUnprovenAreInFlightAndOfDifferentKinds(t *testing.T) {
	all := []string{q6, q4, t6, t4, o4}
	l := queue(all, all...)
	const late = time.Second
	if got := l.starts(late); !slices.Equal(got, []string{q6, t4}) {
		t.Fatalf("first go %v", got)
	}
	if !l.impatient(ma.StringCast(q6)) {
		t.Error("the first may take its time though others wait")
	}
	for _, step := range [][2]string{{t4, o4}, {q6, q4}, {o4, t6}} {
		l.landed(ma.StringCast(step[0]))
		if got := l.starts(late); !slices.Equal(got, []string{step[1]}) {
			t.Fatalf("after %s goes %v, want %s", step[0], got, step[1])
		}
	}
	if l.impatient(ma.StringCast(t6)) {
		t.Error("the last two have to hurry")
	}
}

func TestProvenOnesDoNotWaitForUnprovenOnes(t *testing.T) {
	l := queue([]string{q6, t6, t4}, q6, t6, t4, q4, o4)
	if got := l.starts(time.Second); !slices.Equal(got, []string{q6, t4, q4, o4}) {
		t.Errorf("go %v", got)
	}
	if l.landed(ma.StringCast(q4)); len(l.starts(time.Second)) != 0 {
		t.Error("a third unproven one went when a proven one had landed")
	}
}
