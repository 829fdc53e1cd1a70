package pipe

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestIDReadsWhatItWrites(t *testing.T) {
	id := IDOf([]byte("x"))
	for _, text := range []string{id.String(), id.URI(), " " + id.URI() + "\n"} {
		got, err := ParseID(text)
		must(t, err)
		if got != id {
			t.Errorf("%q is read as %s", text, got)
		}
	}
	got, err := IDFromBytes(id.Bytes())
	must(t, err)
	if got != id || len(id.Bytes()) != IDSize || len(id.String()) != 59 {
		t.Errorf("%x", id.Bytes())
	}
	raw, err := json.Marshal(map[ID]ID{id: {}})
	must(t, err)
	var back map[ID]ID
	must(t, json.Unmarshal(raw, &back))
	if v, ok := back[id]; !ok || !v.IsZero() {
		t.Errorf("%s", raw)
	}
}

func TestMistypedIDIsRefused(t *testing.T) {
	text := IDOf([]byte("x")).String()
	for _, bad := range []string{
		"", "pipe:", "hello", text[:58], text + "a", strings.ToUpper(text), text[:30] + "1" + text[31:],
		"pipe:pipe:" + text, "bafybei" + text[7:], text[:58] + lastOther(text), strings.Repeat("a", 5000),
	} {
		_, err := ParseID(bad)
		wantCode(t, err, wire.BadRequest)
		if wire.NextOf(err) == "" || len(err.Error()) > 300 {
			t.Errorf("%q", err)
		}
	}
	for n := range IDSize {
		_, err := IDFromBytes(IDOf(nil).Bytes()[:n])
		wantCode(t, err, wire.BadRequest)
	}
}

// lastOther is another last character that gives the same bytes when padding
// bits are not looked at.
func lastOther(text string) string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz234567"
	i := strings.IndexByte(alphabet, text[len(text)-1])
	return string(alphabet[i^1])
}

func TestAdvertisementKeepsWhatItMayIgnore(t *testing.T) {
	a := exclusivePipe(newActor(t, 1))
	var e wire.Builder
	e.Bytes(1000, []byte("later"))
	b := append(a.Bytes(), e.Build()...)
	got, err := ParseAdvertisement(b)
	must(t, err)
	if string(got.Bytes()) != string(b) || got.ID() != IDOf(b) || got.ID() == a.ID() {
		t.Fatal("the ID does not cover the ignored field")
	}
	e = wire.Builder{}
	e.Bytes(9, []byte("later"))
	_, err = ParseAdvertisement(append(a.Bytes(), e.Build()...))
	wantCode(t, err, wire.Unsupported)
}

func TestMalformedAdvertisementsAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		code   wire.Code
		change func(*Advertisement)
	}{
		"no type":            {wire.BadRequest, func(a *Advertisement) { a.Type = 0 }},
		"later type":         {wire.Unsupported, func(a *Advertisement) { a.Type = 4 }},
		"no owner":           {wire.BadRequest, func(a *Advertisement) { a.Owner = identity.Principal{} }},
		"no binders":         {wire.BadRequest, func(a *Advertisement) { a.Binders = 0 }},
		"later binders":      {wire.Unsupported, func(a *Advertisement) { a.Binders = 3 }},
		"no policy":          {wire.BadRequest, func(a *Advertisement) { a.DialPolicy = 0 }},
		"later policy":       {wire.Unsupported, func(a *Advertisement) { a.DialPolicy = 4 }},
		"long name":          {wire.TooLarge, func(a *Advertisement) { a.Name = strings.Repeat("n", MaxName+1) }},
		"escape in name":     {wire.BadRequest, func(a *Advertisement) { a.Name = "\x1b[2J" }},
		"C1 control in name": {wire.BadRequest, func(a *Advertisement) { a.Name = "\u009b2J" }},
		"name not UTF-8":     {wire.BadRequest, func(a *Advertisement) { a.Name = "\xff" }},
		"unsorted":           {wire.BadRequest, func(a *Advertisement) { a.Transports = []reach.Transport{"tcp", "quic-v1"} }},
		"twice":              {wire.BadRequest, func(a *Advertisement) { a.Transports = []reach.Transport{"tcp", "tcp"} }},
		"capital transport":  {wire.BadRequest, func(a *Advertisement) { a.Transports = []reach.Transport{"TCP"} }},
		"long transport":     {wire.TooLarge, func(a *Advertisement) { a.Transports = []reach.Transport{reach.Transport(strings.Repeat("t", 33))} }},
	} {
		a := exclusivePipe(newActor(t, 1))
		c.change(&a)
		if err := a.Validate(); err == nil {
			t.Errorf("%s: valid", name)
		}
		if _, err := ParseAdvertisement(a.Bytes()); wire.CodeOf(err) != c.code {
			t.Errorf("%s: %v, expected %s", name, err, c.code)
		}
	}
	_, err := ParseAdvertisement(make([]byte, MaxAdvertisement+1))
	wantCode(t, err, wire.TooLarge)
}

func TestTransportsOfLaterVersionsMayBeAdvertised(t *testing.T) {
	a := exclusivePipe(newActor(t, 1))
	a.Transports = []reach.Transport{"http", "tcp"}
	got, err := ParseAdvertisement(a.Bytes())
	must(t, err)
	if !got.Allows("http") || !got.Allows(reach.TCP) || got.Allows(reach.QUIC) {
		t.Fatal(got.Transports)
	}
	a.Transports = nil
	if !a.Allows("http") {
		t.Fatal("no list must allow all")
	}
}

func TestWordsAreReadAsTheyAreWritten(t *testing.T) {
	for _, v := range []Type{TypeUnicast, TypeSecure, TypePropagate} {
		if got, err := ParseType(v.String()); err != nil || got != v {
			t.Errorf("%s: %v %v", v, got, err)
		}
	}
	for _, v := range []Binders{Exclusive, Many} {
		if got, err := ParseBinders(v.String()); err != nil || got != v {
			t.Errorf("%s: %v %v", v, got, err)
		}
	}
	for _, v := range []DialPolicy{DialOpen, DialListed, DialCapability} {
		if got, err := ParseDialPolicy(v.String()); err != nil || got != v {
			t.Errorf("%s: %v %v", v, got, err)
		}
	}
	_, err := ParseType("bogus")
	wantCode(t, err, wire.BadRequest)
}
