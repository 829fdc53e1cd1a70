package pipe

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/link"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/trunk"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// LinkService is the service of package link that carries pipe connections.
const LinkService = "pipe"

// way is which paths a connection may take: the key of its link's route.
type way struct {
	pipe      ID
	policy    PathPolicy
	transport reach.Transport // required; Any for no choice
	allowed   string          // transports of the pipe, joined by commas; empty: all
	accepted  bool            // leads back to a dialer: no record tells where that is
}

// wayOf is the way of connections to a pipe, dialled with these options.
func wayOf(id ID, a Advertisement, o DialOptions) way {
	w := way{pipe: id, policy: o.PathPolicy, transport: o.Transport}
	names := make([]string, len(a.Transports))
	for i, t := range a.Transports {
		names[i] = string(t)
	}
	w.allowed = strings.Join(names, ",")
	return w
}

// transports are those that may carry the connection, Any alone for no choice.
func (w way) transports() []reach.Transport {
	switch {
	case w.transport != reach.Any:
		return []reach.Transport{w.transport}
	case w.allowed == "":
		return []reach.Transport{reach.Any}
	}
	var out []reach.Transport
	for name := range strings.SplitSeq(w.allowed, ",") {
		out = append(out, reach.Transport(name))
	}
	return out
}

// fits reports that a path may carry the connection.
func (w way) fits(p reach.Path) bool {
	if !p.Direct() && w.policy == DirectOnly {
		return false
	}
	of := w.transports()
	return of[0] == reach.Any || slices.Contains(of, p.Transport())
}

// wants are the paths to try, in order.
func (w way) wants(base reach.Want) []reach.Want {
	of := w.transports()
	return w.policy.wants(base, of, of[0] == reach.Any || slices.Contains(of, reach.Relay))
}

// linksWith reports that connections with a peer are links, as far as is known.
func (s *Service) linksWith(p peer.ID) bool {
	return s.cfg.Links != nil && !s.cfg.Reach.Lacks(p, trunk.Protocol(s.cfg.Overlay))
}

// openLink opens a link on a path.
func (s *Service) openLink(ctx context.Context, p reach.Path, o streamOptions) (carrier, error) {
	var key any = o.way // one object for all that stays with the link
	l, err := s.cfg.Links.Open(ctx, p, link.Options{
		Service: LinkService, Route: link.Route{Key: key}, Grace: o.grace, Prompt: !o.lasting, Late: o.late,
		Only: func(p reach.Path) bool { return key.(way).fits(p) },
	})
	if err != nil {
		return carrier{}, err
	}
	release := s.follow(link.Route{Peer: p.Peer(), Key: key})
	return carrier{stream: held(linkStream{l}, release), link: l, opened: placeOf(p), path: p, late: o.late}, nil
}

// acceptLink takes a link that another node has opened.
func (s *Service) acceptLink(l *link.Link) {
	if !s.begin() {
		l.Reset(wire.Closed, "the node shuts down")
		return
	}
	defer s.tasks.Done()
	stop := context.AfterFunc(s.ctx, func() { l.Reset(wire.Closed, "the node shuts down") })
	defer stop()
	c := carrier{stream: linkStream{l}, link: l, opened: place{peer: l.Peer()}}
	c.opened = c.place()
	s.acceptCarrier(s.ctx, c)
}

// words is where the first words of this side are written.
func (c carrier) words() io.Writer {
	if c.late && c.link != nil {
		return lateWriter{c.link}
	}
	return c
}

// lateWriter writes what may wait for a moment.
type lateWriter struct{ l *link.Link }

func (w lateWriter) Write(b []byte) (int, error) { return w.l.WriteLate(b) }

// linkStream is a link as a stream.
type linkStream struct{ *link.Link }

// Reset drops the link.
func (l linkStream) Reset() error {
	l.Link.Reset(wire.Gone, "the pipe connection was dropped")
	return nil
}

// errRaw is why a binder is dialled once more.
var errRaw = wire.Errorf(wire.Unsupported, "the far side takes no link for this pipe, a raw stream is tried")

// wantsRaw reports that a link has failed since the far side takes raw streams
// alone: it speaks no trunk, no links, no such service, or says so.
func (c carrier) wantsRaw() bool {
	return c.link != nil && wire.CodeOf(c.link.Err()) == wire.Unsupported
}
