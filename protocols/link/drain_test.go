package link

import (
	"bytes"
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"
)

// slowRaw is a conn below whose writes wait until they may go on.
type slowRaw struct{ goOn chan struct{} }

func (slowRaw) Control(func(uintptr)) error   { return nil }
func (slowRaw) Read(func(uintptr) bool) error { return nil }
func (r slowRaw) Write(func(uintptr) bool) error {
	<-r.goOn
	return nil // as if there were no room
}

// lonely is a link without a carrier.
func lonely() *Link {
	h := New(Config{Self: "self"})
	return h.newLink(newMachine(h.settings(NewID(), "test", true, h.cfg.Grace)), "far", Route{})
}

// leave ends a lonely link, which nobody has to be told.
func (l *Link) leave() {
	l.m.over = errComplete
	l.retire()
}

// bringing has bytes brought to the drain of a link, as the trunk does.
func bringing(t *testing.T, l *Link, b string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.drain
	if !d.takesLocked(0) {
		t.Error("it does not take them")
	}
	d.busy = true
	l.m.in.q.startAt(uint64(len(b)))
	go d.bring([]byte(b))
}

// TestWhatHappensWhileBytesAreBroughtIsNotMissed: it is seen to when they are
// written, or left to be written, though who brings them knows nothing of it.
func TestWhatHappensWhileBytesAreBroughtIsNotMissed(t *testing.T) {
	for name, tt := range map[string]struct {
		happens func(l *Link)
		want    error
	}{
		"closed": {func(l *Link) { l.Close() }, net.ErrClosed},
		"the end of the stream": {func(l *Link) {
			l.mu.Lock()
			must(l.m.in.finish(l.m.in.q.end))
			l.m.fx.readable = true
			l.unlock(false)
		}, nil},
		"a deadline": {func(l *Link) { must(l.SetReadDeadline(longAgo)) }, os.ErrDeadlineExceeded},
	} {
		for _, left := range []string{"abc", ""} {
			synctest.Test(t, func(t *testing.T) {
				l := lonely()
				raw := slowRaw{make(chan struct{})}
				var w bytes.Buffer
				ended := make(chan error, 1)
				must(l.Drain(&w, func(n int64, err error) {
					if n != int64(len(left)) {
						t.Errorf("%s: %d bytes", name, n)
					}
					ended <- err
				}))
				l.drain.raw = raw
				bringing(t, l, left)
				synctest.Wait()
				tt.happens(l)
				synctest.Wait()
				close(raw.goOn)
				if err := <-ended; !errors.Is(err, tt.want) {
					t.Errorf("%s: %v", name, err)
				}
				if w.String() != left {
					t.Errorf("%s: %q", name, &w)
				}
				l.leave()
			})
		}
	}
}
