package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/mattn/go-isatty"

	"github.com/panpipe-net/panpipe/cmd/panpipe/terminal"
	"github.com/panpipe-net/panpipe/node/control/client"
)

// app is what all commands share: the streams, and the flags that every
// command has.
type app struct {
	in       io.Reader
	out, err io.Writer

	json    bool
	quiet   bool
	verbose int
	profile string
	socket  string
}

// client is the client of the chosen node.
func (a *app) client() (*client.Client, error) {
	if err := client.CheckProfile(a.profile); err != nil {
		return nil, err
	}
	return client.New(client.Config{Profile: a.profile, Socket: a.socket}), nil
}

// print writes the result of a command: v as one line of JSON, or what human
// writes.
func (a *app) print(v any, human func(w io.Writer)) error {
	if a.json {
		return a.printJSON(a.out, v)
	}
	human(a.out)
	return nil
}

func (a *app) printJSON(w io.Writer, v any) error {
	var line bytes.Buffer
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(terminal.JSON(line.Bytes()))
	return err
}

// table writes rows in columns under a heading, two spaces apart.
func table(w io.Writer, rows [][]string) {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], terminal.Width(cell))
		}
	}
	for _, row := range rows {
		for i, cell := range row {
			if i < len(row)-1 {
				cell = terminal.Pad(cell, widths[i]+2)
			}
			fmt.Fprint(w, cell)
		}
		fmt.Fprintln(w)
	}
}

// progress tells a person what goes on: on a terminal, or when asked with -v.
func (a *app) progress(format string, args ...any) {
	if a.quiet || a.verbose == 0 && !isTerminal(a.err) {
		return
	}
	fmt.Fprintf(a.err, format+"\n", args...)
}

// isTerminal reports whether a stream is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && (isatty.IsTerminal(f.Fd()) || isatty.IsCygwinTerminal(f.Fd()))
}

// bold marks text on a terminal, unless NO_COLOR is set (no-color.org).
func (a *app) bold(w io.Writer, text string) string {
	if os.Getenv("NO_COLOR") != "" || !isTerminal(w) {
		return text
	}
	return "\x1b[1m" + text + "\x1b[0m"
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
