package control

import (
	"net/http"
	"sync"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/account/linking"
)

// linkDevice lets a device into the account for as long as the request lives, and
// streams what happens.
func (s *Server) linkDevice(w http.ResponseWriter, r *http.Request, _, _ none) error {
	n := s.cfg.Accounts
	if n == nil {
		return wire.Errorf(wire.Unsupported, "this node has no accounts")
	}
	ctx := r.Context()
	_ = s.readiness(ctx, grace) // otherwise the new device could not find this one
	l := &linkStream{w: w}
	d, err := n.LinkDevice(ctx, l.offered, l.failed)
	if err != nil && !l.begun {
		return err
	}
	last := api.LinkEvent{Kind: api.LinkClosed, Problem: api.ProblemOf(err)}
	if err == nil {
		a, _ := n.Account()
		last = api.LinkEvent{Kind: api.LinkLinked, Device: d.ID.String(), Name: a.Profile().DeviceName(d.ID)}
	}
	l.write(last)
	return nil
}

// linkStream writes the events of a linking.
type linkStream struct {
	mu    sync.Mutex // guards what follows
	w     http.ResponseWriter
	begun bool
}

func (l *linkStream) offered(o linking.Offer) {
	l.write(api.LinkEvent{Kind: api.LinkOffered, Code: o.Code, Ticket: o.Ticket, Expires: &o.Expires})
}

func (l *linkStream) failed(a linking.Attempt) {
	l.write(api.LinkEvent{Kind: api.LinkFailed, Device: a.Device.String(), Problem: api.ProblemOf(a.Err)})
}

// write writes a line. A client that has left is told by the request's context.
func (l *linkStream) write(e api.LinkEvent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.begun {
		l.begun = true
		l.w.Header().Set("Content-Type", ndjsonMedia)
		l.w.Header().Set("Cache-Control", "no-store")
		l.w.WriteHeader(http.StatusOK)
	}
	_ = writeLine(l.w, e)
}
