//go:build figures

package integration

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/panpipe-net/panpipe/integration/figures"
)

// linkPart is something to measure about links, in a process of its own.
type linkPart struct {
	name    string // by which PART asks for it
	measure func(t *testing.T, report *figures.Report)
}

func linkParts() []linkPart {
	parts := []linkPart{
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
		parts = append(parts, linkPart{"idle_" + w.name, func(t *testing.T, r *figures.Report) { measureIdle(t, r, w) }})
	}
	return parts
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
	plan, err := plannedLinkParts(os.Getenv("PART"))
	if err != nil {
		t.Fatal(err)
	}
	report, err := figures.New(os.Stdout)
	if err != nil {
		t.Fatal(err)
	}
	if name := os.Getenv("LINK_PART"); name != "" {
		plan[slices.IndexFunc(plan, func(p linkPart) bool { return p.name == name })].measure(t, report)
	} else {
		for _, p := range plan {
			if err := p.spawn(t, report); err != nil {
				t.Errorf("%s: %v", p.name, err)
			}
		}
		if short := report.Short(); short > 0 {
			t.Errorf("%d figures are short", short)
		}
	}
	if err := report.Close(); err != nil {
		t.Fatal(err)
	}
}

func plannedLinkParts(asked string) ([]linkPart, error) {
	all := linkParts()
	if asked == "" {
		return all, nil
	}
	var plan []linkPart
	for _, name := range strings.Split(asked, ",") {
		i := slices.IndexFunc(all, func(p linkPart) bool { return p.name == name })
		if i < 0 {
			return nil, fmt.Errorf("PART=%s: there is no part %q", asked, name)
		}
		plan = append(plan, all[i])
	}
	return plan, nil
}

// spawn measures a part in a process of its own, one after another, and
// reports its figures as they come. Whatever else it prints goes to stderr.
func (p linkPart) spawn(t *testing.T, report *figures.Report) error {
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestLinkFigures$", "-test.timeout", "20m")
	child.Env = append(os.Environ(), "LINK_PART="+p.name, "PART=", "JSON=")
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		return err
	}
	if err := child.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if f, ok := figures.Parse(lines.Text()); ok {
			report.Relay(f)
		} else {
			fmt.Fprintf(os.Stderr, "%s: %s\n", p.name, lines.Text())
		}
	}
	_, _ = io.Copy(io.Discard, out) // after a line too long to scan
	return child.Wait()
}

// race measures both kinds in turn, so that what else the machine does strikes
// both, and reports the median of each and of link/raw by round.
func race(t *testing.T, report *figures.Report, f raceFigure, raw, link subject, measure func(subject) (float64, error)) {
	t.Helper()
	var raws, links, ratios []float64
	for i := range f.rounds {
		values := map[subject]float64{}
		turn := []subject{raw, link}
		if i%2 == 1 {
			slices.Reverse(turn)
		}
		for _, s := range turn {
			if s == nil {
				continue
			}
			v, err := measure(s)
			if err != nil {
				t.Fatalf("%s: %v", f.name, err)
			}
			values[s] = v
		}
		raws = append(raws, values[raw])
		if link != nil {
			links = append(links, values[link])
			ratios = append(ratios, values[link]/values[raw])
		}
	}
	report.Add("raw_"+f.name, percentile(raws, 50), f.unit, "-")
	report.Add("link_"+f.name, percentile(links, 50), f.unit, f.linkBound())
	report.Add("link_"+f.name+"_of_raw", percentile(ratios, 50), "ratio", f.ofRaw)
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
