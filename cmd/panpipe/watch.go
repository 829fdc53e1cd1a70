package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/panpipe-net/panpipe/cmd/panpipe/chat"
	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/node/control/client"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// watchStatus shows the status and what changes, until ctx ends, which is no
// failure, or the node does, which is wire.NotReady.
func (a *app) watchStatus(ctx context.Context) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	st, err := c.Status(ctx)
	if err != nil {
		return err
	}
	v := a.newView()
	if err = v.show(api.Event{ID: st.Event, Time: time.Now(), Kind: api.EventStatus, Status: &st}, st); err == nil {
		err = follow(ctx, c, st, v)
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// view shows a status when an event has come.
type view interface {
	show(e api.Event, now api.Status) error
}

func (a *app) newView() view {
	switch {
	case a.json:
		return jsonView{a}
	case isTerminal(a.out):
		return &screenView{a: a}
	}
	return &lineView{a: a}
}

// follow shows each event. What the event does not tell of the status is asked
// for anew.
func follow(ctx context.Context, c *client.Client, st api.Status, v view) error {
	for e, err := range c.Events(ctx, st.Event) {
		switch {
		case err == nil:
		case errors.Is(err, wire.Closed) || errors.Is(err, wire.NotReady):
			return wire.Errorf(wire.NotReady, "the node has left: %w", err).WithNext("start it again with panpipe up")
		default:
			return err
		}
		if e.Status != nil {
			st = *e.Status
		} else if changesStatus(e.Kind) {
			now, err := c.Status(ctx)
			if err != nil {
				continue // its events will end, too
			}
			st = now
		}
		if err := v.show(e, st); err != nil {
			return err
		}
	}
	return nil
}

// changesStatus reports that an event without status means another one.
func changesStatus(kind string) bool {
	return slices.Contains([]string{api.EventListenBound, api.EventListenClosed, api.EventListenReplaced, api.EventGap,
		api.EventGatewayRuleUp, api.EventGatewayRuleDown, api.EventGatewayChanged, api.EventGatewayRemoved}, kind)
}

// jsonView writes one object a change.
type jsonView struct{ a *app }

func (v jsonView) show(e api.Event, now api.Status) error {
	if e.Kind == api.EventGap {
		e.Status = &now // what was missed is in it
	}
	return v.a.printJSON(v.a.out, e)
}

// screenView shows the present status on a terminal.
type screenView struct {
	a     *app
	shown bool
}

func (v *screenView) show(e api.Event, now api.Status) error {
	var frame bytes.Buffer
	if !v.shown {
		frame.WriteString("\x1b[2J") // clear
		v.shown = true
	}
	frame.WriteString("\x1b[H") // home
	printStatus(&frame, now)
	fmt.Fprintf(&frame, "\nlast change %s: %s; Ctrl-C ends\n", e.Time.Local().Format(time.TimeOnly), e.Kind)
	text := strings.ReplaceAll(frame.String(), "\n", "\x1b[K\n") + "\x1b[J" // the rest of each line, and what is below
	_, err := io.WriteString(v.a.out, text)
	return err
}

// lineView writes a line for each change: first all that may change, then what
// has.
type lineView struct {
	a      *app
	before [][]string
}

func (v *lineView) show(e api.Event, now api.Status) error {
	rows := watched(now)
	var parts []string
	if e.Kind != api.EventStatus {
		parts = append(parts, eventWords(e))
	}
	if v.before == nil {
		for _, row := range rows {
			parts = append(parts, row[0]+" "+row[1])
		}
	} else {
		parts = append(parts, changes(v.before, rows)...)
	}
	v.before = rows
	if len(parts) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(v.a.out, "%s %s\n", e.Time.Local().Format(time.TimeOnly), strings.Join(parts, "; "))
	return err
}

// watched are the rows of a status that tell of change, lists in one row each.
func watched(s api.Status) [][]string {
	var rows [][]string
	for _, row := range statusRows(s) {
		switch i := len(rows) - 1; {
		case slices.Contains([]string{"peer", "overlay", "profile", "version", "up"}, row[0]):
		case i >= 0 && rows[i][0] == row[0]:
			rows[i][1] += ", " + row[1]
		default:
			rows = append(rows, []string{row[0], row[1]})
		}
	}
	return rows
}

// changes tells what differs between two statuses.
func changes(before, now [][]string) []string {
	find := func(rows [][]string, name string) string {
		for _, row := range rows {
			if row[0] == name {
				return row[1]
			}
		}
		return "none"
	}
	var all []string
	for _, row := range now {
		if was := find(before, row[0]); was != row[1] {
			all = append(all, fmt.Sprintf("%s %s (was %s)", row[0], row[1], was))
		}
	}
	for _, row := range before {
		if find(now, row[0]) == "none" {
			all = append(all, fmt.Sprintf("%s none (was %s)", row[0], row[1]))
		}
	}
	return all
}

// eventWords tells of an event in a few words.
func eventWords(e api.Event) string {
	words := e.Kind
	if e.Pipe != "" {
		words += " " + e.Pipe
	}
	if e.Connection != nil {
		c := e.Connection
		words += fmt.Sprintf(" %s %s %s over %s, %s", c.ID, map[string]string{"in": "from", "out": "to"}[c.Direction], c.Principal, c.Transport, c.Path)
	}
	switch {
	case e.Buddy != nil:
		words += fmt.Sprintf(" %s: %s", chat.NameOf(*e.Buddy), presenceText(*e.Buddy))
	case e.Account != "":
		words += " " + e.Account
	}
	if e.Gateway != nil {
		words += " " + strings.TrimSpace(e.Gateway.Rule+" "+e.Gateway.Channel)
	}
	if e.Problem != nil {
		words += ": " + e.Problem.Detail
	}
	return words
}
