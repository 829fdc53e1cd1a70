//go:build figures

package integration

import (
	"errors"
	"os"
	"runtime"
	"testing"

	"github.com/panpipe-net/panpipe/integration/figures"
)

func linkBenchmark() benchmark {
	parts := []benchPart{
		{"throughput", measureThroughput},
		{allocsPart, measureAllocs},
		{"exchange", measureExchange},
		{"opens", measureOpens},
		{"distance_quic", measureDistanceQUIC},
		{"distance_tcp", measureDistanceTCP},
		{"first_byte", measureFirstByte},
		{"crowd", measureCrowd},
		{"pause", measurePauses},
		{"cycles", measureCycles},
	}
	for _, w := range idleWays() {
		parts = append(parts, benchPart{"idle_" + w.name, func(t *testing.T, r *figures.Report) { measureIdle(t, r, w) }})
	}
	return benchmark{test: "TestLinkFigures", env: "LINK_PART", parts: parts}
}

// TestLinkFigures measures links beside raw libp2p streams: on loopback
// between two processes, at a distance in virtual time or through a delaying
// relay. From the environment:
//
//	PART       which parts to measure, separated by commas; all if it is not set
//	LINK_PART  set for the process of one part
//	LINK_FAR   set for the process of a far side: kind and way
//
// A figure that is short of its bound fails the test.
func TestLinkFigures(t *testing.T) {
	if os.Getenv("LINK_PART") == allocsPart {
		runtime.MemProfileRate = 1
	}
	if far := os.Getenv("LINK_FAR"); far != "" {
		serveFar(t, far)
		return
	}
	linkBenchmark().run(t)
}

// race measures both kinds in turn and reports the median of each and of
// link/raw by round.
func race(t *testing.T, report *figures.Report, f raceFigure, raw, link subject, measure func(subject) (float64, error)) {
	t.Helper()
	subjects := []subject{raw}
	if link != nil {
		subjects = append(subjects, link)
	}
	values := inTurn(t, f.name, f.rounds, subjects, measure)
	report.Add("raw_"+f.name, percentile(values[raw], 50), f.unit, "-")
	report.Add("link_"+f.name, percentile(values[link], 50), f.unit, f.linkBound())
	report.Add("link_"+f.name+"_of_raw", percentile(byRound(values[link], values[raw]), 50), "ratio", f.ofRaw)
}

// raceFigure names what is raced and what a link has to reach.
type raceFigure struct {
	name, unit string
	rounds     int
	ofRaw      string // bound of link/raw
	bound      string // of the link's own value; "" is none
}

func (f raceFigure) linkBound() string {
	if f.bound == "" {
		return "-"
	}
	return f.bound
}

// errNoLinks says that this build has no links to measure.
var errNoLinks = errors.ErrUnsupported
