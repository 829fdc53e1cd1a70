package control

import (
	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/session/roster"
)

// From the values of the roster to the types of the API.

func apiBuddy(b roster.Buddy) api.Buddy {
	a := api.Buddy{
		Account: b.Account.String(), Petname: b.Petname, Name: b.Name, State: b.State.String(), Blocked: b.Blocked,
		Presence: b.Presence.String(), Known: b.Known, Status: b.Status, Devices: []api.BuddyDevice{},
		Seen: orNil(b.Seen), Attended: b.Attended,
	}
	for _, d := range b.Devices {
		x := api.BuddyDevice{Peer: d.ID.String(), Presence: d.Presence.String(), Since: orNil(d.Since)}
		if d.Presence == roster.Connected {
			x.Path = pathWord(d.Direct)
		}
		a.Devices = append(a.Devices, x)
	}
	return a
}

func apiRequest(q roster.Request) api.BuddyRequest {
	return api.BuddyRequest{Account: q.Account.String(), Name: q.Name, Note: q.Note, At: q.At}
}

func apiMessage(m roster.Message) api.Message {
	a := api.Message{
		ID: placeText(m.ID), Place: placeText(m.Place), With: m.With.String(), Mine: m.Mine, Sent: m.Sent, Text: m.Text, Delivery: m.Delivery.String(),
	}
	if id, ok := m.Author.Peer(); ok {
		a.Device = id.String()
	}
	return a
}

// rosterEvents are the kinds of the roster's events in the API.
var rosterEvents = map[roster.EventKind]string{
	roster.EventBuddy:    api.EventBuddy,
	roster.EventPresence: api.EventPresence,
	roster.EventRequest:  api.EventRequest,
	roster.EventMessage:  api.EventMessage,
	roster.EventMark:     api.EventMark,
	roster.EventState:    api.EventChatState,
	roster.EventStopped:  api.EventStopped,
	roster.EventDevices:  api.EventDevices,
	roster.EventLost:     api.EventLost,
}

// tellRoster publishes an event of the roster. Of a buddy that has changed, how
// it stands now is told with it.
func (s *Server) tellRoster(e roster.Event) {
	told := api.Event{Kind: rosterEvents[e.Kind], Problem: api.ProblemOf(e.Err)}
	if told.Kind == "" {
		return
	}
	if e.Account != (identity.Principal{}) {
		told.Account = e.Account.String()
	}
	switch e.Kind {
	case roster.EventMessage:
		m := apiMessage(e.Message)
		told.Message = &m
	case roster.EventBuddy, roster.EventPresence:
		if ro, err := s.roster(); err == nil {
			if b, ok := ro.Buddy(e.Account); ok {
				now := apiBuddy(b)
				told.Buddy = &now
			}
		}
	}
	s.hub.publish(told)
}
