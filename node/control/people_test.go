package control

import (
	"strings"
	"testing"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/roster"
)

func TestBuddiesComeAndGo(t *testing.T) {
	ro := newFakeRoster(t)
	_, _, c := serve(t, withFakeRoster(ro))
	ctx := t.Context()
	dave := newAccount(t).String()
	ro.refusal = wire.Errorf(wire.Unbound, "no device of it is there")
	asked, err := c.Ask(ctx, api.AskRequest{Account: dave, Note: "hello"})
	if err != nil || asked.Buddy.State != api.BuddyRequested || asked.Problem == nil || asked.Problem.Code != "unbound" || asked.Problem.Next == "" {
		t.Fatalf("%+v, %v", asked, err)
	}
	requests, err := c.Requests(ctx)
	if err != nil || len(requests) != 1 || requests[0].Name != "Carol" || requests[0].Note != "hi" {
		t.Fatalf("%+v, %v", requests, err)
	}
	if b, err := c.Accept(ctx, "carol"); err != nil || b.State != api.BuddyAccepted {
		t.Errorf("%+v, %v", b, err)
	}
	if err := c.SetPetname(ctx, ro.carol.String(), "Caz/ü %"); err != nil {
		t.Fatal(err)
	}
	b, err := c.Buddy(ctx, "Caz/ü %", api.BuddiesQuery{})
	if err != nil || b.Account != ro.carol.String() || b.Unread != nil {
		t.Fatalf("%+v, %v", b, err)
	}
	if err := c.Block(ctx, "Caz/ü %"); err != nil {
		t.Fatal(err)
	}
	if b, err = c.Buddy(ctx, ro.carol.String(), api.BuddiesQuery{}); err != nil || !b.Blocked {
		t.Errorf("%+v, %v", b, err)
	}
	if err := c.Unblock(ctx, ro.carol.String()); err != nil {
		t.Fatal(err)
	}
	if err := c.RemoveBuddy(ctx, dave); err != nil {
		t.Fatal(err)
	}
	all, err := c.Buddies(ctx, api.BuddiesQuery{Unread: true})
	if err != nil || len(all) != 2 || *all[0].Unread != 0 || all[0].Devices[0].Path != "direct" || all[1].Blocked {
		t.Errorf("%+v, %v", all, err)
	}
	if err := c.SetPresence(ctx, api.PresenceRequest{Status: "at lunch"}); err != nil || ro.status != "at lunch" {
		t.Errorf("%q, %v", ro.status, err)
	}
}

func TestWhatCannotBeABuddyIsRefused(t *testing.T) {
	ro := newFakeRoster(t)
	n, _, c := serve(t, withFakeRoster(ro))
	ctx := t.Context()
	ask := func(account, note string) error {
		_, err := c.Ask(ctx, api.AskRequest{Account: account, Note: note})
		return err
	}
	wantCode(t, ask("", ""), wire.BadRequest, "missing")
	wantCode(t, ask("bob", ""), wire.BadRequest, "no account's ID")
	wantCode(t, ask("acct:12D3", ""), wire.BadRequest, "mistyped")
	wantCode(t, ask(n.id.String(), ""), wire.BadRequest, "is a node")
	wantCode(t, ask(ro.me.String(), ""), wire.BadRequest, "own account")
	wantCode(t, ask(newAccount(t).String(), strings.Repeat("x", 300)), wire.BadRequest, "300 bytes")
	ro.refusal = wire.Errorf(wire.Forbidden, "it is blocked")
	wantCode(t, ask(newAccount(t).String(), ""), wire.Forbidden, "blocked")
	for name, code := range map[string]wire.Code{"bobby": wire.Taken, "BOBBY": wire.Taken, ro.bob.String(): wire.BadRequest, n.id.String(): wire.BadRequest, " x": wire.BadRequest, "acct:x": wire.BadRequest} {
		if err := c.SetPetname(ctx, ro.carol.String(), name); wire.CodeOf(err) != code {
			t.Errorf("the petname %q: %v, want %v", name, err, code)
		}
	}
	if err := c.SetPetname(ctx, "bobby", "bobby"); err != nil {
		t.Errorf("the petname that it has: %v", err)
	}
	_, err := c.Buddy(ctx, newAccount(t).String(), api.BuddiesQuery{})
	wantCode(t, err, wire.Unknown, "no buddy")
	_, err = c.Accept(ctx, "nobody")
	wantCode(t, err, wire.Unknown, "no request")
	wantCode(t, c.Decline(ctx, newAccount(t).String()), wire.Unknown, "has not asked")
}

func TestNodeWithoutAccountSaysSo(t *testing.T) {
	none := wire.Errorf(wire.NotReady, "this node has no account").WithNext("panpipe account new")
	_, _, c := serve(t, func(c *Config) { c.Roster = func() (Roster, error) { return nil, none } })
	_, err := c.Buddies(t.Context(), api.BuddiesQuery{})
	wantCode(t, err, wire.NotReady, "no account")
	for _, err := range c.Events(t.Context(), 0, "bob") {
		wantCode(t, err, wire.NotReady, "no account")
	}
	_, _, c = serve(t)
	_, err = c.Sessions(t.Context())
	wantCode(t, err, wire.Unsupported, "no accounts")
}

func TestRosterIsToldAsEvents(t *testing.T) {
	ro := newFakeRoster(t)
	_, _, c := serve(t, withFakeRoster(ro))
	events := follow(t, c, 0)
	ro.tell(roster.Event{Kind: roster.EventPresence, Account: ro.bob, Device: ro.device, Presence: roster.Connected})
	if e := <-events; e.Kind != api.EventPresence || e.Account != ro.bob.String() || e.Buddy == nil || e.Buddy.Presence != api.PresenceConnected {
		t.Errorf("%+v", e)
	}
	ro.add("hello", false)
	if e := <-events; e.Kind != api.EventMessage || e.Message.Text != "hello" || e.Message.Mine || e.Message.Device != ro.device.String() {
		t.Errorf("%+v", e)
	}
	ro.tell(roster.Event{Kind: roster.EventStopped, Account: ro.bob, Err: wire.Errorf(wire.Limit, "full")})
	if e := <-events; e.Kind != api.EventStopped || e.Problem.Code != "limit" {
		t.Errorf("%+v", e)
	}
	ro.tell(roster.Event{Kind: 99, Account: ro.bob}) // of a later version
	ro.tell(roster.Event{Kind: roster.EventLost, Account: identity.Principal{}})
	if e := <-events; e.Kind != api.EventLost || e.Account != "" {
		t.Errorf("%+v", e)
	}
	for k := roster.EventBuddy; k <= roster.EventLost; k++ {
		if rosterEvents[k] == "" {
			t.Errorf("the roster's event %v is not told", k)
		}
	}
}

func TestBuddiesAreAttendedToAsLongAsTheReaderReads(t *testing.T) {
	ro := newFakeRoster(t)
	_, s, c := serve(t, withFakeRoster(ro))
	for range c.Events(t.Context(), s.hub.last(), "bobby", "nobody") {
		break // an error, before anything is told
	}
	if n := <-ro.attention; n != 1 {
		t.Errorf("%d attended to", n)
	}
	if n := <-ro.attention; n != 0 {
		t.Errorf("%d attended to after a refusal", n)
	}
	s.hub.publish(api.Event{Kind: api.EventGranted})
	for _, err := range c.Events(t.Context(), s.hub.last()-1, "bobby") {
		if err != nil {
			t.Fatal(err)
		}
		if n := <-ro.attention; n != 1 {
			t.Errorf("%d attended to", n)
		}
		break
	}
	if n := <-ro.attention; n != 0 {
		t.Errorf("%d attended to when the reader has left", n)
	}
	for _, err := range c.Events(t.Context(), 0, strings.Split(strings.Repeat("bobby,", 70), ",")...) {
		wantCode(t, err, wire.Limit, "at most 64")
	}
}

func TestAccountIsExplainedByItsContactPipe(t *testing.T) {
	ro := newFakeRoster(t)
	_, _, c := serve(t, withFakeRoster(ro))
	e, err := c.Explain(t.Context(), ro.bob.String(), api.DialQuery{})
	if err != nil || e.Account != ro.bob.String() || e.Pipe != pipe.ContactPipe(ro.bob).ID().String() {
		t.Errorf("%+v, %v", e, err)
	}
	_, err = c.Explain(t.Context(), "acct:zz", api.DialQuery{})
	wantCode(t, err, wire.BadRequest, "mistyped")
}
