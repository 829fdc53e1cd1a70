package chat

import (
	"context"
	"iter"
	"sync"
	"testing"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// fakeNode is a node of which the test decides what happens.
type fakeNode struct {
	events chan api.Event
	sent   chan string // what was written
	read   chan string // up to where was read

	mu       sync.Mutex
	gone     bool
	refusal  error // of Send
	messages []api.Message
	stop     chan struct{} // closed when the node leaves
}

func newFakeNode(messages ...api.Message) *fakeNode {
	return &fakeNode{events: make(chan api.Event), sent: make(chan string, 64), read: make(chan string, 64), messages: messages, stop: make(chan struct{})}
}

// leave has the node end its events and answer nothing until come.
func (n *fakeNode) leave() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.gone = true
	close(n.stop)
}

func (n *fakeNode) come() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.gone, n.stop = false, make(chan struct{})
}

func (n *fakeNode) answers() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.gone {
		return wire.Errorf(wire.NotReady, "no node is running")
	}
	return nil
}

func (n *fakeNode) Status(context.Context) (api.Status, error) {
	return api.Status{Event: 7}, n.answers()
}

func (n *fakeNode) ID(context.Context) (api.Identity, error) {
	return api.Identity{Peer: "here"}, n.answers()
}

func (n *fakeNode) Buddy(context.Context, string, api.BuddiesQuery) (api.Buddy, error) {
	return bob(), n.answers()
}

func (n *fakeNode) Messages(_ context.Context, _ string, q api.MessagesQuery) (page api.MessagePage, _ error) {
	if err := n.answers(); err != nil {
		return page, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	page.Messages = []api.Message{}
	for _, m := range n.messages {
		if q.Before == "" || m.Place < q.Before {
			page.Messages = append(page.Messages, m)
		}
	}
	limit := int(q.Limit)
	if limit == 0 {
		limit = 50
	}
	if over := len(page.Messages) - limit; over > 0 {
		page.Messages = page.Messages[over:]
		page.Earlier = page.Messages[0].Place
	}
	return page, nil
}

func (n *fakeNode) Send(_ context.Context, _, text string) (api.Message, error) {
	if err := n.answers(); err != nil {
		return api.Message{}, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.refusal != nil {
		return api.Message{}, n.refusal
	}
	m := wrote(len(n.messages)+1, text, api.DeliveryKept)
	n.messages = append(n.messages, m)
	n.sent <- text
	return m, nil
}

func (n *fakeNode) MarkRead(_ context.Context, _, upTo string) error {
	n.read <- upTo
	return nil
}

func (n *fakeNode) Events(ctx context.Context, _ uint64, _ ...string) iter.Seq2[api.Event, error] {
	return func(yield func(api.Event, error) bool) {
		n.mu.Lock()
		stop := n.stop
		n.mu.Unlock()
		for {
			select {
			case e := <-n.events:
				if !yield(e, nil) {
					return
				}
			case <-stop:
				yield(api.Event{}, wire.Errorf(wire.Closed, "the node has ended the events"))
				return
			case <-ctx.Done():
				yield(api.Event{}, ctx.Err())
				return
			}
		}
	}
}

// add has a message come, and tells of it.
func (n *fakeNode) add(t *testing.T, m api.Message) {
	t.Helper()
	n.mu.Lock()
	n.messages = append(n.messages, m)
	n.mu.Unlock()
	n.tell(t, api.Event{Kind: api.EventMessage, Account: m.With, Message: &m})
}

func (n *fakeNode) tell(t *testing.T, e api.Event) {
	t.Helper()
	select {
	case n.events <- e:
	case <-t.Context().Done():
	}
}
