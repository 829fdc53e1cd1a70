package control

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Handlers of the routes that make, find and permit.

func (s *Server) pipes(r *http.Request, _, _ none) (api.PipeList, error) {
	kept, err := s.cfg.Pipes.Pipes(r.Context())
	if err != nil {
		return api.PipeList{}, err
	}
	list := api.PipeList{Pipes: []api.Pipe{}}
	for _, k := range kept {
		list.Pipes = append(list.Pipes, s.withListening(apiKeptPipe(k)))
	}
	slices.SortFunc(list.Pipes, func(a, b api.Pipe) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

func (s *Server) withListening(p api.Pipe) api.Pipe {
	p.Listening = slices.ContainsFunc(s.cfg.Pipes.Listeners(), func(l *pipe.Listener) bool { return l.Pipe().String() == p.ID })
	return p
}

func (s *Server) createPipe(r *http.Request, _ none, q api.CreateRequest) (api.Pipe, error) {
	o, err := createOptions(q)
	if err != nil {
		return api.Pipe{}, err
	}
	k, err := s.cfg.Pipes.Create(r.Context(), q.Name, o)
	if err != nil {
		return api.Pipe{}, err
	}
	s.hub.publish(api.Event{Kind: api.EventPipeCreated, Pipe: k.ID.String()})
	return apiKeptPipe(k), nil
}

// pipe tells about a pipe that the node keeps, else what it knows of the ID.
func (s *Server) pipe(r *http.Request, _, _ none) (api.Pipe, error) {
	id, a, err := s.lookup(r)
	if err != nil {
		return api.Pipe{}, err
	}
	kept, err := s.cfg.Pipes.Pipes(r.Context())
	if err != nil {
		return api.Pipe{}, err
	}
	if i := slices.IndexFunc(kept, func(k pipe.Pipe) bool { return k.ID == id }); i >= 0 {
		return s.withListening(apiKeptPipe(kept[i])), nil
	}
	if a == nil {
		return api.Pipe{}, wire.Errorf(wire.Unknown, "this node knows nothing of the pipe %s", id).
			WithNext("ask the overlay: panpipe pipe resolve %s", id)
	}
	return s.withListening(apiPipe(id, a)), nil
}

func (s *Server) lookup(r *http.Request) (pipe.ID, *pipe.Advertisement, error) {
	return s.cfg.Pipes.Lookup(r.Context(), r.PathValue("ref"))
}

func (s *Server) removePipe(r *http.Request, _, _ none) (none, error) {
	id, _, err := s.lookup(r)
	if err != nil {
		return none{}, err
	}
	if err := s.cfg.Pipes.Remove(r.Context(), r.PathValue("ref")); err != nil {
		return none{}, err
	}
	s.hub.publish(api.Event{Kind: api.EventPipeRemoved, Pipe: id.String()})
	return none{}, nil
}

// opTimeout bounds what the overlay is asked to do, beside the time that the
// caller wants to wait for a binder.
const opTimeout = time.Minute

func (s *Server) resolve(r *http.Request, q api.ResolveQuery, _ none) (api.Resolution, error) {
	o, err := resolveOptions(q)
	if err != nil {
		return api.Resolution{}, err
	}
	id, _, err := s.lookup(r)
	if err != nil {
		return api.Resolution{}, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), opTimeout+o.Wait)
	defer cancel()
	var found *pipe.Resolution
	err = s.whenReady(ctx, func() (err error) {
		found, err = s.cfg.Pipes.Resolve(ctx, id, o)
		return err
	})
	if err != nil {
		return api.Resolution{}, err
	}
	return apiResolution(found), nil
}

// whenReady gives a node that has just been started the time to join, does
// op in any case, and if that finds nobody tells that the node has not joined:
// then the pipe may well be served.
func (s *Server) whenReady(ctx context.Context, op func() error) error {
	notReady := s.readiness(ctx, grace)
	err := op()
	switch wire.CodeOf(err) {
	case wire.Unbound, wire.Unknown, wire.Unreachable, wire.Timeout:
		if notReady != nil {
			return notReady
		}
	}
	return err
}

func (s *Server) grants(r *http.Request, _, _ none) (api.GrantList, error) {
	id, own, err := s.lookup(r)
	if err != nil {
		return api.GrantList{}, err
	}
	given, err := s.cfg.Pipes.Grants(r.Context(), id)
	if err != nil {
		return api.GrantList{}, err
	}
	if len(given) == 0 && own == nil {
		return api.GrantList{}, wire.Errorf(wire.Unknown, "pipe %s is none of this node's: what was granted is known at its owner's alone", id).
			WithNext("ask there; panpipe pipe resolve %s tells who owns it", id)
	}
	list := api.GrantList{Grants: []api.Grant{}}
	for _, g := range given {
		list.Grants = append(list.Grants, apiGrantRecord(g))
	}
	return list, nil
}

func (s *Server) grant(r *http.Request, _ none, q api.GrantRequest) (api.Grant, error) {
	o, err := grantOptions(q)
	if err != nil {
		return api.Grant{}, err
	}
	id, _, err := s.lookup(r)
	if err != nil {
		return api.Grant{}, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), opTimeout)
	defer cancel()
	text, c, err := s.cfg.Pipes.Grant(ctx, id, o)
	if err != nil {
		return api.Grant{}, err
	}
	s.hub.publish(api.Event{Kind: api.EventGranted, Pipe: id.String()})
	return apiGrant(id, text, c), nil
}

func (s *Server) revoke(r *http.Request, _ none, q api.RevokeRequest) (none, error) {
	if q.Capability == "" {
		return none{}, wire.Errorf(wire.BadRequest, "a revocation needs the capability's text or nonce")
	}
	ctx, cancel := context.WithTimeout(r.Context(), opTimeout)
	defer cancel()
	if err := s.cfg.Pipes.Revoke(ctx, q.Capability); err != nil {
		return none{}, err
	}
	s.hub.publish(api.Event{Kind: api.EventRevoked})
	return none{}, nil
}
