package pipe

import (
	"runtime"
	"sync"
	"testing"
	"time"
)

func TestTenThousandChannelsLeaveNothing(t *testing.T) {
	virtual(t, 2, func(t *testing.T, w *sim) {
		binder, dialer := w.nodes[0], w.nodes[1]
		id := binder.create(t, CreateOptions{DialPolicy: DialListed})
		binder.listen(t, id, ListenOptions{AllowAnyone: true, Handler: echoing(t)})
		k := dialer.keep(t, id, KeepOptions{})
		ready(t, k, 1)
		cycles(t, k, 100, 1)
		pass(time.Minute)
		before := runtime.NumGoroutine()
		cycles(t, k, 1000, 10)
		pass(time.Minute)
		if after := runtime.NumGoroutine(); after > before {
			t.Errorf("%d goroutines, %d before", after, before)
		}
		if got := k.State().Binders[0].Channels; got != 0 {
			t.Errorf("%d channels are counted", got)
		}
		for _, n := range w.nodes {
			n.Service.mu.Lock()
			trails, conns := len(n.trails), len(n.conns)
			n.Service.mu.Unlock()
			if links := n.links.Usage().Links; links != 1 || trails > 1 || conns != 0 { // the watch
				t.Errorf("%d links, %d routes and %d connections are left", links, trails, conns)
			}
		}
	})
}

// cycles dials so many times, several at once, and closes.
func cycles(t *testing.T, k *Keeper, atOnce, each int) {
	var all sync.WaitGroup
	for range atOnce {
		all.Go(func() {
			for range each {
				c, err := k.Dial(t.Context(), ChannelOptions{})
				if err != nil {
					t.Error(err)
					return
				}
				converse(t, c)
				c.Close()
			}
		})
	}
	all.Wait()
}

func TestTenThousandIdleChannelsBetweenTwoNodes(t *testing.T) {
	_, n := loopback(t, 2, "/ip4/127.0.0.1/tcp/0")
	id := n[0].create(t, CreateOptions{DialPolicy: DialListed})
	accepted := make(chan *Conn, 10_000)
	n[0].listen(t, id, ListenOptions{AllowAnyone: true, Handler: func(i *Incoming) {
		if c, err := i.Accept(); err == nil {
			accepted <- c
		}
	}})
	k := n[1].keep(t, id, KeepOptions{})
	ready(t, k, 1)
	before := heap()
	var dialled []*Conn
	for range 10_000 {
		c, err := k.Dial(t.Context(), ChannelOptions{})
		must(t, err)
		dialled = append(dialled, c)
	}
	byLink := make(map[string]*Conn)
	for _, c := range dialled {
		must(t, c.Opened(within(t)))
		far := <-accepted
		byLink[far.Link().String()] = far
	}
	per := (heap() - before) / 10_000
	t.Logf("%d bytes of heap and stacks a channel, both ends", per)
	if per > 16<<10 {
		t.Errorf("an idle channel takes %d bytes", per)
	}
	for _, c := range dialled[:10] {
		tell(t, c, byLink[c.Link().String()], "still here")
	}
}

// heap is the bytes of the heap and of stacks in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}
