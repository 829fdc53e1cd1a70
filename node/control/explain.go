package control

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Handlers of the routes that tell why something does not work.

// doctor examines the node.
func (s *Server) doctor(r *http.Request, _, _ none) (api.Diagnosis, error) {
	if s.cfg.Doctor == nil {
		return api.Diagnosis{}, errNoDoctor()
	}
	return s.examiner.diagnosis(r.Context())
}

func errNoDoctor() error {
	return wire.Errorf(wire.Unsupported, "this program does not examine its node")
}

// explain tells about a pipe, a peer where ref is one's ID or principal, or the
// contact pipe of an account.
func (s *Server) explain(r *http.Request, q api.DialQuery, _ none) (api.Explanation, error) {
	o, err := dialOptions(q)
	if err != nil {
		return api.Explanation{}, err
	}
	ref := strings.TrimSpace(r.PathValue("ref"))
	if strings.HasPrefix(ref, accountPrefix) {
		return s.explainAccount(r, ref, o)
	}
	id, isPeer, err := peerRef(ref)
	if err != nil {
		return api.Explanation{}, err
	}
	if isPeer {
		return s.explainPeer(r.Context(), id, q, o)
	}
	return s.explainRef(r, o)
}

// peerRef reads a reference that is a peer's: a peer ID, a principal, or an
// address that ends in one. What
// begins like a principal or an address and is none is wire.BadRequest.
func peerRef(ref string) (id peer.ID, ok bool, err error) {
	if strings.HasPrefix(ref, "/") {
		if id, err = addrPeer(ref); err != nil {
			return "", false, err
		}
		return id, true, nil
	}
	who, err := identity.ParsePrincipal(ref)
	switch {
	case err != nil && strings.HasPrefix(ref, identity.KindPeer.String()+":"):
		return "", false, err
	case err != nil:
		return "", false, nil // of a pipe, or nothing at all, which the pipes will tell
	}
	id, ok = who.Peer()
	return id, ok, nil
}

// addrPeer is the peer at whose ID a multiaddr ends.
func addrPeer(text string) (peer.ID, error) {
	a, err := ma.NewMultiaddr(text)
	if err == nil {
		if _, id := peer.SplitAddr(a); id != "" {
			return id, nil
		}
		err = errors.New("it does not end in /p2p and a peer ID")
	}
	return "", wire.Errorf(wire.BadRequest, "not the address of a peer: %w", err).
		WithNext("name a peer ID, an address that ends in /p2p/ID, or a pipe")
}

// explainAccount tells how the pipe is found and reached at which an account takes
// requests.
func (s *Server) explainAccount(r *http.Request, ref string, o pipe.DialOptions) (api.Explanation, error) {
	who, err := parseAccount(ref)
	if err != nil {
		return api.Explanation{}, err
	}
	e := s.explainPipe(r.Context(), pipe.ContactPipe(who).ID(), o)
	e.Account = who.String()
	if p := e.Problem; p != nil && p.Code == wire.Unbound.String() {
		e.Problem = api.ProblemOf(wire.Errorf(wire.Unbound, "no device of %s takes requests: they are off, its contact is off, or the ID is wrong", who).
			WithNext("panpipe account show on its node tells the ID and whether contact is on"))
	}
	return e, nil
}

// explainRef tells about a pipe by ID or name.
func (s *Server) explainRef(r *http.Request, o pipe.DialOptions) (api.Explanation, error) {
	id, _, err := s.lookup(r)
	if wire.CodeOf(err) == wire.Unknown {
		return api.Explanation{}, wire.Errorf(wire.Unknown, "%w, nor a peer", err).
			WithNext("name a pipe (panpipe pipe ls), a peer ID or peer:ID (panpipe peers), or an address that ends in /p2p/ID")
	}
	if err != nil {
		return api.Explanation{}, err
	}
	return s.explainPipe(r.Context(), id, o), nil
}

// explainPipe resolves and dials.
func (s *Server) explainPipe(ctx context.Context, id pipe.ID, o pipe.DialOptions) api.Explanation {
	ctx, cancel := context.WithTimeout(ctx, opTimeout+o.Wait)
	defer cancel()
	notReady := s.readiness(ctx, grace)
	e := apiExplanation(s.cfg.Pipes.Explain(ctx, id, o))
	e.Connections = s.conns.live(id.String())
	if !e.Found && notReady != nil {
		e.Problem = api.ProblemOf(notReady)
	}
	return e
}

// explainPeer tries to reach a peer.
func (s *Server) explainPeer(ctx context.Context, id peer.ID, q api.DialQuery, o pipe.DialOptions) (api.Explanation, error) {
	if s.cfg.Doctor == nil {
		return api.Explanation{}, errNoDoctor()
	}
	if len(q.Binder) > 0 || q.Wait != 0 || q.Capability != "" || q.NoCache || q.Spread || q.Raw || q.Grace != 0 {
		return api.Explanation{}, wire.Errorf(wire.BadRequest, "%s is a peer: of the options for a dial only transport and path go with it", id).
			WithNext("leave out the others, or name a pipe")
	}
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	facts, verdict := s.cfg.Doctor.ExplainPeer(ctx, id, o.Transport, o.PathPolicy == pipe.DirectOnly)
	return apiPeerExplanation(id, facts, verdict), nil
}
