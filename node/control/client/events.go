package client

import (
	"bufio"
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"strconv"
	"strings"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// maxEvent caps one line of the event stream, in bytes.
const maxEvent = 1 << 20

// Events follows what happens at the node, from after the event since on, or
// from now on if since is 0. The sequence ends with an error: the one of ctx,
// or wire.Closed when the node has left; whoever wants to go on then calls
// Events with the last ID seen. Buddies that are named are attended to meanwhile.
func (c *Client) Events(ctx context.Context, since uint64, attend ...string) iter.Seq2[api.Event, error] {
	return func(yield func(api.Event, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		header := []string{"Accept", "text/event-stream"}
		if since > 0 {
			header = append(header, "Last-Event-ID", strconv.FormatUint(since, 10))
		}
		answer, err := c.open(ctx, http.MethodGet, "/events", api.EncodeQuery(api.EventsQuery{Attend: attend}), nil, header...)
		if err != nil {
			yield(api.Event{}, err)
			return
		}
		defer answer.Body.Close()
		lines := bufio.NewScanner(answer.Body)
		lines.Buffer(nil, maxEvent)
		for lines.Scan() {
			data, ok := strings.CutPrefix(lines.Text(), "data: ")
			if !ok {
				continue
			}
			var e api.Event
			if err := json.Unmarshal([]byte(data), &e); err != nil {
				yield(e, wire.Errorf(wire.Internal, "the node's events cannot be read: %w", err))
				return
			}
			if !yield(e, nil) {
				return
			}
		}
		if ctx.Err() != nil {
			yield(api.Event{}, ctx.Err())
			return
		}
		yield(api.Event{}, wire.Errorf(wire.Closed, "the node has ended the events"))
	}
}
