package chat

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// lines runs a conversation line by line until ended is received from.
func lines(ctx context.Context, n Node, l Lines) (ended chan error) {
	ended = make(chan error, 1)
	go func() {
		l.Zone = time.UTC
		ended <- l.Run(ctx, n, bob())
	}()
	return ended
}

func TestEachLineIsAMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNode()
		var out strings.Builder
		if err := <-lines(t.Context(), n, Lines{In: strings.NewReader("one\r\n\n  \ntwo words\nlast without an end"), Out: &out}); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"one", "two words", "last without an end"} {
			if got := <-n.sent; got != want {
				t.Errorf("sent %q, want %q", got, want)
			}
		}
		if out.Len() > 0 {
			t.Errorf("wrote %q", out.String())
		}
	})
}

func TestWhatComesIsWrittenOnceAndCountsAsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNode(said(1, "old"), said(2, "older"))
		ctx, cancel := context.WithCancel(t.Context())
		var out strings.Builder
		ended := lines(ctx, n, Lines{In: strings.NewReader(""), Out: &out, Follow: true, History: 1})
		if upTo := <-n.read; upTo != said(2, "").Place {
			t.Errorf("read up to %s", upTo)
		}
		n.add(t, said(3, "two\nlines \x1b[31m"))
		mine := wrote(4, "from my phone", api.DeliveryKept)
		mine.Device = "phone"
		n.add(t, mine)
		mine = wrote(5, "from here", api.DeliveryKept)
		mine.Device = "here"
		n.add(t, mine)
		other := said(6, "of another conversation")
		other.With = "acct:eve"
		n.tell(t, api.Event{Kind: api.EventMessage, Account: "acct:eve", Message: &other})
		n.mu.Lock()
		n.messages = append(n.messages, said(7, "missed"))
		n.mu.Unlock()
		n.tell(t, api.Event{Kind: api.EventGap})
		missed := said(7, "missed")
		n.tell(t, api.Event{Kind: api.EventMessage, Account: "acct:bob", Message: &missed})
		synctest.Wait()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		want := "2026-11-22 12:02:00 Bob: older\n2026-11-22 12:03:00 Bob: two\n    lines ␛[31m\n2026-11-22 12:04:00 me: from my phone\n2026-11-22 12:07:00 Bob: missed\n"
		if out.String() != want {
			t.Errorf("wrote\n%s\nwant\n%s", out.String(), want)
		}
	})
}

func TestObjectsHaveTheTextAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNode()
		ctx, cancel := context.WithCancel(t.Context())
		var out strings.Builder
		ended := lines(ctx, n, Lines{In: strings.NewReader(""), Out: &out, Follow: true, JSON: true})
		text := "two\nlines \x1b[31m\u009b\u202e"
		n.add(t, said(1, text))
		synctest.Wait()
		cancel()
		<-ended
		var m api.Message
		if err := json.Unmarshal([]byte(out.String()), &m); err != nil || m.Text != text {
			t.Errorf("%q, %v", out.String(), err)
		}
		if strings.ContainsAny(out.String(), "\x1b\u009b\u202e") || strings.Count(out.String(), "\n") != 1 {
			t.Errorf("%q", out.String())
		}
	})
}

func TestLineThatCannotBeKeptIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNode()
		n.refusal = wire.Errorf(wire.Internal, "the disk is full").WithNext("make room")
		err := <-lines(t.Context(), n, Lines{In: strings.NewReader("precious\nmore\n"), Out: io.Discard, Follow: true})
		if wire.CodeOf(err) != wire.Internal || !strings.Contains(err.Error(), `not sent: "precious": the disk is full`) || wire.NextOf(err) != "make room" {
			t.Errorf("%v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		err := <-lines(t.Context(), newFakeNode(), Lines{In: strings.NewReader(strings.Repeat("x", api.MaxMessage+10) + "\n"), Out: io.Discard})
		if wire.CodeOf(err) != wire.TooLarge {
			t.Errorf("%v", err)
		}
	})
}

func TestLinesEndWithTheNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newFakeNode()
		in, never := io.Pipe()
		defer never.Close()
		ended := lines(t.Context(), n, Lines{In: in, Out: io.Discard})
		synctest.Wait()
		n.leave()
		if err := <-ended; wire.CodeOf(err) != wire.NotReady || wire.NextOf(err) == "" {
			t.Errorf("%v", err)
		}
	})
}
