//go:build figures

package integration

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/panpipe-net/panpipe/integration/figures"
)

// runAll measures each job in a process of its own, atOnce at the same time,
// and reports their figures in the order of the plan. It returns the values.
func runAll(t *testing.T, report *figures.Report, plan []job, atOnce int) map[string]float64 {
	if len(plan) < atOnce {
		atOnce = len(plan)
	}
	results := make([][]figures.Figure, len(plan))
	next := make(chan int, len(plan))
	for i := range plan {
		next <- i
	}
	close(next)
	var workers sync.WaitGroup
	for range atOnce {
		workers.Go(func() {
			for i := range next {
				var err error
				if results[i], err = plan[i].spawn(t); err != nil {
					t.Errorf("world %s: %v", plan[i].name, err)
				}
			}
		})
	}
	workers.Wait()
	values := make(map[string]float64)
	for _, figs := range results {
		for _, f := range figs {
			report.Relay(f)
			if f.Value != nil {
				values[f.Name] = *f.Value
			}
		}
	}
	return values
}

// spawn runs this binary once more for one world, and collects its figures.
// Whatever else it prints goes to stderr.
func (j job) spawn(t *testing.T) (figs []figures.Figure, err error) {
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestOverlayFigures$", "-test.timeout", "1h")
	child.Env = append(os.Environ(), "WORLD="+j.name, "JSON=")
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := child.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		fmt.Fprintf(os.Stderr, "%s: %s\n", j.name, lines.Text())
		if f, ok := figures.Parse(lines.Text()); ok {
			figs = append(figs, f)
		}
	}
	_, _ = io.Copy(io.Discard, out) // after a line too long to scan
	return figs, child.Wait()
}
