package control

import (
	"encoding/hex"
	"net/http"
	"slices"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/replica"
)

// Handlers of the routes of conversations.

const (
	defaultMessages = 50
	maxMessages     = 500
	// maxPageBytes is where a page ends, whatever its limit: an answer of the
	// longest messages would be larger than a client takes.
	maxPageBytes = 1 << 20
)

func (s *Server) messages(ro Roster, r *http.Request, who identity.Principal, q api.MessagesQuery, _ none) (api.MessagePage, error) {
	before, err := parsePlace("before", q.Before)
	if err != nil {
		return api.MessagePage{}, err
	}
	if q.Limit == 0 {
		q.Limit = defaultMessages
	}
	if q.Limit > maxMessages {
		return api.MessagePage{}, wire.Errorf(wire.BadRequest, "limit %d is above %d", q.Limit, maxMessages).WithNext("read page after page, with before")
	}
	newest, err := ro.Page(r.Context(), who, before, int(q.Limit)+1)
	if err != nil {
		return api.MessagePage{}, err
	}
	page := api.MessagePage{Messages: []api.Message{}}
	size := 0
	for i, m := range newest {
		if size += len(m.Text); i > 0 && (i == int(q.Limit) || size > maxPageBytes) {
			page.Earlier = page.Messages[i-1].Place
			break
		}
		page.Messages = append(page.Messages, apiMessage(m))
	}
	slices.Reverse(page.Messages)
	return page, nil
}

func (s *Server) sendMessage(ro Roster, r *http.Request, who identity.Principal, _ none, q api.SendRequest) (api.Message, error) {
	m, err := ro.Send(r.Context(), who, q.Text)
	if err != nil {
		return api.Message{}, err
	}
	return apiMessage(m), nil
}

func (s *Server) markRead(ro Roster, r *http.Request, who identity.Principal, _ none, q api.ReadRequest) (none, error) {
	upTo, err := parsePlace("up_to", q.UpTo)
	if err != nil {
		return none{}, err
	}
	if upTo == (replica.ID{}) {
		return none{}, wire.Errorf(wire.BadRequest, "up_to is missing").WithNext("give the place of the last message that was seen")
	}
	return none{}, ro.MarkRead(r.Context(), who, upTo)
}

func (s *Server) chatState(ro Roster, r *http.Request, who identity.Principal, _, _ none) (api.ChatState, error) {
	state, err := ro.State(r.Context(), who)
	return api.ChatState{State: some(state)}, err
}

func (s *Server) setChatState(ro Roster, r *http.Request, who identity.Principal, _ none, q api.ChatState) (none, error) {
	return none{}, ro.SetState(r.Context(), who, q.State)
}

// parsePlace reads the place of a message; empty is the zero place.
func parsePlace(name, text string) (place replica.ID, err error) {
	if text == "" {
		return place, nil
	}
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(place) {
		return place, wire.Errorf(wire.BadRequest, "%s: %q is not the place of a message", name, text)
	}
	return replica.ID(b), nil
}

func placeText(id replica.ID) string { return hex.EncodeToString(id[:]) }
