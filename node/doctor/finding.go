package doctor

import (
	"cmp"
	"slices"
)

// Severity says how much a finding matters. They rise from ok to problem.
type Severity string

// The severities.
const (
	OK      Severity = "ok"      // examined, and as it should be
	Note    Severity = "note"    // good to know; nothing needs doing
	Warning Severity = "warning" // it works, worse than it could, or may stop working
	Problem Severity = "problem" // something does not work
)

// Severities lists them, worst first.
func Severities() []Severity { return []Severity{Problem, Warning, Note, OK} }

// Finding is one thing that Examine has seen.
type Finding struct {
	Code     Code     // stable; tabled in the package comment
	Severity Severity // how much it matters
	Summary  string   // what was found, in one sentence
	Cause    string   // why, or on what evidence; may be empty
	Next     string   // what to do; empty when there is nothing to do
}

// Worst is the highest severity of all, OK of none.
func Worst(all []Finding) Severity {
	worst := OK
	for _, f := range all {
		if slices.Index(Severities(), f.Severity) < slices.Index(Severities(), worst) {
			worst = f.Severity
		}
	}
	return worst
}

// Sort puts the worst first and keeps the order of equals.
func Sort(all []Finding) {
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Compare(slices.Index(Severities(), a.Severity), slices.Index(Severities(), b.Severity))
	})
}
