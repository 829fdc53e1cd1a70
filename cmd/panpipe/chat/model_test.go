package chat

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/cmd/panpipe/terminal"
	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// said is the nth message of a conversation, a minute after the one before.
func said(n int, text string) api.Message {
	id := fmt.Sprintf("%032x", n)
	return api.Message{ID: id, Place: id, With: "acct:bob", Sent: noon.Add(time.Duration(n) * time.Minute), Text: text, Delivery: api.DeliveryRead}
}

func wrote(n int, text, delivery string) api.Message {
	m := said(n, text)
	m.Mine, m.Delivery = true, delivery
	return m
}

func bob() api.Buddy {
	return api.Buddy{Account: "acct:bob", Name: "Bob", State: api.BuddyAccepted, Known: true, Presence: api.PresenceOffline, Devices: []api.BuddyDevice{}}
}

// talking is a model of a screen with some messages on it.
func talking(columns, rows int, messages ...api.Message) *Model {
	m := &Model{Plain: true, Zone: time.UTC, Now: func() time.Time { return noon.Add(time.Hour) }}
	m.Start(bob())
	m.Step(Resized{columns, rows})
	m.Step(Read{Page: api.MessagePage{Messages: messages}})
	return m
}

// press has the model take what a terminal sends.
func press(m *Model, sent string) (do []any) {
	var k terminal.Keys
	for _, key := range k.Feed([]byte(sent)) {
		do = append(do, m.Step(Pressed{key})...)
	}
	return do
}

func wantScreen(t *testing.T, m *Model, want string) {
	t.Helper()
	f := m.View()
	got := strings.Trim(strings.Join(f.Rows, "\n"), "\n")
	if want = strings.Trim(want, "\n"); strings.TrimRight(got, "\n ") != strings.TrimRight(want, "\n ") {
		t.Errorf("the screen is\n%s\nwant\n%s", got, want)
	}
	if len(f.Rows) != m.rows {
		t.Errorf("%d rows on a screen of %d", len(f.Rows), m.rows)
	}
	for _, row := range f.Rows {
		if terminal.Width(row) > m.columns {
			t.Errorf("row %q is %d columns wide, on a screen of %d", row, terminal.Width(row), m.columns)
		}
	}
}

func wantDone(t *testing.T, got []any, want ...any) {
	t.Helper()
	if len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
		t.Errorf("to be done: %#v, want %#v", got, want)
	}
}

func TestScreenShowsMessagesPresenceAndInput(t *testing.T) {
	m := talking(40, 8, said(1, "hello"), wrote(2, "hi, how are you?", api.DeliveryRead), wrote(3, "日本語 is wide, and this is long", api.DeliveryDelivered), wrote(4, "x", api.DeliveryKept))
	press(m, "typ日")
	wantScreen(t, m, `
── Sunday, 22 November 2026 ──
12:01    Bob  hello
12:02 ✓✓ me   hi, how are you?
12:03 ✓  me   日本語 is wide, and this
              is long
12:04 ·  me   x
── Bob: away; what you write is kept ───
> typ日`)
	if f := m.View(); f.Row != 7 || f.Column != 7 {
		t.Errorf("the cursor is at %d,%d", f.Row, f.Column)
	}
}

// TestForeignTextCannotImitateAMessage: neither controls nor lines of its own
// bring it out of its column.
func TestForeignTextCannotImitateAMessage(t *testing.T) {
	m := talking(40, 8, said(1, "hi\n12:02 ✓✓ me   send it to Eve\r\x1b[2A\x1b[2K12:00 me yes"))
	wantScreen(t, m, `


── Sunday, 22 November 2026 ──
12:01    Bob  hi
              12:02 ✓✓ me   send it to
              Eve␍␛[2A␛[2K12:00 me yes
── Bob: away; what you write is kept ───
> `)
	b := bob()
	b.Name, b.Status = "\x1b]0;x\x07\u202eBob\n12:00 me", "a\x1b[0m\nb"
	b.Presence = api.PresenceConnected
	m.Step(Stands{b})
	if got := strings.Join(m.View().Rows, "\n"); strings.ContainsAny(got, "\x1b\x07\u202e") || !strings.Contains(got, "“a␛[0m b”") {
		t.Errorf("%q", got)
	}
}

func TestPresenceLineSaysHowTheBuddyStands(t *testing.T) {
	seen := noon
	connected := func(path string, devices int) func(*api.Buddy) {
		return func(b *api.Buddy) {
			b.Presence = api.PresenceConnected
			for range devices {
				b.Devices = append(b.Devices, api.BuddyDevice{Presence: api.PresenceConnected, Path: path})
			}
		}
	}
	m := talking(70, 4)
	for _, c := range []struct {
		what   string
		change func(*api.Buddy)
		want   string
	}{
		{"not looked for yet", func(b *api.Buddy) { b.Known = false }, "looking for Bob"},
		{"offline", func(*api.Buddy) {}, "away; what you write is kept"},
		{"seen", func(b *api.Buddy) { b.Seen = &seen }, "away, last here 12:00; what you write is kept"},
		{"announced", func(b *api.Buddy) { b.Presence = api.PresenceAnnounced }, "there, connecting"},
		{"connected", connected("direct", 1), "here, direct"},
		{"then lost", func(b *api.Buddy) { b.Presence = api.PresenceAnnounced }, "reconnecting since 13:00:00"},
		{"and away", func(*api.Buddy) {}, "away since 13:00:00; what you write is kept"},
		{"two devices", connected("relay", 2), "here on 2 devices, relay"},
		{"with a status", func(b *api.Buddy) { connected("direct", 1)(b); b.Status = "at lunch" }, "here, direct “at lunch”"},
		{"requested", func(b *api.Buddy) { b.State = api.BuddyRequested }, "has not accepted yet"},
		{"blocked", func(b *api.Buddy) { b.Blocked = true }, "blocked"},
		{"removed", func(b *api.Buddy) { b.State = api.BuddyRemoved }, "no buddy any more"},
	} {
		b := bob()
		c.change(&b)
		m.Step(Stands{b})
		if got := m.View().Rows[2]; !strings.HasPrefix(got, "── Bob: "+c.want+" ─") {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
	m.Step(Left{})
	if got := m.View().Rows[2]; !strings.Contains(got, "your node does not answer; trying again") {
		t.Errorf("%q", got)
	}
	wantDone(t, m.Step(Back{}), Look{}, Load{})
}

func TestTextIsWrittenInOrderAndComesBackWhenItCannotBeKept(t *testing.T) {
	m := talking(40, 6)
	wantDone(t, press(m, "one\r"), Send{"one"})
	wantDone(t, press(m, "two\rthr"))
	wantScreen(t, m, `


      …  me   one
      …  me   two
── Bob: away; what you write is kept ───
> thr`)
	wantDone(t, m.Step(Sent{Message: wrote(1, "one", api.DeliveryKept)}), Send{"two"})
	full := wire.Errorf(wire.Internal, "the disk is full").WithNext("make room")
	wantDone(t, m.Step(Sent{Err: full}))
	wantScreen(t, m, `
── Sunday, 22 November 2026 ──
12:01 ·  me   one
! not sent: the disk is full; make room
── Bob: away; what you write is kept ───
> two
  thr`)
	if len(m.queue) != 0 {
		t.Errorf("still being written: %q", m.queue)
	}
	wantDone(t, press(m, "\r"), Send{"two\nthr"})
	wantDone(t, press(m, " \r"))
}

// TestOwnMessageIsShownOnce, whichever comes first, the event or the answer.
func TestOwnMessageIsShownOnce(t *testing.T) {
	m := talking(40, 5)
	press(m, "one\rtwo\r")
	m.Step(Came{wrote(1, "one", api.DeliveryKept)})
	want := `
── Sunday, 22 November 2026 ──
12:01 ·  me   one
      …  me   two
── Bob: away; what you write is kept ───
> `
	wantScreen(t, m, want)
	wantDone(t, m.Step(Sent{Message: wrote(1, "one", api.DeliveryKept)}), Send{"two"})
	wantScreen(t, m, want)
	wantDone(t, m.Step(Sent{Err: wire.Errorf(wire.Closed, "the node does not answer")}))
	if !strings.HasPrefix(m.notice, "perhaps not sent") || m.input.Text() != "two" {
		t.Errorf("%q, input %q", m.notice, m.input.Text())
	}
}

func TestMarksAreReadAgainAndNotTwiceAtOnce(t *testing.T) {
	m := talking(40, 5, wrote(1, "one", api.DeliveryKept))
	wantDone(t, m.Step(Marked{}), Load{})
	wantDone(t, m.Step(Marked{}))
	wantDone(t, m.Step(Read{Page: api.MessagePage{Messages: []api.Message{wrote(1, "one", api.DeliveryDelivered)}}}), Load{})
	wantDone(t, m.Step(Read{Page: api.MessagePage{Messages: []api.Message{wrote(1, "one", api.DeliveryRead)}}}))
	wantScreen(t, m, `

── Sunday, 22 November 2026 ──
12:01 ✓✓ me   one
── Bob: away; what you write is kept ───
> `)
}

func TestWhatAPersonSeesIsMarkedRead(t *testing.T) {
	fresh := func(n int) api.Message {
		x := said(n, "x")
		x.Delivery = api.DeliveryDelivered
		return x
	}
	m := talking(40, 5, said(1, "one"))
	wantDone(t, m.Step(Came{fresh(2)}), MarkRead{fresh(2).Place})
	wantDone(t, m.Step(Came{wrote(3, "mine", api.DeliveryKept)}))
	wantDone(t, press(m, "\x1b[O")) // the window lost the focus
	wantDone(t, m.Step(Came{fresh(4)}))
	wantDone(t, press(m, "\x1b[I"), MarkRead{fresh(4).Place})
	press(m, "\x1b[5~")
	wantDone(t, m.Step(Came{fresh(5)})) // below the screen
	wantDone(t, press(m, "\x1b[6~\x1b[6~\x1b[6~"), MarkRead{fresh(5).Place})
}

func TestScrollingReadsOlderMessages(t *testing.T) {
	m := &Model{Plain: true, Zone: time.UTC}
	wantDone(t, m.Start(bob()), Load{})
	m.Step(Resized{40, 6})
	var last []api.Message
	for n := 10; n < 16; n++ {
		last = append(last, said(n, fmt.Sprint("text ", n)))
	}
	m.Step(Read{Page: api.MessagePage{Messages: last, Earlier: last[0].Place}})
	wantDone(t, press(m, "\x1b[5~"), Load{last[0].Place})
	wantDone(t, press(m, "\x1b[5~")) // it is being read
	m.Step(Read{Before: last[0].Place, Page: api.MessagePage{Messages: []api.Message{said(8, "text 8"), said(9, "text 9")}}})
	wantScreen(t, m, `
12:10    Bob  text 10
12:11    Bob  text 11
12:12    Bob  text 12
12:13    Bob  text 13
── 2 rows below, PgDn ── Bob: away; wha…
> `)
	wantDone(t, press(m, "\x1b[5~\x1b[5~"))
	m.Step(Came{said(16, "text 16")}) // what is on the screen stays
	wantScreen(t, m, `
── Sunday, 22 November 2026 ──
12:08    Bob  text 8
12:09    Bob  text 9
12:10    Bob  text 10
── 6 rows below, PgDn ── Bob: away; wha…
> `)
	m.Step(Came{said(3, "from another device, older than all")})
	if m.shown[0].Place != said(3, "").Place {
		t.Error("a message that is older than all is not shown, though all are")
	}
}

func TestWhatWasMissedLeavesNoHole(t *testing.T) {
	m := talking(40, 8, said(1, "one"), said(2, "two"))
	page := api.MessagePage{Messages: []api.Message{said(50, "fifty"), said(51, "fifty-one")}, Earlier: said(50, "").Place}
	m.Step(Marked{})
	m.Step(Read{Page: page})
	if len(m.shown) != 2 || m.shown[0].Text != "fifty" || m.earlier != page.Earlier {
		t.Errorf("%d messages, earlier %q", len(m.shown), m.earlier)
	}
	m.Step(Came{said(3, "three")})
	if len(m.shown) != 2 {
		t.Error("a message before a hole is shown")
	}
}

func TestManyMessagesAreNotKept(t *testing.T) {
	m := talking(40, 8, said(1, "one"))
	for n := 2; n < 3*maxShown; n++ {
		m.Step(Came{said(n, "x")})
	}
	if len(m.shown) > maxShown || m.earlier != m.shown[0].Place {
		t.Errorf("%d messages, earlier %q", len(m.shown), m.earlier)
	}
}

func TestLeaving(t *testing.T) {
	m := talking(40, 8)
	wantDone(t, press(m, "ab\x01\x04")) // deletes
	if m.input.Text() != "b" {
		t.Errorf("%q", m.input.Text())
	}
	wantDone(t, press(m, "\x7f\x05\x7f\x04"), Leave{})
	wantDone(t, press(m, "\x03"), Leave{})
	wantDone(t, press(m, "\x0c"), Repaint{})
}

func TestTooLongATextIsRefused(t *testing.T) {
	m := talking(40, 8)
	m.Step(Pressed{terminal.Key{Code: terminal.Pasted, Text: strings.Repeat("x", api.MaxMessage+1)}})
	if m.input.Text() != "" || !strings.Contains(m.notice, "64 KiB") {
		t.Errorf("%d bytes, %q", len(m.input.Text()), m.notice)
	}
}

// TestAnyScreenFits: whatever is on it, and however small it is.
func TestAnyScreenFits(t *testing.T) {
	m := talking(80, 24, said(1, strings.Repeat("日本語 word ", 100)), wrote(2, "a\n\nb\tc", api.DeliveryKept))
	press(m, strings.Repeat("typing 日本 ", 30))
	for columns := 8; columns < 100; columns += 7 {
		for rows := 1; rows < 30; rows += 4 {
			m.Step(Resized{columns, rows})
			f := m.View()
			wide := slices.ContainsFunc(f.Rows, func(row string) bool { return terminal.Width(row) > columns })
			if len(f.Rows) != rows || wide || f.Row < 0 || f.Row >= rows || f.Column >= columns {
				t.Fatalf("%d×%d: %d rows, too wide %v, cursor %d,%d\n%q", columns, rows, len(f.Rows), wide, f.Row, f.Column, f.Rows)
			}
		}
	}
}
