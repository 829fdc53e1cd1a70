package wire

import (
	"bytes"
	"errors"
	"io"
	"math"
	"runtime"
	"testing"
	"testing/iotest"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func message(t testing.TB, payload []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := WriteMessage(&b, wrapperspb.Bytes(payload), math.MaxInt32); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestMessageIsReadAndNotAByteMore(t *testing.T) {
	for _, size := range []int{0, 1, 200, 70_000} {
		payload := bytes.Repeat([]byte{7}, size)
		r := bytes.NewReader(append(message(t, payload), "raw data"...))
		var m wrapperspb.BytesValue
		if err := ReadMessage(iotest.HalfReader(r), &m, 1<<20); err != nil || !bytes.Equal(m.Value, payload) {
			t.Fatalf("%d bytes: %v", size, err)
		}
		if rest, _ := io.ReadAll(r); string(rest) != "raw data" {
			t.Fatalf("%d bytes: %q is left", size, rest)
		}
	}
}

func TestMessageIsWrittenAtOnce(t *testing.T) {
	var writes int
	w := writerFunc(func(b []byte) (int, error) { writes++; return len(b), nil })
	if err := WriteMessage(w, wrapperspb.Bytes(make([]byte, 5000)), 1<<20); err != nil || writes != 1 {
		t.Errorf("%d writes, %v", writes, err)
	}
	w = func([]byte) (int, error) { return 0, io.ErrShortWrite }
	if err := WriteMessage(w, wrapperspb.Bytes(nil), 9); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("got %v", err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestMessageAboveItsCapIsRefusedOnBothSides(t *testing.T) {
	m := wrapperspb.Bytes(make([]byte, 98)) // 100 bytes
	var b bytes.Buffer
	if err := WriteMessage(&b, m, 99); !errors.Is(err, TooLarge) || b.Len() != 0 {
		t.Errorf("written: %v, %d bytes", err, b.Len())
	}
	raw := message(t, m.Value)
	if err := ReadMessage(bytes.NewReader(raw), m, 100); err != nil {
		t.Error(err)
	}
	if err := ReadMessage(bytes.NewReader(raw[:1]), m, 99); !errors.Is(err, TooLarge) {
		t.Errorf("read: %v", err)
	}
}

func TestNonsenseMessagesAreBadRequests(t *testing.T) {
	for name, raw := range map[string][]byte{
		"length in more bytes than needed": {0x81, 0x00, 0},
		"length of more than 64 bits":      bytes.Repeat([]byte{0xff}, 11),
		"length that overflows":            {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
		"not protobuf":                     {2, 0xff, 0xff},
	} {
		var m wrapperspb.BytesValue
		if err := ReadMessage(bytes.NewReader(raw), &m, 1<<20); !errors.Is(err, BadRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTextThatIsNotUTF8IsABadRequest(t *testing.T) {
	raw := message(t, []byte{0xff}) // the same bytes as a string field
	if err := ReadMessage(bytes.NewReader(raw), new(wrapperspb.StringValue), 99); !errors.Is(err, BadRequest) {
		t.Errorf("read: %v", err)
	}
	if err := WriteMessage(io.Discard, wrapperspb.String("\xff"), 99); !errors.Is(err, Internal) {
		t.Errorf("written: %v", err)
	}
}

func TestEveryTruncatedMessageIsRefused(t *testing.T) {
	raw := message(t, make([]byte, 300))
	for n := range raw {
		want := io.ErrUnexpectedEOF
		if n == 0 {
			want = io.EOF
		}
		if err := ReadMessage(bytes.NewReader(raw[:n]), new(wrapperspb.BytesValue), 1<<20); !errors.Is(err, want) {
			t.Errorf("prefix of %d bytes: %v", n, err)
		}
	}
}

func TestAnnouncedLengthSetsNoRoomAside(t *testing.T) {
	raw := message(t, make([]byte, 1<<20))[:100]
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const times = 100
	for range times {
		_ = ReadMessage(bytes.NewReader(raw), new(wrapperspb.BytesValue), 2<<20)
	}
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / times; each > 4*firstRoom {
		t.Errorf("%d bytes are set aside for 100", each)
	}
}

func TestReadersErrorIsReturnedAsItIs(t *testing.T) {
	cause := errors.New("cut")
	for n := range 3 {
		r := io.MultiReader(bytes.NewReader(message(t, make([]byte, 300))[:n]), iotest.ErrReader(cause))
		if err := ReadMessage(r, new(wrapperspb.BytesValue), 1<<20); !errors.Is(err, cause) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

// FuzzReadMessage: no input makes the reader take a byte beyond the message,
// or fail with anything but its own errors.
func FuzzReadMessage(f *testing.F) {
	f.Add(message(f, nil))
	f.Add(message(f, make([]byte, 200)))
	f.Add([]byte{0x80})
	f.Add([]byte{0x81, 0})
	f.Add([]byte{2, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, raw []byte) {
		const limit = 4096
		r := bytes.NewReader(raw)
		var m wrapperspb.BytesValue
		err := ReadMessage(r, &m, limit)
		if err == nil {
			size, rest, _ := uvarint(raw)
			if r.Len() != len(rest)-int(size) {
				t.Fatalf("%d bytes left of %d", r.Len(), len(rest)-int(size))
			}
			if err := WriteMessage(io.Discard, &m, math.MaxInt32); err != nil || proto.Size(&m) > limit {
				t.Fatalf("message cannot be written again: %v", err)
			}
			return
		}
		switch CodeOf(err) {
		case BadRequest, TooLarge, Closed:
		default:
			t.Fatalf("unexpected %v", err)
		}
	})
}
