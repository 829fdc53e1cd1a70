// Package figures prints what benchmarks measure, in one form for people and
// programs: a line
//
//	figure NAME VALUE UNIT BOUND ok|short
//
// for each figure. BOUND is "<=X" or ">=X", or "-" where none is asked. A
// figure that misses its bound is short, and so is one that could not be
// measured, whose VALUE is "-". With the environment variable JSON set to a
// path, the same is appended there as JSON lines.
package figures

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"sync"
)

// Figure is one measured value. Its JSON form is the line of the JSON file.
type Figure struct {
	Name  string   `json:"name"`  // lower case words joined by '_', unique in a report
	Value *float64 `json:"value"` // nil: it could not be measured
	Unit  string   `json:"unit"`  // one word: "rtt", "s", "MiB", …
	Bound string   `json:"bound"` // "<=X", ">=X" or "-"
	OK    bool     `json:"ok"`
}

// String is the figure's line, without a line end.
func (f Figure) String() string {
	value, verdict := "-", "short"
	if f.Value != nil {
		value = strconv.FormatFloat(round(*f.Value), 'f', -1, 64)
	}
	if f.OK {
		verdict = "ok"
	}
	return strings.Join([]string{"figure", f.Name, value, f.Unit, f.Bound, verdict}, " ")
}

// Parse reads a figure's line back. ok is false for a line that is none.
func Parse(line string) (f Figure, ok bool) {
	words := strings.Fields(line)
	if len(words) != 6 || words[0] != "figure" || words[5] != "ok" && words[5] != "short" {
		return Figure{}, false
	}
	f = Figure{Name: words[1], Unit: words[3], Bound: words[4], OK: words[5] == "ok"}
	if words[2] != "-" {
		value, err := strconv.ParseFloat(words[2], 64)
		if err != nil {
			return Figure{}, false
		}
		f.Value = &value
	}
	return f, true
}

// Report collects figures and writes each as it comes. Its methods are safe for
// concurrent use.
type Report struct {
	mu    sync.Mutex
	out   io.Writer
	json  io.WriteCloser // nil without a JSON file
	err   error          // the first failure to write
	short int
}

// New makes a report that writes lines to out, and JSON lines to the file that
// the environment variable JSON names, if it is set.
func New(out io.Writer) (*Report, error) {
	r := &Report{out: out}
	if path := os.Getenv("JSON"); path != "" {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
		if err != nil {
			return nil, fmt.Errorf("figures: %w; set JSON to a file that can be written", err)
		}
		r.json = f
	}
	return r, nil
}

// Add reports a figure. It is judged as it is printed, with four digits: three
// round trips are three, though their packets take a microsecond to send. What
// is no finite number counts as not measured. A bound that cannot be read is a
// mistake of the caller and makes the figure short.
func (r *Report) Add(name string, value float64, unit, bound string) {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		r.Missing(name, unit, bound)
		return
	}
	r.add(Figure{Name: name, Value: &value, Unit: unit, Bound: bound, OK: holds(round(value), bound)})
}

// Missing reports that a figure could not be measured, for want of a peer or a
// tool. It is short.
func (r *Report) Missing(name, unit, bound string) {
	r.add(Figure{Name: name, Unit: unit, Bound: bound})
}

// Relay reports a figure that another process has measured and judged.
func (r *Report) Relay(f Figure) { r.add(f) }

func (r *Report) add(f Figure) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !f.OK {
		r.short++
	}
	_, err := fmt.Fprintln(r.out, f)
	r.note(err)
	if r.json != nil {
		line := json.NewEncoder(r.json)
		line.SetEscapeHTML(false)
		r.note(line.Encode(f))
	}
}

func (r *Report) note(err error) {
	if r.err == nil {
		r.err = err
	}
}

// Short is how many figures so far missed their bound or their measurement.
func (r *Report) Short() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.short
}

// Close closes the JSON file and returns the first failure to write anything.
func (r *Report) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.json != nil {
		r.note(r.json.Close())
		r.json = nil
	}
	return r.err
}

// holds reports whether value keeps bound.
func holds(value float64, bound string) bool {
	if bound == "-" {
		return true
	}
	if len(bound) < 3 {
		return false
	}
	limit, err := strconv.ParseFloat(bound[2:], 64)
	switch {
	case err != nil:
		return false
	case bound[:2] == "<=":
		return value <= limit
	case bound[:2] == ">=":
		return value >= limit
	}
	return false
}

// round keeps four significant digits of small values, which is more than any
// of them deserves, and whole numbers above that.
func round(v float64) float64 {
	if v == 0 {
		return v
	}
	digits := 3 - int(math.Floor(math.Log10(math.Abs(v))))
	if digits <= 0 {
		return math.Round(v)
	}
	scale := math.Pow(10, float64(digits))
	return math.Round(v*scale) / scale
}
