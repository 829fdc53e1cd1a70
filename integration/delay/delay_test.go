package delay

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

const oneWay = 30 * time.Millisecond

// echo answers every connection with what it says, until the test ends.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(c, c) // a reset is one of the tests
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

func start(t *testing.T) (*Relay, net.Conn) {
	t.Helper()
	t.Cleanup(func() { goleak.VerifyNone(t) })
	r, err := New(echo(t), oneWay)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	c, err := net.Dial("tcp", r.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return r, c
}

func TestEveryByteIsDelayedBothWays(t *testing.T) {
	_, c := start(t)
	began := time.Now()
	if _, err := c.Write([]byte("tune")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 4)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "tune" {
		t.Fatalf("%q, %v", got, err)
	}
	if took := time.Since(began); took < 2*oneWay {
		t.Errorf("there and back in %s, want at least %s", took, 2*oneWay)
	}
}

func TestBytesAndTheEndArriveInOrder(t *testing.T) {
	_, c := start(t)
	sent := make([]byte, 20<<20)
	_, _ = rand.Read(sent) // never fails
	go func() {
		_, _ = c.Write(sent) // a failure shows in what is read
		_ = c.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("%d bytes of %d came back as they were, %v", len(got), len(sent), err)
	}
}

func TestResetIsOneForBothEnds(t *testing.T) {
	r, c := start(t)
	if _, err := c.Write([]byte("a")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	r.Reset()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("read after the reset: %v", err)
	}
}

func TestSilenceLeavesConnectionsOpenAndMute(t *testing.T) {
	r, c := start(t)
	r.Silence()
	if _, err := c.Write([]byte("a")); err != nil {
		t.Fatal(err)
	}
	if err := c.SetReadDeadline(time.Now().Add(4 * oneWay)); err != nil {
		t.Fatal(err)
	}
	var timeout net.Error
	if n, err := c.Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Fatalf("%d bytes, %v through a silent relay", n, err)
	}
}
