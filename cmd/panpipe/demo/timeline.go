package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// Line is one entry of the timeline; with Options.JSON each is a line of JSON.
type Line struct {
	// Seconds since the demo began.
	Seconds float64 `json:"seconds"`
	// Step is the step's name.
	Step string `json:"step"`
	// Kind is begin, note, verified, failed or end.
	Kind string `json:"kind"`
	// Text tells what happened.
	Text string `json:"text"`
	// Figures are what was measured, by name; the unit is the name's ending.
	Figures map[string]float64 `json:"figures,omitempty"`
}

// timeline writes what happens, as it happens.
type timeline struct {
	out   io.Writer
	json  bool
	began time.Time
	step  string
}

func (t *timeline) begin(step, title string) {
	t.step = step
	t.line("begin", title, nil)
}

func (t *timeline) note(format string, args ...any) {
	t.line("note", fmt.Sprintf(format, args...), nil)
}

func (t *timeline) verified(figures map[string]float64, format string, args ...any) {
	t.line("verified", fmt.Sprintf(format, args...), figures)
}

func (t *timeline) line(kind, text string, figures map[string]float64) {
	l := Line{Seconds: time.Since(t.began).Seconds(), Step: t.step, Kind: kind, Text: text, Figures: figures}
	if t.json {
		b, err := json.Marshal(l)
		if err == nil {
			fmt.Fprintf(t.out, "%s\n", b)
		}
		return
	}
	mark := map[string]string{"begin": "──", "note": "  ", "verified": "ok", "failed": "!!", "end": "──"}[kind]
	if kind == "begin" {
		text = t.step + ": " + text
	}
	fmt.Fprintf(t.out, "%6.1fs  %s  %s\n", l.Seconds, mark, strings.ReplaceAll(text, "\n", "\n             "))
}
