package link

import (
	"fmt"
	"io"
	"sync"
)

// matrix counts how often each fault struck at each step, in runs of the pure
// machines and of real hosts.
type matrix struct {
	mu   sync.Mutex
	runs [2]int
	hits [2][faults][steps]int
	tiny int
}

const (
	pureRuns = iota
	hostRuns
)

// add counts in what another has counted.
func (m *matrix) add(o *matrix) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tiny += o.tiny
	for k := range m.hits {
		m.runs[k] += o.runs[k]
		for f := range m.hits[k] {
			for p := range m.hits[k][f] {
				m.hits[k][f][p] += o.hits[k][f][p]
			}
		}
	}
}

// print shows the matrix: pure runs, and real hosts after the stroke.
func (m *matrix) print(w io.Writer) {
	fmt.Fprintf(w, "%-18s", "fault \\ step")
	for p := range steps {
		fmt.Fprintf(w, "%12s", p)
	}
	fmt.Fprintln(w)
	for f := range faults {
		fmt.Fprintf(w, "%-18s", f)
		for p := range steps {
			text := fmt.Sprintf("%d/%d", m.hits[pureRuns][f][p], m.hits[hostRuns][f][p])
			if impossible[cell{f, p}] != "" {
				text = "-"
			}
			fmt.Fprintf(w, "%12s", text)
		}
		fmt.Fprintln(w)
	}
	for _, why := range []string{noLeg, nobodyElse, notHeard, noneToKeep, isFrozen, isOver, noImporter} {
		fmt.Fprintf(w, "- %s:", why)
		for f := range faults {
			for p := range steps {
				if impossible[cell{f, p}] == why {
					fmt.Fprintf(w, " %s;", cell{f, p})
				}
			}
		}
		fmt.Fprintln(w)
	}
}

// missing lists what never happened and could have.
func (m *matrix) missing() (all []cell) {
	for _, c := range possible {
		if m.hits[pureRuns][c.f][c.at]+m.hits[hostRuns][c.f][c.at] == 0 {
			all = append(all, c)
		}
	}
	return all
}
