package control

import (
	"bufio"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/discovery"
	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/node/control/client"
)

// follow returns a channel of events; it is following when follow returns.
func follow(t *testing.T, c *client.Client, since uint64) <-chan api.Event {
	t.Helper()
	st, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if since == 0 {
		since = st.Event
	}
	events := make(chan api.Event, 64)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for e, err := range c.Events(t.Context(), since) {
			if err != nil {
				return
			}
			select {
			case events <- e:
			case <-t.Context().Done():
				return
			}
		}
	}()
	t.Cleanup(func() { <-done })
	return events
}

func TestEventsTellWhatHappens(t *testing.T) {
	n, _, c := serve(t)
	events := follow(t, c, 0)
	p := createPipe(t, c, "x")
	echo(t, n, c, p.ID)
	n.states <- discovery.State{}
	if err := c.RemovePipe(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	last := uint64(0)
	for e := range events {
		if e.ID <= last {
			t.Errorf("ID %d after %d", e.ID, last)
		}
		last = e.ID
		seen[e.Kind]++
		if seen[api.EventStatus] > 0 && seen[api.EventPipeRemoved] > 0 && seen[api.EventConnectionEnded] == 2 && seen[api.EventListenClosed] == 1 {
			break
		}
	}
	for kind, count := range map[string]int{
		api.EventPipeCreated: 1, api.EventListenBound: 1, api.EventConnectionOffered: 1, api.EventConnectionOpened: 2,
	} {
		if seen[kind] != count {
			t.Errorf("%d events %s, want %d", seen[kind], kind, count)
		}
	}
}

func TestEventsResumeWhereTheReaderLeft(t *testing.T) {
	_, s, c := serve(t)
	createPipe(t, c, "a")
	left := s.hub.last()
	createPipe(t, c, "b")
	createPipe(t, c, "c")
	events := follow(t, c, left)
	for i := range uint64(2) {
		if e := <-events; e.ID != left+1+i || e.Kind != api.EventPipeCreated {
			t.Errorf("%+v", e)
		}
	}
}

func TestReaderThatWasAwayTooLongGetsAGap(t *testing.T) {
	_, s, c := serve(t)
	left := s.hub.last()
	for range keptEvents + 10 {
		s.hub.publish(api.Event{Kind: api.EventGranted})
	}
	events := follow(t, c, left)
	gap, next := <-events, <-events
	if gap.Kind != api.EventGap || gap.Gap.After != left || gap.Gap.Before != next.ID || gap.ID != next.ID-1 {
		t.Errorf("%+v, then %d", gap, next.ID)
	}
	// An ID of a node that has been restarted with an earlier clock.
	gap = <-follow(t, c, s.hub.last()+1000)
	if gap.Kind != api.EventGap {
		t.Errorf("%+v", gap)
	}
}

func TestHubKeepsRisingIDsWithoutHoles(t *testing.T) {
	h := newHub(100)
	if events, _ := h.after(99); len(events) != 0 {
		t.Errorf("%+v", events)
	}
	for range 3 * keptEvents {
		h.publish(api.Event{})
	}
	events, _ := h.after(h.last() - 500)
	if len(events) != 500 || events[0].ID != h.last()-499 || events[499].ID != h.last() {
		t.Errorf("%d events from %d", len(events), events[0].ID)
	}
}

func TestEventStreamIsServerSentEvents(t *testing.T) {
	_, s, c := serve(t)
	left := s.hub.last()
	createPipe(t, c, "x")
	r := request(t, "GET", "http://panpipe/v1/events", "")
	r.Header.Set("Last-Event-ID", strconv.FormatUint(left, 10))
	answer, err := httpClient(socketOf(s)).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if got := answer.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("media type %q", got)
	}
	lines := bufio.NewScanner(answer.Body)
	want := []string{": events", "", "id: " + strconv.FormatUint(left+1, 10), "event: pipe-created", "data: {"}
	for _, w := range want {
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), w) {
			t.Errorf("%q instead of %q", lines.Text(), w)
		}
	}
}

func TestIdleEventStreamIsKeptAlive(t *testing.T) {
	_, s, _ := serve(t)
	ticks := make(chan time.Time, 1)
	ticks <- time.Now()
	w := newPipeWriter()
	r := request(t, "GET", "http://panpipe/v1/events", "")
	done := make(chan error, 1)
	go func() { done <- s.follow(w, r.WithContext(s.ctx), s.hub.last(), ticks) }()
	for got := ""; !strings.Contains(got, ": alive\n\n"); {
		got += <-w.wrote
	}
	s.cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestEventZeroIsTheBeginningOfWhatIsKept: only a reader that names no event
// begins with the next one.
func TestEventZeroIsTheBeginningOfWhatIsKept(t *testing.T) {
	_, s, c := serve(t)
	createPipe(t, c, "x")
	for _, ask := range []func(r *http.Request){
		func(r *http.Request) { r.Header.Set("Last-Event-ID", "0") },
		func(r *http.Request) { r.URL.RawQuery = "since=0" },
	} {
		r := request(t, "GET", "http://panpipe/v1/events", "")
		ask(r)
		answer, err := httpClient(socketOf(s)).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		lines := bufio.NewScanner(answer.Body)
		for lines.Scan() && lines.Text() != "event: "+api.EventPipeCreated {
		}
		if lines.Err() != nil || lines.Text() == "" {
			t.Errorf("the pipe's making is not told: %v", lines.Err())
		}
	}
}
