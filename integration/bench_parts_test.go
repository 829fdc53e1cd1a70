//go:build figures

package integration

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/panpipe-net/panpipe/integration/figures"
)

// benchmark is what one test measures: parts that PART selects, each in a
// process of its own, one after another.
type benchmark struct {
	test  string // the test's name
	env   string // the variable that names the part, in the process of one
	parts []benchPart
}

// benchPart is something to measure.
type benchPart struct {
	name    string // by which PART asks for it
	measure func(t *testing.T, report *figures.Report)
}

// run measures the parts that are asked for, each with env added to its
// process, or the one that this process is for. A short figure fails the test.
func (b benchmark) run(t *testing.T, env ...string) {
	plan, err := b.planned(os.Getenv("PART"))
	if err != nil {
		t.Fatal(err)
	}
	report, err := figures.New(os.Stdout)
	if err != nil {
		t.Fatal(err)
	}
	if name := os.Getenv(b.env); name != "" {
		plan[slices.IndexFunc(plan, func(p benchPart) bool { return p.name == name })].measure(t, report)
	} else {
		for _, p := range plan {
			if err := b.spawn(t, report, p, env); err != nil {
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

func (b benchmark) planned(asked string) ([]benchPart, error) {
	if asked == "" {
		return b.parts, nil
	}
	var plan []benchPart
	for name := range strings.SplitSeq(asked, ",") {
		i := slices.IndexFunc(b.parts, func(p benchPart) bool { return p.name == name })
		if i < 0 {
			return nil, fmt.Errorf("PART=%s: there is no part %q", asked, name)
		}
		plan = append(plan, b.parts[i])
	}
	return plan, nil
}

// spawn measures a part in a process of its own and reports its figures as they
// come. Whatever else it prints goes to stderr.
func (b benchmark) spawn(t *testing.T, report *figures.Report, p benchPart, env []string) error {
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+b.test+"$", "-test.timeout", "20m")
	child.Env = append(os.Environ(), b.env+"="+p.name, "PART=", "JSON=")
	child.Env = append(child.Env, env...)
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

// inTurn measures every subject once in a round, the other way about in every
// other one, so that what else the machine does strikes all of them. It returns
// the values of each by round.
func inTurn[S comparable](t *testing.T, name string, rounds int, subjects []S, measure func(S) (float64, error)) map[S][]float64 {
	t.Helper()
	values, turn := make(map[S][]float64), slices.Clone(subjects)
	for range rounds {
		for _, s := range turn {
			v, err := measure(s)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			values[s] = append(values[s], v)
		}
		slices.Reverse(turn)
	}
	return values
}

// byRound divides the values of one subject by those of another, of the same
// rounds.
func byRound(of, by []float64) []float64 {
	var ratios []float64
	for i := range min(len(of), len(by)) {
		ratios = append(ratios, of[i]/by[i])
	}
	return ratios
}
