package connections

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// background is a protocol whose streams mean nothing.
const background protocol.ID = "/test/background"

// fakes are connections under a manager.
type fakes struct {
	*Manager
	notify network.Notifiee
	open   atomic.Int64
	made   int
}

func newFakes(t *testing.T, limit int) *fakes {
	m := New(limit, background)
	t.Cleanup(func() { _ = m.Close() })
	return &fakes{Manager: m, notify: m.Notifee()}
}

// make makes connections to nodes of their own, with a stream of a protocol each.
func (f *fakes) make(n int, id protocol.ID) (all []*fakeConn) {
	for range n {
		c := &fakeConn{f: f, peer: peer.ID(fmt.Sprint("node ", f.made))}
		c.streams.Store(&[]network.Stream{fakeStream{id: id}})
		f.made++
		f.open.Add(1)
		f.notify.Connected(nil, c)
		all = append(all, c)
	}
	return all
}

type fakeConn struct {
	network.Conn
	f       *fakes
	peer    peer.ID
	streams atomic.Pointer[[]network.Stream]
}

func (c *fakeConn) RemotePeer() peer.ID          { return c.peer }
func (c *fakeConn) GetStreams() []network.Stream { return *c.streams.Load() }
func (c *fakeConn) CloseWithError(network.ConnErrorCode) error {
	c.f.open.Add(-1)
	c.f.notify.Disconnected(nil, c)
	return nil
}

type fakeStream struct {
	network.Stream
	id protocol.ID
}

func (s fakeStream) Protocol() protocol.ID { return s.id }

// expect says how many connections there are to be a moment after d.
func (f *fakes) expect(t *testing.T, d time.Duration, want int64) {
	t.Helper()
	time.Sleep(d)
	synctest.Wait()
	if got := f.open.Load(); got != want {
		t.Errorf("%d connections after %v, want %d", got, d, want)
	}
}

func TestAboveItsLimitANodeClosesWhatHasComeLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes(t, 20)
		f.make(20, background)
		f.expect(t, time.Minute, 20)
		f.make(1, background) // it makes room for itself
		f.expect(t, settle, 18)
		f.expect(t, time.Minute, 18)
		f.make(40, background)
		f.expect(t, settle, 50) // half of the limit is not for newcomers
		f.expect(t, idleGrace-settle-1, 50)
		f.expect(t, 1, 18)
	})
}

func TestABusyConnectionHasItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes(t, 10)
		f.make(10, "/test/asks")
		f.expect(t, time.Minute, 10)
		late := f.make(6, "/test/asks")
		f.expect(t, idleGrace, 11)
		late[0].streams.Store(new([]network.Stream)) // it has its answer
		f.expect(t, idleGrace, 10)
		f.expect(t, busyGrace, 10)
	})
}

func TestAProtectedNodeStaysUntilItIsReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes(t, 10)
		all := f.make(16, background)
		for _, c := range all[:12] {
			f.Protect(c.peer, "one")
			f.Protect(c.peer, "two")
		}
		f.expect(t, time.Minute, 16)
		if f.Unprotect(all[0].peer, "one") != true || f.Unprotect(all[0].peer, "two") != false {
			t.Error("protections do not add up")
		}
		f.expect(t, settle, 16) // those out of protection are but half of the limit
		for _, c := range all[1:12] {
			f.Unprotect(c.peer, "one")
			f.Unprotect(c.peer, "two")
		}
		f.expect(t, settle, 9)
	})
}

func TestTagsLastAsLongAsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes(t, 10)
		f.TagPeer("nobody", "worth", 3)
		if f.GetTagInfo("nobody") != nil {
			t.Error("a tag of a node without a connection is kept")
		}
		c := f.make(1, background)[0]
		f.TagPeer(c.peer, "worth", 3)
		f.TagPeer(c.peer, "other", 4)
		f.UpsertTag(c.peer, "other", func(v int) int { return v + 1 })
		if v := f.Manager.peers[c.peer].value(); v != 8 {
			t.Errorf("value %d, want 8", v)
		}
		f.UntagPeer(c.peer, "worth")
		if v := f.Manager.peers[c.peer].value(); v != 5 {
			t.Errorf("value %d, want 5", v)
		}
		f.notify.Disconnected(nil, c)
		if f.GetTagInfo(c.peer) != nil || f.count != 0 {
			t.Error("something is left of a node that has gone")
		}
	})
}

func TestAClosedManagerClosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakes(t, 10)
		f.make(10, background)
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		f.make(10, background)
		f.TrimOpenConns(t.Context())
		f.expect(t, time.Minute, 20)
	})
}
