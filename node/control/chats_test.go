package control

import (
	"fmt"
	"strings"
	"testing"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestConversationIsReadPageByPage(t *testing.T) {
	ro := newFakeRoster(t)
	_, _, c := serve(t, withFakeRoster(ro))
	for n := range 120 {
		ro.add(fmt.Sprint(n), n%2 == 0)
	}
	next, last := 119, ""
	for pages := 0; ; pages++ {
		page, err := c.Messages(t.Context(), "bobby", api.MessagesQuery{Before: last})
		if err != nil {
			t.Fatal(err)
		}
		if pages < 2 && len(page.Messages) != defaultMessages {
			t.Errorf("page %d has %d messages", pages, len(page.Messages))
		}
		for i := len(page.Messages) - 1; i >= 0; i-- {
			if m := page.Messages[i]; m.Text != fmt.Sprint(next) || m.Mine != (next%2 == 0) || m.With != ro.bob.String() {
				t.Fatalf("%+v, want %d", m, next)
			}
			next--
		}
		if last = page.Earlier; last == "" {
			break
		}
	}
	if next != -1 {
		t.Errorf("%d messages were not told", next+1)
	}
}

func TestPageOfLongMessagesEndsEarlier(t *testing.T) {
	ro := newFakeRoster(t)
	_, _, c := serve(t, withFakeRoster(ro))
	for range 100 {
		ro.add(strings.Repeat("\x00", api.MaxMessage), false)
	}
	page, err := c.Messages(t.Context(), "bobby", api.MessagesQuery{Limit: maxMessages})
	if err != nil || len(page.Messages) != maxPageBytes/api.MaxMessage || page.Earlier != page.Messages[0].Place {
		t.Errorf("%d messages, %v", len(page.Messages), err)
	}
}

func TestMessagesAreSentReadAndCounted(t *testing.T) {
	ro := newFakeRoster(t)
	_, _, c := serve(t, withFakeRoster(ro))
	ctx := t.Context()
	text := "grüße\n\x1b[31m 日本 </script> \u2028"
	m, err := c.Send(ctx, "BOBBY", text)
	if err != nil || m.Text != text || !m.Mine || m.Delivery != api.DeliveryKept {
		t.Fatalf("%+v, %v", m, err)
	}
	for range 3 {
		ro.add("x", false)
	}
	upTo := ro.add("y", false)
	if b, err := c.Buddy(ctx, "bobby", api.BuddiesQuery{Unread: true}); err != nil || *b.Unread != 4 {
		t.Errorf("%+v, %v", b, err)
	}
	if err := c.MarkRead(ctx, "bobby", placeText(upTo.Place)); err != nil {
		t.Fatal(err)
	}
	if b, err := c.Buddy(ctx, "bobby", api.BuddiesQuery{Unread: true}); err != nil || *b.Unread != 0 {
		t.Errorf("%+v, %v", b, err)
	}
	wantCode(t, c.MarkRead(ctx, "bobby", ""), wire.BadRequest, "up_to")
	wantCode(t, c.MarkRead(ctx, "bobby", "zz"), wire.BadRequest, "not the place")
	_, err = c.Messages(ctx, "bobby", api.MessagesQuery{Before: "00"})
	wantCode(t, err, wire.BadRequest, "before")
	_, err = c.Messages(ctx, "bobby", api.MessagesQuery{Limit: 501})
	wantCode(t, err, wire.BadRequest, "above 500")
	_, err = c.Messages(ctx, "nobody", api.MessagesQuery{})
	wantCode(t, err, wire.Unknown, "no buddy")
	ro.refusal = wire.Errorf(wire.Internal, "the disk is full").WithNext("make room")
	_, err = c.Send(ctx, "bobby", "lost?")
	wantCode(t, err, wire.Internal, "disk is full")
	if wire.NextOf(err) != "make room" {
		t.Errorf("next: %q", wire.NextOf(err))
	}
}

func TestApplicationKeepsItsState(t *testing.T) {
	ro := newFakeRoster(t)
	_, _, c := serve(t, withFakeRoster(ro))
	if state, err := c.ChatState(t.Context(), "bobby"); err != nil || len(state) != 0 {
		t.Errorf("%q, %v", state, err)
	}
	if err := c.SetChatState(t.Context(), "bobby", []byte{0, 0xff, 7}); err != nil {
		t.Fatal(err)
	}
	if state, err := c.ChatState(t.Context(), "bobby"); err != nil || string(state) != "\x00\xff\x07" {
		t.Errorf("%q, %v", state, err)
	}
}

// TestEventsOfLongMessagesStayBounded: who is behind gets a gap, and the node
// keeps a few MB.
func TestEventsOfLongMessagesStayBounded(t *testing.T) {
	ro := newFakeRoster(t)
	_, s, c := serve(t, withFakeRoster(ro))
	left := s.hub.last()
	for range 500 {
		ro.add(strings.Repeat("x", api.MaxMessage), false)
	}
	if s.hub.bytes > keptEventBytes {
		t.Errorf("%d bytes of events are kept", s.hub.bytes)
	}
	events := follow(t, c, left)
	if e := <-events; e.Kind != api.EventGap {
		t.Errorf("%+v", e)
	}
}
