package link

import (
	"errors"
	"io"
	"net"
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

// TestWhatHappensDuringAWriteIsNotMissed: WriteTo looks again when it is over.
func TestWhatHappensDuringAWriteIsNotMissed(t *testing.T) {
	for name, tt := range map[string]struct {
		happens func(l *Link)
		want    error
	}{
		"closed": {func(l *Link) { l.Close() }, net.ErrClosed},
		"the end of the stream": {func(l *Link) {
			l.mu.Lock()
			must(l.m.in.finish(3))
			l.m.fx.readable = true
			l.unlock(false)
		}, io.EOF},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := New(Config{Self: "self"})
			l := h.newLink(newMachine(h.settings(NewID(), "test", true, h.cfg.Grace)), "far", Route{})
			raw := slowRaw{make(chan struct{})}
			near, far := net.Pipe()
			d := drain{l: l, w: near, sink: newSink(raw)}
			l.use(d.sink)
			ended := make(chan error, 1)
			go func() { ended <- d.run() }()
			synctest.Wait()
			l.mu.Lock()
			if !d.sink.takesLocked(l, 0) {
				t.Errorf("%s: it does not wait", name)
			}
			d.sink.busy = true
			l.m.in.q.startAt(3)
			l.mu.Unlock()
			go d.sink.write(l, []byte("abc"))
			synctest.Wait()
			tt.happens(l)
			synctest.Wait()
			close(raw.goOn)
			b := make([]byte, 3)
			if _, err := io.ReadFull(far, b); err != nil || string(b) != "abc" {
				t.Errorf("%s: %q, %v", name, b, err)
			}
			if err := <-ended; !errors.Is(err, tt.want) {
				t.Errorf("%s: %v", name, err)
			}
			l.m.over = errComplete // nobody has to be told
			l.retire()
			near.Close()
			far.Close()
		})
	}
}

// TestAWriteThatTookAllStillTellsWhatWasMissed: who was woken meanwhile is woken
// again though nothing is left to be written.
func TestAWriteThatTookAllStillTellsWhatWasMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(Config{Self: "self"})
		l := h.newLink(newMachine(h.settings(NewID(), "test", true, h.cfg.Grace)), "far", Route{})
		d := drain{l: l, sink: newSink(slowRaw{make(chan struct{})})}
		l.use(d.sink)
		ended := make(chan error, 1)
		go func() { ended <- d.run() }()
		synctest.Wait()
		l.mu.Lock()
		d.sink.busy = true
		l.mu.Unlock()
		l.Close()
		synctest.Wait()
		close(d.sink.raw.(slowRaw).goOn)
		d.sink.write(l, nil)
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		l.m.over = errComplete // nobody has to be told
		l.retire()
	})
}
