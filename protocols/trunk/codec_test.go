package trunk

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/protocols/wire/vectorfile"
)

// frame is one of testdata/vectors.json, whose bytes are hexadecimal.
type frame struct {
	Name    string
	Handle  uint64
	Kind    Kind
	Payload string
	Hex     string
}

type vectors struct {
	Frames   []frame
	Refused  []struct{ Name, Hex, Code string }
	Carriers []struct {
		Name   string
		Frames []frame
		Hex    string
	}
}

// bytesOf encodes a frame as this package sends it.
func bytesOf(t testing.TB, f frame) []byte {
	t.Helper()
	p := vectorfile.Bytes(t, f.Payload)
	number, _ := parseNumber(p)
	switch f.Kind {
	case kindHello:
		return hello{own: number == helloOwn}.append(nil)
	case kindSeen, kindGoAway:
		return appendNumber(nil, f.Kind, number)
	case kindPing, kindPong:
		return appendPing(nil, f.Kind, [pingSize]byte(p))
	case kindLeave:
		return appendLeave(nil, f.Handle, wire.Code(number))
	}
	return append(header{f.Handle, f.Kind, len(p)}.append(nil), p...)
}

func TestFramesAreThoseOfTheVectors(t *testing.T) {
	for _, v := range vectorfile.Read[vectors](t).Frames {
		b := bytesOf(t, v)
		if got := hex.EncodeToString(b); got != v.Hex {
			t.Errorf("%s: %s, want %s", v.Name, got, v.Hex)
		}
		want := header{v.Handle, v.Kind, len(v.Payload) / 2}
		h, n, err := parseHeader(b)
		if h != want || n+h.length != len(b) || n != h.size() || err != nil {
			t.Errorf("%s: read as %+v, %d, %v", v.Name, h, n, err)
		}
		for i := range n {
			if _, m, err := parseHeader(b[:i]); m != 0 || err != nil {
				t.Errorf("%s: the first %d bytes: %d, %v", v.Name, i, m, err)
			}
		}
	}
}

func TestVectorsOfCarriersAreTheirFrames(t *testing.T) {
	for _, v := range vectorfile.Read[vectors](t).Carriers {
		var b []byte
		for _, f := range v.Frames {
			b = append(b, bytesOf(t, f)...)
		}
		if got := hex.EncodeToString(b); got != v.Hex {
			t.Errorf("%s: %s, want %s", v.Name, got, v.Hex)
		}
	}
}

func TestVectorsOfBadHeadersAreRefused(t *testing.T) {
	for _, v := range vectorfile.Read[vectors](t).Refused {
		if _, _, err := parseHeader(vectorfile.Bytes(t, v.Hex)); wire.CodeOf(err).String() != v.Code {
			t.Errorf("%s: %v, want %s", v.Name, err, v.Code)
		}
	}
}

func TestLargestFrameIsAYamuxMessage(t *testing.T) {
	for _, handle := range []uint64{1, 200, maxHandle} {
		length := MaxFrame - uvarintSize(handle) - 1 - 3
		h, n, err := parseHeader(header{handle, 16, length}.append(nil))
		if err != nil || n+h.length != 64<<10-12 {
			t.Errorf("%+v of %d bytes, %v", h, n+h.length, err)
		}
		if _, _, err := parseHeader(header{handle, 16, length + 1}.append(nil)); wire.CodeOf(err) != wire.TooLarge {
			t.Errorf("one byte more: %v", err)
		}
	}
}

func FuzzHeader(f *testing.F) {
	v := vectorfile.Read[vectors](f)
	for _, x := range v.Frames {
		f.Add(vectorfile.Bytes(f, x.Hex))
	}
	for _, x := range v.Refused {
		f.Add(vectorfile.Bytes(f, x.Hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n, err := parseHeader(b)
		if err != nil || n == 0 {
			if n != 0 || err == nil && len(b) >= maxHeader {
				t.Fatalf("%x: %d, %v", b, n, err)
			}
			return
		}
		if again := h.append(nil); !bytes.Equal(again, b[:n]) || h.size() != n || n+h.length > MaxFrame {
			t.Errorf("%x was read as %+v, which is %x", b[:n], h, again)
		}
	})
}
