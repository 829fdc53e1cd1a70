package store

import (
	"bytes"
	"testing"
)

func TestTheAccountComesBack(t *testing.T) {
	path := tempPath(t)
	s := mustOpen(t, path)
	if got, err := s.LoadAccount(ctx); err != nil || got != nil {
		t.Errorf("out of nothing: %x, %v", got, err)
	}
	for _, record := range [][]byte{[]byte("first"), bytes.Repeat([]byte("second"), 1<<17)} {
		if err := s.SaveAccount(ctx, record); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = mustOpen(t, path)
		if got, err := s.LoadAccount(ctx); err != nil || !bytes.Equal(got, record) {
			t.Errorf("%d bytes came back as %d, %v", len(record), len(got), err)
		}
	}
	if err := s.SaveAccount(ctx, nil); err != nil {
		t.Fatal(err)
	}
	if got, err := s.LoadAccount(ctx); err != nil || got != nil {
		t.Errorf("forgotten, and here: %d bytes, %v", len(got), err)
	}
}
