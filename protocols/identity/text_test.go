package identity

import (
	"bytes"
	"strings"
	"testing"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestEveryMistypedCharacterIsNamed(t *testing.T) {
	text := testTicket(t).String()
	for i := len("ticket:"); i < len(text); i++ {
		for _, r := range "a7q0-é" {
			if strings.ContainsRune(text[i:i+1], r) {
				continue
			}
			_, err := ParseTicket(text[:i] + string(r) + text[i+1:])
			if wire.CodeOf(err) != wire.BadRequest || !strings.Contains(err.Error(), "mistyped or cut off") {
				t.Fatalf("%q at %d: %v", r, i, err)
			}
		}
	}
}

func TestSwappedCharactersAreNamed(t *testing.T) {
	text := testTicket(t).String()
	for i := len("ticket:"); i < len(text)-1; i++ {
		if text[i] == text[i+1] {
			continue
		}
		_, err := ParseTicket(text[:i] + text[i+1:i+2] + text[i:i+1] + text[i+2:])
		if wire.CodeOf(err) != wire.BadRequest || !strings.Contains(err.Error(), "mistyped or cut off") {
			t.Fatalf("at %d: %v", i, err)
		}
	}
}

func TestEveryTruncatedTextIsNamed(t *testing.T) {
	ticket := testTicket(t).String()
	capability := FormatCapability(sign(t, testCapability(t), testKey(t, 1)))
	for n := range ticket {
		_, err := ParseTicket(ticket[:n])
		checkCut(t, err, n >= len("ticket:"))
	}
	for n := range capability {
		_, _, err := ParseCapability(capability[:n])
		checkCut(t, err, n >= len("cap:"))
	}
}

func checkCut(t *testing.T, err error, prefixed bool) {
	t.Helper()
	want := "expected a text that begins with"
	if prefixed {
		want = "is mistyped or cut off"
	}
	if wire.CodeOf(err) != wire.BadRequest || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
}

func TestWrongPrefixSaysWhatWasExpected(t *testing.T) {
	for text, want := range map[string]string{
		"":                             `begins with "ticket:", got an empty text`,
		"cap:aaaa":                     `begins with "ticket:", got "cap:"`,
		"aaaa":                         `begins with "ticket:", got no such prefix`,
		"/ip4/127.0.0.1/tcp/1":         `begins with "ticket:", got no such prefix`,
		strings.Repeat("x", 200) + ":": strings.Repeat("x", 80) + `…"`,
	} {
		_, err := ParseTicket(text)
		if wire.CodeOf(err) != wire.BadRequest || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, want %q", text, err, want)
		}
	}
	if _, _, err := ParseCapability("ticket:aaaa"); !strings.Contains(err.Error(), `"cap:", got "ticket:"`) {
		t.Errorf("%v", err)
	}
}

func TestWrappedAndCapitalTextsAreRead(t *testing.T) {
	text := testTicket(t).String()
	for name, hurt := range map[string]string{
		"wrapped":  "  " + text[:20] + "\r\n  " + text[20:60] + "\n" + text[60:] + "\n",
		"capitals": strings.ToUpper(text),
	} {
		if got, err := ParseTicket(hurt); err != nil || got.String() != text {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMistypedTextSaysWhatToDo(t *testing.T) {
	text := testTicket(t).String()
	_, err := ParseTicket(text[:len(text)-1])
	if !strings.Contains(wire.NextOf(err), `from "ticket:" to its end`) {
		t.Errorf("advice: %q", wire.NextOf(err))
	}
}

func TestHugeTextIsRefusedUnread(t *testing.T) {
	_, err := ParseTicket("ticket:" + strings.Repeat("a", 1<<20))
	wantCode(t, "ticket", err, wire.TooLarge)
}

func FuzzText(f *testing.F) {
	f.Add("test:")
	f.Add(testForm().Format([]byte("x")))
	f.Add(strings.ToUpper(testForm().Format(bytes.Repeat([]byte{0xff}, 64))))
	f.Add(" test:\naa aa")
	f.Add("test:é")
	f.Fuzz(func(t *testing.T, text string) {
		b, err := testForm().Parse(text)
		if err != nil {
			if c := wire.CodeOf(err); c != wire.BadRequest && c != wire.TooLarge {
				t.Fatalf("unexpected %v", err)
			}
			return
		}
		if want := strings.ToLower(strings.Join(strings.Fields(text), "")); testForm().Format(b) != want {
			t.Fatalf("%q has two spellings", text)
		}
	})
}

func testForm() TextForm { return TextForm{Name: "test", Prefix: "test:", Limit: 64} }
