package trunk

import (
	"bytes"
	"io"
	"testing"
	"testing/iotest"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// inboxOf reads a frame with a payload, and then one byte, through every shape
// of reader.
func inboxOf(payload []byte, f func(name string, in *Inbox)) {
	b := append(header{2, 16, len(payload)}.append(nil), payload...)
	b = append(b, 0x7f)
	for name, r := range map[string]io.Reader{
		"whole": bytes.NewReader(b), "bytes": iotest.OneByteReader(bytes.NewReader(b)), "halves": iotest.HalfReader(bytes.NewReader(b)),
	} {
		in := &Inbox{src: r}
		if _, _, err := in.header(); err != nil {
			panic(err)
		}
		f(name, in)
	}
}

func TestInboxGivesThePayloadAndNoMore(t *testing.T) {
	payload := make([]byte, 3*MaxSmall+7)
	for i := range payload {
		payload[i] = byte(i * 7)
	}
	inboxOf(payload, func(name string, in *Inbox) {
		small, err := in.Next(MaxSmall)
		if err != nil || !bytes.Equal(small, payload[:MaxSmall]) {
			t.Fatalf("%s: %v", name, err)
		}
		rest, err := io.ReadAll(in)
		if err != nil || !bytes.Equal(rest, payload[MaxSmall:]) || in.Len() != 0 {
			t.Fatalf("%s: %d bytes, %v", name, len(rest), err)
		}
		if b, err := last(in); b != 0x7f || err != nil {
			t.Errorf("%s: what follows is %x, %v", name, b, err)
		}
	})
}

// last reads what follows the frame as if it were payload.
func last(in *Inbox) (byte, error) {
	in.left = 1
	b, err := in.Next(1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

func TestInboxSkipsWhatIsUnread(t *testing.T) {
	inboxOf(make([]byte, 50_000), func(name string, in *Inbox) {
		if _, err := in.Read(make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		if err := in.skip(); err != nil {
			t.Fatal(err)
		}
		if b, err := last(in); b != 0x7f || err != nil {
			t.Errorf("%s: what follows is %x, %v", name, b, err)
		}
	})
}

func TestInboxReadsFields(t *testing.T) {
	inboxOf([]byte{0xac, 0x02, 'a', 'b', 0x80}, func(name string, in *Inbox) {
		if v, err := in.Uvarint(); v != 300 || err != nil {
			t.Fatalf("%s: %d, %v", name, v, err)
		}
		var b [2]byte
		if err := in.Full(b[:]); string(b[:]) != "ab" || err != nil {
			t.Fatalf("%s: %q, %v", name, b, err)
		}
		if _, err := in.Uvarint(); wire.CodeOf(err) != wire.BadRequest {
			t.Errorf("%s: a number beyond the payload: %v", name, err)
		}
		if _, err := in.Next(2); wire.CodeOf(err) != wire.BadRequest {
			t.Errorf("%s: bytes beyond the payload: %v", name, err)
		}
		if err := in.Full(make([]byte, 2)); wire.CodeOf(err) != wire.BadRequest {
			t.Errorf("%s: bytes beyond the payload: %v", name, err)
		}
		if in.err != nil {
			t.Errorf("%s: the stream is blamed: %v", name, in.err)
		}
	})
	inboxOf(make([]byte, 100), func(name string, in *Inbox) {
		if _, err := in.Small(99); wire.CodeOf(err) != wire.TooLarge {
			t.Errorf("%s: %v", name, err)
		}
		if b, err := in.Small(100); len(b) != 100 || err != nil {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
		if _, err := in.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("%s: %v", name, err)
		}
	})
}

func TestInboxTellsTheStreamsEndFromThePayloads(t *testing.T) {
	in := &Inbox{src: bytes.NewReader(header{2, 16, 100}.append(nil))}
	if _, _, err := in.header(); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Next(1); err != io.ErrUnexpectedEOF || in.err != io.ErrUnexpectedEOF {
		t.Errorf("%v, %v", err, in.err)
	}
}
