package link

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/protocols/wire/vectorfile"
)

func TestFramesAreThoseOfTheVectors(t *testing.T) {
	seen := map[kind]bool{}
	for _, v := range vectorfile.Read[vectors](t).Frames {
		seen[v.Kind] = true
		b := v.payload(t)
		if got := hex.EncodeToString(b); got != v.Hex {
			t.Errorf("%s: %s, want %s", v.Name, got, v.Hex)
		}
		again, err := reparse(v.Kind, b)
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("%s: read as %x, %v", v.Name, again, err)
		}
		if later, err := reparse(v.Kind, append(b[:len(b):len(b)], "later"...)); len(b) > 0 && v.Kind != kindData && (err != nil || !bytes.Equal(later, b)) {
			t.Errorf("%s: with bytes of a later version: %x, %v", v.Name, later, err)
		}
	}
	for k := kindOpen; k <= kindClose; k++ {
		if !seen[k] {
			t.Errorf("no vector has kind %d", k)
		}
	}
}

func TestTruncatedFramesAreRefused(t *testing.T) {
	for _, v := range vectorfile.Read[vectors](t).Frames {
		if v.Kind == kindData || v.Kind == kindStop || v.Kind == kindClose {
			continue // any payload will do
		}
		b := vectorfile.Bytes(t, v.Hex)
		for n := range b {
			if _, err := reparse(v.Kind, b[:n]); wire.CodeOf(err) != wire.BadRequest {
				t.Errorf("%s: the first %d bytes: %v", v.Name, n, err)
			}
		}
	}
}

func TestVectorsOfBadFramesAreRefused(t *testing.T) {
	for _, v := range vectorfile.Read[vectors](t).Refused {
		if _, err := reparse(v.Kind, vectorfile.Bytes(t, v.Hex)); wire.CodeOf(err) != wire.BadRequest {
			t.Errorf("%s: %v", v.Name, err)
		}
	}
}

// TestNumbersInMoreBytesThanNeededAreRefused lengthens every number of every
// vector by a byte of nothing.
func TestNumbersInMoreBytesThanNeededAreRefused(t *testing.T) {
	ack := marks{1, 2, 3}.append(nil)
	for i := range ack {
		b := append(bytes.Clone(ack[:i]), ack[i]|0x80, 0)
		if _, err := parseAck(append(b, ack[i+1:]...)); wire.CodeOf(err) != wire.BadRequest {
			t.Errorf("number %d of ACK: %v", i, err)
		}
	}
	for n := uint(0); n < 64; n += 7 {
		b := appendUvarints(nil, 1<<n)
		b[len(b)-1] |= 0x80
		if _, err := parseOffset(append(b, 0)); wire.CodeOf(err) != wire.BadRequest {
			t.Errorf("1<<%d in a byte too many: %v", n, err)
		}
	}
}

func TestOpeningsHaveRoom(t *testing.T) {
	most := uint64(1<<64 - 1)
	r := resume{
		gen: most, flags: most, epoch: maxOffset, farEpoch: maxOffset, marks: marks{maxOffset, maxOffset, maxOffset},
		from: maxOffset, token: make([]byte, maxToken),
	}
	o := opening{gen: most, features: most, credit: maxOffset, grace: most, service: string(make([]byte, maxService))}
	no := refusal{code: 1<<32 - 1, gen: most, hint: make([]byte, maxHint)}
	for what, b := range map[string][]byte{"RESUME": r.appendWithID(nil), "OPEN": o.append(nil), "REFUSED": no.append(nil)} {
		if len(b) > maxOpening {
			t.Errorf("%s has %d bytes, room for %d", what, len(b), maxOpening)
		}
	}
	if b := (reset{1<<32 - 1, string(make([]byte, maxReason))}).append(nil); len(b) > maxControl {
		t.Errorf("RESET has %d bytes, room for %d", len(b), maxControl)
	}
}

func TestStatesAreThoseOfTheVectors(t *testing.T) {
	for _, v := range vectorfile.Read[vectors](t).States {
		b := v.state(t).append(nil)
		if got := hex.EncodeToString(b); got != v.Hex {
			t.Errorf("%s: %s, want %s", v.Name, got, v.Hex)
		}
		s, err := parseState(b, DefaultWindow)
		if err != nil || fmt.Sprintf("%+v", s) != fmt.Sprintf("%+v", v.state(t)) {
			t.Errorf("%s: read as %+v, %v", v.Name, s, err)
		}
		for n := range b {
			if _, err := parseState(b[:n], DefaultWindow); err == nil {
				t.Errorf("%s: the first %d bytes are taken", v.Name, n)
			}
		}
	}
}

func TestStatesThatCannotBeAreRefused(t *testing.T) {
	good := vectorfile.Read[vectors](t).States[0].state(t)
	for name, spoil := range map[string]func(*state){
		"end of the stream before what has come": func(s *state) { s.flags |= stateInFin; s.fin = s.read },
		"end read before it came":                func(s *state) { s.flags |= stateInEOF },
		"more received than sent":                func(s *state) { s.received = s.sent + 1 },
		"more safe than received":                func(s *state) { s.received = s.safe - 1 },
		"more sent than written":                 func(s *state) { s.sent = s.safe + uint64(len(s.unack)) + 1 },
		"end sent before all else":               func(s *state) { s.flags |= stateOutFin | stateOutFinEver; s.sent-- },
		"end sent and not written":               func(s *state) { s.flags |= stateOutFinEver },
		"bytes that nobody will read":            func(s *state) { s.flags |= stateInStopped },
		"bytes that nobody will take":            func(s *state) { s.flags |= stateOutStopped },
		"bytes beyond the credit":                func(s *state) { s.credit = s.read },
		"credit beyond this node's means":        func(s *state) { s.credit = s.read + 1<<40 },
		"the last epoch":                         func(s *state) { s.epoch = maxOffset },
		"an epoch beyond the last":               func(s *state) { s.epoch = maxOffset + 1 },
		"offsets at the end of the world":        func(s *state) { s.safe, s.received, s.sent = maxOffset, maxOffset, maxOffset },
	} {
		s := good
		spoil(&s)
		if _, err := parseState(s.append(nil), DefaultWindow); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	b := good.append(nil)
	b[0] = 2
	if _, err := parseState(b, DefaultWindow); wire.CodeOf(err) != wire.Unsupported {
		t.Errorf("another version: %v", err)
	}
}

func TestLinksAreThoseOfTheVectors(t *testing.T) {
	for i, v := range vectorfile.Read[vectors](t).Links {
		got := linkVectors()[i]
		if got.name != v.Name || len(got.frames) != len(v.Frames) {
			t.Errorf("%s: %d frames, want those of %s, %d", got.name, len(got.frames), v.Name, len(v.Frames))
			continue
		}
		for j, f := range got.frames {
			if f != v.Frames[j] {
				t.Errorf("%s, frame %d: %+v, want %+v", v.Name, j, f, v.Frames[j])
			}
		}
	}
}
