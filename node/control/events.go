package control

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// aliveInterval is the time between comments in a stream without events.
const aliveInterval = 15 * time.Second

// events streams what happens, until the client or the server leaves.
func (s *Server) events(w http.ResponseWriter, r *http.Request, q api.EventsQuery, _ none) error {
	at, given := q.Since, r.URL.Query().Has("since")
	if text := r.Header.Get("Last-Event-ID"); text != "" {
		id, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return wire.Errorf(wire.BadRequest, "Last-Event-ID %q is not a number", text)
		}
		at, given = id, true
	}
	if !given {
		at = s.hub.last()
	}
	leave, err := s.attend(q.Attend)
	if err != nil {
		return err
	}
	defer leave()
	w.Header().Set("Content-Type", eventMedia)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	alive := time.NewTicker(aliveInterval)
	defer alive.Stop()
	return s.follow(w, r, at, alive.C)
}

// maxAttended is how many buddies one reader may attend to.
const maxAttended = 64

// attend attends to buddies until leave is called.
func (s *Server) attend(refs []string) (leave func(), err error) {
	var done []func()
	leave = func() {
		for _, d := range done {
			d()
		}
	}
	if len(refs) == 0 {
		return leave, nil
	}
	if len(refs) > maxAttended {
		return nil, wire.Errorf(wire.Limit, "%d buddies are attended to, at most %d", len(refs), maxAttended)
	}
	ro, err := s.roster()
	if err != nil {
		return nil, err
	}
	for _, ref := range refs {
		who, err := findBuddy(ro.Buddies(), ref)
		if err != nil {
			leave()
			return nil, err
		}
		done = append(done, ro.Attend(who))
	}
	return leave, nil
}

// follow writes the events after at as they come, and a comment on each tick
// without any. An error of writing ends it: the client has gone.
func (s *Server) follow(w http.ResponseWriter, r *http.Request, at uint64, alive <-chan time.Time) error {
	control := http.NewResponseController(w)
	comment := ": events\n\n"
	for {
		events, wake := s.hub.after(at)
		deadline(w, writeTimeout)
		if _, err := io.WriteString(w, comment); err != nil {
			return nil
		}
		for _, e := range events {
			if err := writeEvent(w, e); err != nil {
				return nil
			}
			at = e.ID
		}
		if err := control.Flush(); err != nil {
			return nil
		}
		comment = ""
		if len(events) > 0 {
			continue
		}
		select {
		case <-wake:
		case <-alive:
			comment = ": alive\n\n"
		case <-r.Context().Done():
			return nil
		}
	}
}

func writeEvent(w io.Writer, e api.Event) error {
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "id: %d\nevent: %s\ndata: %s\n\n", e.ID, e.Kind, data)
	return err
}

// watchStatus publishes the status whenever the overlay's state or the node's
// addresses have changed.
func (s *Server) watchStatus() {
	states, cancel := s.cfg.Discovery.Subscribe()
	defer cancel()
	moved, unsubscribe := s.addrEvents()
	defer unsubscribe()
	for {
		select {
		case <-s.ctx.Done():
			return
		case _, ok := <-states:
			if !ok {
				return
			}
		case _, ok := <-moved:
			if !ok {
				return
			}
		}
		st := s.fullStatus(s.ctx)
		s.hub.publish(api.Event{Kind: api.EventStatus, Status: &st})
	}
}

// addrEvents tells when the host's addresses change, those at relays included;
// never where there is no host to ask.
func (s *Server) addrEvents() (moved <-chan any, cancel func()) {
	if s.cfg.Host == nil {
		return nil, func() {}
	}
	sub, err := s.cfg.Host.EventBus().Subscribe(new(event.EvtLocalAddressesUpdated), eventbus.Name("control"))
	if err != nil {
		s.cfg.Log.Warn("changes of addresses are not told", "error", err)
		return nil, func() {}
	}
	return sub.Out(), func() { sub.Close() }
}
