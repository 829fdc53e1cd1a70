package control

import (
	"context"
	"slices"
	"time"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/link"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// place notes what carries the connection now, and what did.
func (t *tracked) place(c *api.Connection) {
	c.Transport, c.Path, c.Endpoint = string(t.far.Transport()), pathWord(t.far.Direct()), ""
	if e := t.far.RemoteEndpoint(); e != nil {
		c.Endpoint = e.String()
	}
	legs, count := t.far.Legs()
	c.Legs, c.LegCount, c.ReconnectingSince = nil, count, orNil(t.far.Waiting())
	for _, l := range legs {
		c.Legs = append(c.Legs, apiLeg(l))
	}
}

func apiLeg(l link.Leg) api.Leg {
	leg := api.Leg{
		Transport: string(l.Transport), Path: pathWord(l.Direct), Own: l.Own, Began: l.Began, Why: l.Why, Ended: orNil(l.Ended),
		Sent: l.BytesOut, Received: l.BytesIn, Replayed: l.Replayed, PauseMS: milliseconds(l.Pause),
	}
	if l.Remote != nil {
		leg.Endpoint = l.Remote.String()
	}
	if l.End != nil {
		leg.Cause, leg.Detail = wire.CodeOf(l.End).String(), l.End.Error()
	}
	return leg
}

func pathWord(direct bool) string {
	if direct {
		return pipe.PathDirect
	}
	return pipe.PathRelay
}

// orNil leaves a time out that is none.
func orNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// watchLegs tells of connections that lose their path, and go on over another.
func (s *Server) watchLegs(ctx context.Context) {
	for e := range s.cfg.Legs(ctx) {
		s.conns.legChanged(e)
	}
}

// legChanged tells what a leg's beginning or end means to its connection.
func (g *registry) legChanged(e link.Event) {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.IndexFunc(g.all, func(t *tracked) bool { return t.far.Link() == e.Link.ID() })
	if i < 0 || g.all[i].over() {
		return
	}
	t := g.all[i]
	switch _, count := t.far.Legs(); {
	case e.Leg.Ended.IsZero() && count > 1:
		g.tellLocked(api.EventConnectionMoved, t)
	case !e.Leg.Ended.IsZero() && !t.far.Waiting().IsZero():
		g.tellLocked(api.EventConnectionWaiting, t)
	}
}
