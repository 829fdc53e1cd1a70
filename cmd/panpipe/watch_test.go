package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/node/control/api"
)

func statusEvent(id uint64, s *api.Status) api.Event {
	return api.Event{ID: id, Time: time.Now(), Kind: api.EventStatus, Status: s}
}

// show has a view show statuses one after the other, and returns what each
// wrote.
func show(t *testing.T, out *bytes.Buffer, v view, events []api.Event, statuses []api.Status) []string {
	t.Helper()
	var wrote []string
	for i, e := range events {
		out.Reset()
		if err := v.show(e, statuses[i]); err != nil {
			t.Fatal(err)
		}
		wrote = append(wrote, out.String())
	}
	return wrote
}

func TestLinesTellWhatHasChangedAlone(t *testing.T) {
	first := api.Status{Role: "client", Reachability: "unknown", Addresses: []string{"/a", "/b"}}
	second := api.Status{Role: "client", Reachability: "private", Addresses: []string{"/a"}, Relays: []string{"R"}, Ready: true}
	third := second
	third.Relays = nil
	var out bytes.Buffer
	got := show(t, &out, &lineView{a: &app{out: &out}}, []api.Event{
		statusEvent(1, &first), statusEvent(2, &second), statusEvent(3, &second), {Time: time.Now(), Kind: api.EventListenBound, Pipe: "P"}, statusEvent(5, &third),
	}, []api.Status{first, second, second, second, third})
	for i, want := range []string{
		"role client; reachability unknown; ", "ready yes (was no); reachability private (was unknown); reached through relay R (was none); address /a (was /a, /b)\n",
		"", "listen-bound P\n", " reached through relay none (was R)\n",
	} {
		if !strings.Contains(got[i], want) || want == "" && got[i] != "" {
			t.Errorf("line %d is %q, want %q in it", i, got[i], want)
		}
	}
}

func TestAConnectionIsToldWithItsPeerAndPath(t *testing.T) {
	e := api.Event{Kind: api.EventConnectionOpened, Pipe: "P", Connection: &api.Connection{
		ID: "c7", Direction: "in", Principal: "peer:X", Transport: "quic-v1", Path: "relay",
	}}
	if got, want := eventWords(e), "connection-opened P c7 from peer:X over quic-v1, relay"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestObjectsAreEventsAndAGapHasTheStatus(t *testing.T) {
	now := api.Status{Peer: "P"}
	var out bytes.Buffer
	got := show(t, &out, jsonView{&app{out: &out, json: true}}, []api.Event{{ID: 7, Kind: api.EventGap, Gap: &api.Gap{After: 1, Before: 8}}}, []api.Status{now})
	var e api.Event
	if err := json.Unmarshal([]byte(got[0]), &e); err != nil || e.ID != 7 || e.Status == nil || e.Status.Peer != "P" {
		t.Errorf("%s, %v", got[0], err)
	}
}

func TestScreenIsDrawnOverTheOneBefore(t *testing.T) {
	s := api.Status{Peer: "P", Addresses: []string{"/a"}}
	var out bytes.Buffer
	got := show(t, &out, &screenView{a: &app{out: &out}}, []api.Event{statusEvent(1, &s), statusEvent(2, &s)}, []api.Status{s, s})
	if !strings.HasPrefix(got[0], "\x1b[2J\x1b[H") || !strings.HasPrefix(got[1], "\x1b[H") {
		t.Errorf("%q", got)
	}
	for _, frame := range got {
		if !strings.HasSuffix(frame, "\x1b[J") || strings.Count(frame, "\n") != strings.Count(frame, "\x1b[K\n") {
			t.Errorf("what was there before stays: %q", frame)
		}
	}
}

func TestTheRouterIsToldInWords(t *testing.T) {
	mapped := []string{"24.20.1.1:4001"}
	for want, nat := range map[string]api.NAT{
		"not asked":                                   {},
		"none has answered":                           {Asked: true},
		"forwards nothing":                            {Router: true},
		"forwards 24.20.1.1:4001":                     {Router: true, Mapped: mapped},
		"forwards nothing, behind another NAT":        {Router: true, Double: true},
		"forwards 24.20.1.1:4001, behind another NAT": {Router: true, Mapped: mapped, Double: true},
	} {
		if got := routerText(nat); got != want {
			t.Errorf("%+v: %q, want %q", nat, got, want)
		}
	}
}
