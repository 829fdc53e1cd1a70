package control

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/account"
	"github.com/panpipe-net/panpipe/session/roster"
)

// Handlers of the routes of buddies and requests.

// roster returns that of the node's account.
func (s *Server) roster() (Roster, error) {
	if s.cfg.Roster == nil {
		return nil, wire.Errorf(wire.Unsupported, "this node has no accounts")
	}
	return s.cfg.Roster()
}

// withRoster is a handler that needs an account.
func withRoster[Q, B, A any](s *Server, fn func(ro Roster, r *http.Request, q Q, b B) (A, error)) endpoint {
	return call(func(r *http.Request, q Q, b B) (a A, err error) {
		ro, err := s.roster()
		if err != nil {
			return a, err
		}
		return fn(ro, r, q, b)
	})
}

// withBuddy is a handler that is about one account, named in the path.
func withBuddy[Q, B, A any](s *Server, fn func(ro Roster, r *http.Request, who identity.Principal, q Q, b B) (A, error)) endpoint {
	return withRoster(s, func(ro Roster, r *http.Request, q Q, b B) (a A, err error) {
		who, err := findBuddy(ro.Buddies(), r.PathValue("buddy"))
		if err != nil {
			return a, err
		}
		return fn(ro, r, who, q, b)
	})
}

// maxUnread is where counting ends.
const maxUnread = 100

func (s *Server) buddies(ro Roster, r *http.Request, q api.BuddiesQuery, _ none) (api.BuddyList, error) {
	list := api.BuddyList{Buddies: []api.Buddy{}}
	for _, b := range ro.Buddies() {
		told, err := withUnread(r.Context(), ro, b, q)
		if err != nil {
			return api.BuddyList{}, err
		}
		list.Buddies = append(list.Buddies, told)
	}
	return list, nil
}

func (s *Server) buddy(ro Roster, r *http.Request, who identity.Principal, q api.BuddiesQuery, _ none) (api.Buddy, error) {
	b, ok := ro.Buddy(who)
	if !ok {
		return api.Buddy{}, noBuddy(who.String())
	}
	return withUnread(r.Context(), ro, b, q)
}

func withUnread(ctx context.Context, ro Roster, b roster.Buddy, q api.BuddiesQuery) (api.Buddy, error) {
	told := apiBuddy(b)
	if !q.Unread {
		return told, nil
	}
	n, err := ro.Unread(ctx, b.Account, maxUnread)
	told.Unread = &n
	return told, err
}

// ask asks an account. That nobody there could be told yet is no failure: the
// request is kept.
func (s *Server) ask(ro Roster, r *http.Request, _ none, q api.AskRequest) (api.AskAnswer, error) {
	who, err := parseAccount(q.Account)
	if err != nil {
		return api.AskAnswer{}, err
	}
	if who == ro.Account() {
		return api.AskAnswer{}, wire.Errorf(wire.BadRequest, "%s is this node's own account", who).
			WithNext("panpipe account show prints the ID on the other's node")
	}
	ctx, cancel := context.WithTimeout(r.Context(), opTimeout)
	defer cancel()
	_ = s.readiness(ctx, grace) // otherwise it would have to be tried again
	_, err = ro.Ask(ctx, who, q.Note)
	b, known := ro.Buddy(who)
	switch wire.CodeOf(err) {
	case wire.OK:
	case wire.Unbound, wire.Unreachable, wire.Timeout, wire.NotReady:
		if !known || b.State != account.Requested {
			return api.AskAnswer{}, err
		}
		err = notTold(err)
	default:
		return api.AskAnswer{}, err
	}
	return api.AskAnswer{Buddy: apiBuddy(b), Problem: api.ProblemOf(err)}, nil
}

// notTold says of a request that is kept why nobody has it yet.
func notTold(err error) error {
	switch code := wire.CodeOf(err); code {
	case wire.Unbound:
		return wire.Errorf(code, "none of its devices is found: they are off, or it takes no requests, or the ID is wrong").
			WithNext("if the ID is right, nothing: it is told when a device is there")
	case wire.NotReady:
		return err
	default:
		return wire.Errorf(code, "its devices are found, but not reached: %w", err).WithNext("nothing: it is told when one is reached")
	}
}

func (s *Server) removeBuddy(ro Roster, r *http.Request, who identity.Principal, _, _ none) (none, error) {
	return none{}, ro.Remove(r.Context(), who)
}

func (s *Server) block(ro Roster, r *http.Request, who identity.Principal, _, _ none) (none, error) {
	return none{}, ro.Block(r.Context(), who)
}

func (s *Server) unblock(ro Roster, r *http.Request, who identity.Principal, _, _ none) (none, error) {
	return none{}, ro.Unblock(r.Context(), who)
}

func (s *Server) setPetname(ro Roster, r *http.Request, who identity.Principal, _ none, q api.PetnameRequest) (none, error) {
	if err := free(ro.Buddies(), who, q.Petname); err != nil {
		return none{}, err
	}
	return none{}, ro.SetPetname(r.Context(), who, q.Petname)
}

// free refuses a petname that would not be found, or that another buddy has.
func free(all []roster.Buddy, who identity.Principal, name string) error {
	if _, err := identity.ParsePrincipal(name); err == nil || strings.HasPrefix(name, accountPrefix) {
		return wire.Errorf(wire.BadRequest, "the petname %q would be taken for an ID", name)
	}
	if name != strings.TrimSpace(name) {
		return wire.Errorf(wire.BadRequest, "the petname %q begins or ends with a space", name)
	}
	i := slices.IndexFunc(all, func(b roster.Buddy) bool { return b.Account != who && name != "" && strings.EqualFold(b.Petname, name) })
	if i >= 0 {
		return wire.Errorf(wire.Taken, "%s is called %q already", all[i].Account, all[i].Petname).WithNext("choose another petname, or take that one away first")
	}
	return nil
}

func (s *Server) requests(ro Roster, _ *http.Request, _, _ none) (api.BuddyRequestList, error) {
	list := api.BuddyRequestList{Requests: []api.BuddyRequest{}}
	for _, q := range ro.Requests() {
		list.Requests = append(list.Requests, apiRequest(q))
	}
	return list, nil
}

func (s *Server) accept(ro Roster, r *http.Request, _, _ none) (api.Buddy, error) {
	who, err := findRequest(ro.Requests(), r.PathValue("account"))
	if err != nil {
		return api.Buddy{}, err
	}
	if err := ro.Accept(r.Context(), who); err != nil {
		return api.Buddy{}, err
	}
	b, _ := ro.Buddy(who)
	return apiBuddy(b), nil
}

func (s *Server) decline(ro Roster, r *http.Request, _, _ none) (none, error) {
	who, err := findRequest(ro.Requests(), r.PathValue("account"))
	if err != nil {
		return none{}, err
	}
	return none{}, ro.Decline(r.Context(), who)
}

func (s *Server) setPresence(ro Roster, _ *http.Request, _ none, q api.PresenceRequest) (none, error) {
	return none{}, ro.SetStatus(q.Status)
}

func (s *Server) sessions(ro Roster, _ *http.Request, _, _ none) (api.SessionList, error) {
	list := api.SessionList{Sessions: []api.Session{}}
	for _, x := range ro.Sessions() {
		list.Sessions = append(list.Sessions, api.Session{
			Account: x.Account.String(), Device: x.Device.String(), Kind: x.Kind, Since: x.Since, Path: pathWord(x.Direct),
		})
	}
	return list, nil
}
