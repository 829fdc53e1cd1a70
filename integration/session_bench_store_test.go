//go:build figures

package integration

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/integration/figures"
	"github.com/panpipe-net/panpipe/node/store"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/session"
	"github.com/panpipe-net/panpipe/session/replica"
)

const (
	messageRuns    = 5
	messagesEach   = 50_000
	messageWriters = 256
	longHistory    = 1_000_000
	shortMessage   = 100 // bytes of text
)

// correspondent is a device with a journal on the disk.
type correspondent struct {
	*session.Conversations
	device, account identity.Principal
	journal         *store.Journal
	path            string

	mu   sync.Mutex
	held uint64        // the highest of its messages that the far side holds
	more chan struct{} // closed when that changes
}

func (*correspondent) Added([]replica.Entry)                                {}
func (*correspondent) Stopped(_ identity.Principal, _ replica.Key, _ error) {}
func (c *correspondent) Held(_ identity.Principal, _ replica.Key, r replica.Run) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = max(c.held, r.High)
	close(c.more)
	c.more = make(chan struct{})
}

// until waits until the far side holds so many messages.
func (c *correspondent) until(n uint64) {
	for {
		c.mu.Lock()
		held, more := c.held, c.more
		c.mu.Unlock()
		if held >= n {
			return
		}
		<-more
	}
}

func newCorrespondent(t *testing.T, dir, name string) *correspondent {
	t.Helper()
	key := func() crypto.PubKey {
		_, pub, err := crypto.GenerateEd25519Key(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return pub
	}
	id, err := peer.IDFromPublicKey(key())
	if err != nil {
		t.Fatal(err)
	}
	c := &correspondent{device: identity.PeerPrincipal(id), path: filepath.Join(dir, name+".db"), more: make(chan struct{})}
	if c.account, err = identity.AccountPrincipal(key()); err != nil {
		t.Fatal(err)
	}
	c.open(t)
	return c
}

func (c *correspondent) open(t *testing.T) {
	t.Helper()
	j, err := store.OpenJournal(t.Context(), store.JournalConfig{Path: c.path, Self: c.device, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	c.journal = j
	c.Conversations = session.New(session.Config{Device: c.device, Account: c.account, Journal: j, Observer: c, Now: time.Now})
}

func (c *correspondent) far() session.Far {
	anyone := func(identity.Principal) bool { return true }
	return session.Far{Device: c.device, Account: c.account, Ours: anyone, Theirs: anyone, LogShown: func([]byte) error { return nil }}
}

// tcpPair are two ends of a TCP connection on loopback.
func tcpPair(t *testing.T) (near, far net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if near, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if far, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return near, far
}

func sizeOf(path string) (sum int64) {
	for _, end := range []string{"", "-wal", "-shm"} {
		if st, err := os.Stat(path + end); err == nil {
			sum += st.Size()
		}
	}
	return sum
}

// measureMessages measures messages a second from one journal into another, both
// synced, over a connection on loopback.
func measureMessages(t *testing.T, report *figures.Report) {
	var rates, perSync, stored []float64
	for run := range messageRuns {
		dir := t.TempDir()
		alice, bob := newCorrespondent(t, dir, fmt.Sprint("alice", run)), newCorrespondent(t, dir, fmt.Sprint("bob", run))
		ctx, end := context.WithCancel(t.Context())
		var running sync.WaitGroup
		near, far := tcpPair(t)
		running.Go(func() { _ = alice.Run(ctx, near, bob.far()) }) // ends with ctx
		running.Go(func() { _ = bob.Run(ctx, far, alice.far()) })
		began := time.Now()
		var writing sync.WaitGroup
		for range messageWriters {
			writing.Go(func() {
				for range messagesEach / messageWriters {
					if _, err := alice.Write(ctx, bob.account, replica.Draft{Kind: replica.Text, Body: bytes.Repeat([]byte("x"), shortMessage)}); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		writing.Wait()
		alice.until(messagesEach / messageWriters * messageWriters)
		took := time.Since(began)
		end()
		running.Wait()
		stats := bob.journal.Stats()
		rates = append(rates, float64(stats.Entries)/took.Seconds())
		perSync = append(perSync, float64(stats.Entries)/float64(stats.Syncs))
		for _, c := range []*correspondent{alice, bob} {
			if err := c.journal.Close(); err != nil {
				t.Error(err)
			}
		}
		stored = append(stored, float64(sizeOf(bob.path))/float64(stats.Entries))
	}
	report.Add("session_messages", percentile(rates, 50), "1/s", ">=20000")
	report.Add("session_messages_per_sync", percentile(perSync, 50), "messages", "-")
	report.Add("session_store_per_message", percentile(stored, 50), "B", "<=1024")
}

// measureHistory opens a journal with a long conversation and reads its last
// page.
func measureHistory(t *testing.T, report *figures.Report) {
	alice := newCorrespondent(t, t.TempDir(), "alice")
	bob := newCorrespondent(t, t.TempDir(), "bob").account
	drafts := make([]replica.Draft, 2000)
	for i := 0; i < longHistory; i += len(drafts) {
		for k := range drafts {
			drafts[k] = replica.Draft{Kind: replica.Text, Body: fmt.Appendf(nil, "message %d of a long history of short messages", i+k)}
		}
		if _, err := alice.Write(t.Context(), bob, drafts...); err != nil {
			t.Fatal(err)
		}
	}
	var opened, paged []float64
	var last replica.ID
	for range 11 {
		if err := alice.journal.Close(); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		alice.open(t)
		page, err := alice.Page(t.Context(), bob, replica.ID{}, 50)
		if err != nil || len(page) != 50 {
			t.Fatalf("%d messages, %v", len(page), err)
		}
		opened = append(opened, float64(time.Since(began).Microseconds())/1000)
		for range 20 {
			last = page[len(page)-1].Place
			began = time.Now()
			if page, err = alice.Page(t.Context(), bob, last, 50); err != nil || len(page) != 50 {
				t.Fatalf("%d messages, %v", len(page), err)
			}
			paged = append(paged, float64(time.Since(began).Microseconds())/1000)
		}
	}
	report.Add("session_history_1m_open", percentile(opened, 50), "ms", "<=50")
	report.Add("session_history_1m_page_p99", percentile(paged, 99), "ms", "<=50")
}
