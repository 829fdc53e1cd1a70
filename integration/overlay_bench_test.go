//go:build figures

package integration

import (
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/integration/figures"
	"github.com/panpipe-net/panpipe/integration/world"
	"github.com/panpipe-net/panpipe/node"
)

// TestOverlayFigures measures the binding protocol in virtual time, at a round
// trip of 50 ms between any two nodes. From the environment:
//
//	N      nodes, 100 if it is not set
//	PART   which parts to measure, separated by commas; all if it is not set
//	JOBS   worlds measured at the same time, each by a process of its own; 2
//	WORLD  set for such a process: the one world that it makes
//
// A figure that is short of its bound fails the test.
func TestOverlayFigures(t *testing.T) {
	n, err := number("N", 100, 25)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := planned(n, os.Getenv("PART"))
	if err != nil {
		t.Fatal(err)
	}
	report, err := figures.New(os.Stdout)
	if err != nil {
		t.Fatal(err)
	}
	if name := os.Getenv("WORLD"); name != "" {
		i := slices.IndexFunc(plan, func(j job) bool { return j.name == name })
		if i < 0 {
			t.Fatalf("WORLD=%s: nothing of PART=%s is measured there", name, os.Getenv("PART"))
		}
		plan[i].run(t, report)
	} else {
		at, err := number("JOBS", 2, 1)
		if err != nil {
			t.Fatal(err)
		}
		fits(report, plan, runAll(t, report, plan, at))
		if short := report.Short(); short > 0 {
			t.Errorf("%d figures are short", short)
		}
	}
	if err := report.Close(); err != nil {
		t.Fatal(err)
	}
}

// number reads a count from the environment.
func number(name string, unset, least int) (int, error) {
	s := os.Getenv(name)
	if s == "" {
		return unset, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < least {
		return 0, fmt.Errorf("%s=%s: a number of at least %d is needed", name, s, least)
	}
	return n, nil
}

// part is something to measure in a settled world. Its names are those by which
// PART asks for it.
type part struct {
	names   []string
	measure func(o *overlay, t *testing.T)
}

// job is a world and what is measured in it, in this order: what harms the
// world comes last.
type job struct {
	name  string
	nodes int
	cap   int // connections of a node
	kad   bool
	parts []part
}

// jobs are all there is to measure with n nodes, those that take longest first.
func jobs(n int) []job {
	growth := part{[]string{"growth"}, (*overlay).measureLookups}
	all := []job{
		{"moving", n, 100, false, []part{
			{[]string{"freshness"}, (*overlay).measureMoves},
			{[]string{"freshness", "death"}, (*overlay).measureDeaths},
			{[]string{"outage"}, (*overlay).measureOutage},
		}},
		{"calm", n, 100, true, []part{
			{[]string{"lookup", "growth"}, (*overlay).measureLookups},
			{[]string{"dial"}, (*overlay).measureDials},
			{[]string{"renewal"}, (*overlay).measureRenewal},
			{[]string{"join"}, (*overlay).measureJoins},
			{[]string{"liars"}, (*overlay).measureLiars},
		}},
		{"narrow", n, 40, false, []part{growth}},
	}
	for _, size := range []int{100, 50, 25} {
		if size < n {
			all = append(all,
				job{fmt.Sprintf("n%d_c100", size), size, 100, false, []part{growth}},
				job{fmt.Sprintf("n%d_c40", size), size, 40, false, []part{growth}})
		}
	}
	return all
}

// planned is what PART asks for.
func planned(n int, asked string) ([]job, error) {
	all := jobs(n)
	if asked == "" {
		return all, nil
	}
	names := strings.Split(asked, ",")
	known := make(map[string]bool)
	var plan []job
	for _, j := range all {
		j.parts = slices.DeleteFunc(j.parts, func(p part) bool {
			for _, name := range p.names {
				known[name] = true
			}
			return !slices.ContainsFunc(p.names, func(name string) bool { return slices.Contains(names, name) })
		})
		if len(j.parts) > 0 {
			plan = append(plan, j)
		}
	}
	for _, name := range names {
		if !known[name] {
			return nil, fmt.Errorf("PART=%s: there is no part %q", asked, name)
		}
	}
	return plan, nil
}

// prefix begins the names of the figures of a world.
func (j job) prefix() string { return fmt.Sprintf("overlay_n%d_c%d_", j.nodes, j.cap) }

// run makes the world, lets it settle, and measures.
func (j job) run(t *testing.T, r *figures.Report) {
	// Memory is for speed here: a third of the time goes to collecting garbage.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	began := realTime()
	progress := func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, "%s %4.0fs: %s\n", j.name, realTime().Sub(began).Seconds(), fmt.Sprintf(format, args...))
	}
	config := func(_ int, c *node.Config) { c.Providers = j.kad }
	world.Run(t, world.Config{Nodes: j.nodes, MaxConnections: j.cap, Node: config}, func(t *testing.T, w *world.World) {
		o := &overlay{World: w, job: j, report: r, progress: progress}
		progress("%d nodes have started", j.nodes)
		o.Settle(t)
		o.Pass(11 * time.Minute) // at least one refresh of every routing table
		progress("the overlay has settled")
		for _, p := range j.parts {
			p.measure(o, t)
			progress("%s is measured", p.names[0])
		}
		o.reportConnections()
	})
	r.Add("overlay_wall_"+j.name, realTime().Sub(began).Seconds(), "s", "-")
}
