package link_test

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/protocols/link"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// TestLateWordsWaitForCompany: a millisecond, or until something is to be sent.
func TestLateWordsWaitForCompany(t *testing.T) {
	for name, tt := range map[string]struct {
		then func(l *link.Link)
		wait time.Duration
		want string
	}{
		"nothing":      {func(*link.Link) {}, time.Millisecond, "late "},
		"data":         {func(l *link.Link) { _, _ = l.Write([]byte("and data")) }, 0, "late and data"},
		"more of late": {func(l *link.Link) { _, _ = l.WriteLate([]byte("more")) }, time.Millisecond, "late more"},
		"a flush":      {func(l *link.Link) { l.Flush() }, 0, "late "},
		"the end":      {func(l *link.Link) { l.CloseWrite() }, 0, "late "},
		"a close":      {func(l *link.Link) { l.Close() }, 0, "late "},
		"a reader":     {func(l *link.Link) { go l.Read(make([]byte, 1)) }, time.Millisecond, "late "},
	} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, a, b *node, p reach.Path) {
				came := serve(b)
				warm, _ := open(t, a, p, came)
				defer warm.Close()
				begun := time.Now()
				l, err := a.links.Open(within(t), p, link.Options{Service: "test", Late: true})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := l.WriteLate([]byte("late ")); err != nil {
					t.Fatal(err)
				}
				tt.then(l)
				far := <-came
				if took := time.Since(begun); took < rtt/2+tt.wait || took > rtt/2+tt.wait+time.Millisecond/2 {
					t.Errorf("it came after %s, not %s", took, rtt/2+tt.wait)
				}
				buf := make([]byte, 100)
				if n, err := far.Read(buf); string(buf[:n]) != tt.want || err != nil {
					t.Errorf("%q, %v", buf[:n], err)
				}
				l.Reset(wire.Expired, "enough")
				<-far.Done()
			})
		})
	}
}

// TestWhoOpensSpeaksAtOnceIfItsConnIsSilent: ReadFrom knows that there is
// nothing that the opening could wait for.
func TestWhoOpensSpeaksAtOnceIfItsConnIsSilent(t *testing.T) {
	a, b := quic(t, link.Config{}), quic(t, link.Config{})
	came := serve(b)
	l, err := a.links.Open(within(t), path(t, a, b, reach.Any), link.Options{Service: "test", Late: true})
	if err != nil {
		t.Fatal(err)
	}
	client, local := socketPair(t, "tcp")
	done := make(chan error, 1)
	go func() {
		_, err := l.ReadFrom(local)
		done <- err
	}()
	far := <-came
	if _, err := client.Write([]byte("now")); err != nil {
		t.Fatal(err)
	}
	_ = client.(*net.TCPConn).CloseWrite()
	buf := make([]byte, 3)
	if _, err := io.ReadFull(far, buf); string(buf) != "now" || err != nil {
		t.Errorf("%q, %v", buf, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	closeBoth(t, l, far)
}

// TestReadOrTellsThatItWaits once, and not when there is something.
func TestReadOrTellsThatItWaits(t *testing.T) {
	client, local := socketPair(t, "tcp")
	buf := make([]byte, 10)
	idle := 0
	n, err := link.ReadOr(local, buf, func() {
		idle++
		_, _ = client.Write([]byte("later"))
	})
	if string(buf[:n]) != "later" || err != nil || idle != 1 {
		t.Errorf("%q, %v, told %d times", buf[:n], err, idle)
	}
	client.Close()
	if _, err := link.ReadOr(local, buf, func() {}); err != io.EOF {
		t.Error(err)
	}
}
