package buddy

import (
	"bytes"
	"strings"
	"testing"

	"github.com/panpipe-net/panpipe/protocols/buddy/pb"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestOffersAreReadAsTheyWereWritten(t *testing.T) {
	id := NewSessionID()
	for _, o := range []Offer{
		{Session: id, Kind: Voice},
		{Session: id, Kind: Data, Topic: strings.Repeat("é", MaxTopic/2)},
	} {
		var b bytes.Buffer
		if err := WriteOffer(&b, o); err != nil {
			t.Fatal(err)
		}
		b.WriteString("behind")
		if got, err := ReadOffer(&b); err != nil || got != o {
			t.Errorf("%+v, %v", got, err)
		}
		if b.String() != "behind" {
			t.Errorf("%q is left", b.String())
		}
	}
}

func TestOffersThatAreRefused(t *testing.T) {
	id := NewSessionID()
	for name, c := range map[string]struct {
		m    *pb.Offer
		code wire.Code
	}{
		"no session":     {&pb.Offer{Kind: pb.Kind_VOICE}, wire.BadRequest},
		"zero session":   {&pb.Offer{Session: make([]byte, 16), Kind: pb.Kind_VOICE}, wire.BadRequest},
		"long session":   {&pb.Offer{Session: make([]byte, 17), Kind: pb.Kind_VOICE}, wire.BadRequest},
		"no kind":        {&pb.Offer{Session: id[:]}, wire.BadRequest},
		"another kind":   {&pb.Offer{Session: id[:], Kind: 77}, wire.Unsupported},
		"negative kind":  {&pb.Offer{Session: id[:], Kind: -1}, wire.Unsupported},
		"long topic":     {&pb.Offer{Session: id[:], Kind: pb.Kind_DATA, Topic: strings.Repeat("x", MaxTopic+1)}, wire.TooLarge},
		"terminal topic": {&pb.Offer{Session: id[:], Kind: pb.Kind_DATA, Topic: "\x1b[2J"}, wire.BadRequest},
	} {
		var b bytes.Buffer
		if err := wire.WriteMessage(&b, c.m, maxSay); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadOffer(&b); wire.CodeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWordsOfCalls(t *testing.T) {
	for w := Ringing; w <= Nobody; w++ {
		var b bytes.Buffer
		s := Say{Word: w, Reason: "because"}
		if err := WriteSay(&b, s); err != nil {
			t.Fatal(err)
		}
		if got, err := ReadSay(&b); err != nil || got != s {
			t.Errorf("%+v, %v", got, err)
		}
	}
	for _, m := range []*pb.Say{{}, {Word: 10}, {Word: -3}, {Word: pb.Word_NO, Reason: "a\nb"}, {Word: pb.Word_NO, Reason: strings.Repeat("x", MaxNote+1)}} {
		var b bytes.Buffer
		if err := wire.WriteMessage(&b, m, maxSay); err != nil {
			t.Fatal(err)
		}
		if s, err := ReadSay(&b); err == nil {
			t.Errorf("%v is read as %+v", m, s)
		}
	}
}

func TestSessionIDs(t *testing.T) {
	id := NewSessionID()
	if got, err := ParseSessionID(id.String()); err != nil || got != id {
		t.Errorf("%v, %v", got, err)
	}
	for _, s := range []string{"", "ab", id.String() + "0", id.String() + "00", id.String()[:30] + "zz", strings.Repeat("x", 1000)} {
		if got, err := ParseSessionID(s); wire.CodeOf(err) != wire.BadRequest {
			t.Errorf("%q is read as %v, %v", s, got, err)
		}
	}
}

func FuzzCall(f *testing.F) {
	var b bytes.Buffer
	_ = WriteOffer(&b, Offer{Session: NewSessionID(), Kind: Data, Topic: "x"})
	f.Add(b.Bytes())
	b.Reset()
	_ = WriteSay(&b, Say{Word: No, Reason: "later"})
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, raw []byte) {
		if o, err := ReadOffer(bytes.NewReader(raw)); err == nil && o.Check() != nil {
			t.Errorf("%+v is read, and may not be said", o)
		}
		if s, err := ReadSay(bytes.NewReader(raw)); err == nil && (s.Word < Ringing || s.Word > Nobody || len(s.Reason) > MaxNote) {
			t.Errorf("%+v is read", s)
		}
	})
}
