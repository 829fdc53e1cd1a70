package muxer

import (
	"bytes"
	"testing"
)

func TestHeaderBytes(t *testing.T) {
	h := header{kind: kindWindow, flags: flagTake | flagEnd, stream: 0x01020304, length: 0xa0b0c0d0}
	b := h.append(nil)
	if want := []byte{0, 1, 0, 6, 1, 2, 3, 4, 0xa0, 0xb0, 0xc0, 0xd0}; !bytes.Equal(b, want) {
		t.Errorf("%x, want %x", b, want)
	}
	if got := parseHeader(b); got != h {
		t.Errorf("%+v", got)
	}
}

// TestMemoryOfWhatArrivedIsBounded: whatever the size of the frames, and none
// once all is read.
func TestMemoryOfWhatArrivedIsBounded(t *testing.T) {
	for _, size := range []int{1, 100, 1500, 5000, 20_000, frameMost, 300_000} {
		var b buffer
		var sent, got []byte
		for len(sent) < 250_000 {
			frame := bytes.Repeat([]byte{byte(len(sent) / size)}, size)
			for left := frame; len(left) > 0; {
				n := copy(b.space(len(left)), left)
				b.filled(n)
				left = left[n:]
			}
			sent = append(sent, frame...)
			held := 0
			for _, s := range b.parts {
				held += len(s.b)
			}
			if held > 4*b.len+64<<10 {
				t.Fatalf("frames of %d bytes: %d bytes of memory for %d", size, held, b.len)
			}
		}
		p := make([]byte, 777)
		for b.len > 0 {
			got = append(got, p[:b.read(p)]...)
		}
		if !bytes.Equal(got, sent) || len(b.parts) != 0 {
			t.Errorf("frames of %d bytes: %d bytes of %d, %d parts left, or they differ", size, len(got), len(sent), len(b.parts))
		}
	}
}

// TestMemoryIsNotGivenBackWhileItIsFilled: the reader may take all there is, or
// leave, in the middle of a frame.
func TestMemoryIsNotGivenBackWhileItIsFilled(t *testing.T) {
	var b buffer
	copy(b.space(100), "abc")
	b.filled(3)
	space := b.space(100)
	if n := b.read(make([]byte, 10)); n != 3 || len(b.parts) != 1 {
		t.Fatalf("%d bytes read, %d parts", n, len(b.parts))
	}
	copy(space, "def")
	b.filled(3)
	p := make([]byte, 10)
	if n := b.read(p); string(p[:n]) != "def" || len(b.parts) != 0 {
		t.Errorf("%q, %d parts", p[:n], len(b.parts))
	}
	b.space(100)
	if b.drop(); len(b.parts) != 1 {
		t.Error("memory that is being filled was given back")
	}
	if b.filled(7); len(b.parts) != 0 || b.len != 0 {
		t.Errorf("%d parts, %d bytes", len(b.parts), b.len)
	}
}
