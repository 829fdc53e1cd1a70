package chat

import (
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/panpipe-net/panpipe/cmd/panpipe/terminal"
	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// output keeps what was written to it.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

// take returns what was written since the last take.
func (o *output) take() string {
	synctest.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	defer o.text.Reset()
	return o.text.String()
}

func wantWritten(t *testing.T, got string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(got, w) {
			t.Errorf("%q was not written, but %q", w, got)
		}
	}
}

func TestConversationOnATerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNode(said(1, "hello"))
		keys, typing := io.Pipe()
		defer typing.Close()
		var out output
		size, resized := 40, make(chan struct{})
		ended := make(chan error, 1)
		go func() {
			ended <- Run(t.Context(), n, bob(), Screen{In: keys, Out: &out, Size: func() (int, int) { return size, 6 }, Resized: resized, Plain: true})
		}()
		wantWritten(t, out.take(), terminal.Begin, "Bob  hello", "away; what you write is kept", "\x1b[6;3H")
		typed := func(s string) {
			if _, err := io.WriteString(typing, s); err != nil {
				t.Fatal(err)
			}
		}
		typed("grü\xc3")
		typed("\x9fe\r")
		wantWritten(t, out.take(), "·  me   grüße")
		if got := <-n.sent; got != "grüße" {
			t.Errorf("sent %q", got)
		}
		n.mu.Lock()
		n.messages[1].Delivery = api.DeliveryRead
		n.mu.Unlock()
		n.tell(t, api.Event{Kind: api.EventMark, Account: "acct:bob"})
		wantWritten(t, out.take(), "✓✓ me   grüße")
		x := said(9, "evil\x1b[2J\x1b]0;x\x07")
		x.Delivery = api.DeliveryDelivered
		n.add(t, x)
		wantWritten(t, out.take(), "evil␛[2J␛]0;x␇")
		if got := <-n.read; got != x.Place {
			t.Errorf("read up to %s", got)
		}
		here := bob()
		here.Presence, here.Devices = api.PresenceConnected, []api.BuddyDevice{{Presence: api.PresenceConnected, Path: "direct"}}
		n.tell(t, api.Event{Kind: api.EventPresence, Account: "acct:bob", Buddy: &here})
		wantWritten(t, out.take(), "Bob: here, direct")
		size = 60
		resized <- struct{}{}
		wantWritten(t, out.take(), "\x1b[2J", "Bob  hello")

		typed("kept while the node is away")
		n.leave()
		wantWritten(t, out.take(), "your node does not answer; trying again")
		typed("\r")
		wantWritten(t, out.take(), "! not sent: no node is running", "> kept while the node is away")
		n.come()
		time.Sleep(again)
		wantWritten(t, out.take(), "Bob: away")
		typed("\r")
		out.take()
		if got := <-n.sent; got != "kept while the node is away" {
			t.Errorf("sent %q", got)
		}
		typed("\x04")
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if got := out.take(); !strings.HasSuffix(got, terminal.Leave) {
			t.Errorf("the terminal is left as %q", got)
		}
	})
}

func TestConversationEndsWithItsTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys, typing := io.Pipe()
		ended := make(chan error, 1)
		go func() {
			ended <- Run(t.Context(), newFakeNode(), bob(), Screen{In: keys, Out: &output{}, Size: func() (int, int) { return 40, 6 }})
		}()
		synctest.Wait()
		typing.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestConversationNeedsANode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNode()
		n.leave()
		var out output
		keys, typing := io.Pipe()
		defer typing.Close()
		if err := Run(t.Context(), n, bob(), Screen{In: keys, Out: &out}); wire.CodeOf(err) != wire.NotReady {
			t.Error(err)
		}
		if got := out.take(); got != "" {
			t.Errorf("%q was written", got)
		}
	})
}
