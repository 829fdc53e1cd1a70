package pairing

import (
	"bytes"
	"crypto/rand"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestWordsAreToldApart(t *testing.T) {
	list := words()
	if len(list) != wordCount || !slices.IsSorted(list) {
		t.Fatalf("%d words, sorted %v", len(list), slices.IsSorted(list))
	}
	stems := make(map[string]bool)
	for i, w := range list {
		if len(w) < 4 || len(w) > 7 || strings.Trim(w, "abcdefghijklmnopqrstuvwxyz") != "" || stems[w[:wordStem]] {
			t.Errorf("%q is too short or long, or has the first letters of another", w)
		}
		stems[w[:wordStem]] = true
		for _, o := range list[:i] {
			if d := len(o) - len(w); d >= -1 && d <= 1 && distance(o, w) < 2 {
				t.Errorf("%q and %q are one letter apart", o, w)
			}
		}
	}
}

func TestCodesComeBackHoweverTheyAreTyped(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.SliceOfN(rapid.Byte(), MailboxSize+4, MailboxSize+4).Draw(t, "seed")
		c, err := NewCode(bytes.NewReader(seed))
		if err != nil {
			t.Fatal(err)
		}
		s := c.String()
		stems := strings.Split(s, "-")
		stems[2], stems[3] = stems[2][:wordStem], stems[3][:wordStem]
		typed := rapid.SampledFrom([]string{
			s, strings.ToUpper(s), " " + strings.ReplaceAll(s, "-", " ") + "\n", strings.ReplaceAll(s, "-", "\u2013") + ".", strings.Replace(s, "-", "", 1), strings.Join(stems, "-"),
			strings.NewReplacer("o", "0", "l", "1", "b", "8").Replace(s[:9]) + s[9:],
		}).Draw(t, "typed")
		got, err := ParseCode(typed)
		if err != nil || got != c {
			t.Fatalf("%q is read as %v, %v", typed, got, err)
		}
	})
}

func TestMistypedCodesAreExplained(t *testing.T) {
	for typed, says := range map[string]string{
		"":                                  "eight characters and two words",
		"k7qm-2fxd":                         "eight characters and two words",
		"k7qm-2fxd-anchor-velvet-x-y":       "eight characters and two words",
		"k7qm-2fx-anchor-velvet":            "first part",
		"k7qm-2fx9-anchor-velvet":           "first part",
		"k7qm-2fxd-ancor-velvet":            `did you mean "anchor"?`,
		"k7qm-2fxd-anchor-vel":              "did you mean",
		"k7qm-2fxd-anchor-qqqqqqq":          "not a word",
		"k7qm-2fxd-anchor-\x1b[2J":          "not a word",
		strings.Repeat("k", maxTyped+1):     "257 characters",
		"k7qm-2fxd-anchor-anchoranchoranch": "not a word",
	} {
		_, err := ParseCode(typed)
		wantCode(t, typed, err, wire.BadRequest)
		if err != nil && !strings.Contains(err.Error()+wire.NextOf(err), says) {
			t.Errorf("%q: %v, %s; want %q", typed, err, wire.NextOf(err), says)
		}
	}
}

func TestOffersDifferWithTheirSecret(t *testing.T) {
	seed := make([]byte, MailboxSize+4)
	a, _ := NewCode(bytes.NewReader(seed))
	seed[MailboxSize+1] = 1
	b, _ := NewCode(bytes.NewReader(seed))
	if a.Offer().Mailbox != b.Offer().Mailbox || bytes.Equal(a.Offer().secret, b.Offer().secret) {
		t.Error("words are not the secret")
	}
	one, _ := NewTicket(testTicket(t), rand.Reader)
	two, _ := NewTicket(testTicket(t), rand.Reader)
	if one.Offer().Mailbox == two.Offer().Mailbox || bytes.Equal(one.Offer().secret, two.Offer().secret) {
		t.Error("two tickets are one")
	}
	if _, err := NewCode(bytes.NewReader(nil)); wire.CodeOf(err) != wire.Internal {
		t.Errorf("no randomness: %v", err)
	}
}

func TestTicketsComeBack(t *testing.T) {
	want, err := NewTicket(testTicket(t), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseTicket(want.String())
	if err != nil || got.Secret != want.Secret || got.Host.String() != want.Host.String() {
		t.Errorf("%+v, %v", got, err)
	}
	text := want.String()
	for i := range text {
		if text[i] == text[len(text)-1] {
			continue
		}
		bad := text[:i] + text[len(text)-1:] + text[i+1:]
		if _, err := ParseTicket(bad); err == nil {
			t.Errorf("character %d changed, and taken", i)
		}
	}
	two := testTicket(t)
	two.Peers = append(two.Peers, two.Peers[0])
	two.Peers[1].ID = testPeer(t, 7)
	for what, bad := range map[string]string{
		"two hosts":     Ticket{Secret: want.Secret, Host: two}.String(),
		"no host":       ticketForm().Format(new(wire.Builder).Bytes(ticketSecret, want.Secret[:]).Build()),
		"no secret":     ticketForm().Format(new(wire.Builder).Bytes(ticketHost, want.Host.Bytes()).Build()),
		"an invitation": identity.Ticket{Overlay: "panpipe", Peers: want.Host.Peers}.String(),
	} {
		if _, err := ParseTicket(bad); wire.CodeOf(err) != wire.BadRequest {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// FuzzParse: what is taken for a code or ticket is written again as one.
func FuzzParse(f *testing.F) {
	f.Add("k7qm-2fxd-anchor-velvet")
	f.Add("link:aaaa")
	f.Add(Ticket{Host: testTicket(f)}.String())
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := ParseCode(text); err == nil {
			if again, err := ParseCode(c.String()); err != nil || again != c {
				t.Fatalf("%q, %v", c, err)
			}
		}
		if k, err := ParseTicket(text); err == nil {
			if again, err := ParseTicket(k.String()); err != nil || again.Secret != k.Secret {
				t.Fatalf("%q, %v", k, err)
			}
		}
	})
}
