package session

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/node/store"
	"github.com/panpipe-net/panpipe/session/replica"
)

var historySize = flag.Int("history", 100_000, "messages in the history that BenchmarkHistory opens")

// BenchmarkMessages writes messages of 100 bytes at one device, so many at once,
// and ends when the other one, over TCP on loopback, has all of them on its disk
// and has said so.
func BenchmarkMessages(b *testing.B) {
	for _, writers := range []int{1, 32, 256} {
		b.Run(fmt.Sprint("writers=", writers), func(b *testing.B) { benchmarkMessages(b, writers) })
	}
}

func benchmarkMessages(b *testing.B, writers int) {
	alice, bob := newPerson(b, "alice", 1), newPerson(b, "bob", 1)
	dir := b.TempDir()
	x, y := newNode(b, alice, 0, filepath.Join(dir, "a.db")), newNode(b, bob, 0, filepath.Join(dir, "b.db"))
	cx, cy := sockets(b)
	m := meet(x, y, cx, cy)
	body := bytes.Repeat([]byte("x"), 100)
	b.ResetTimer()
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for range (b.N + w) / writers {
				if _, err := x.Write(ctx, bob.account, replica.Draft{Kind: replica.Text, Body: body}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	x.until(func() bool {
		for _, high := range x.held {
			if high >= x.journal.Stats().Entries {
				return true
			}
		}
		return false
	})
	b.StopTimer()
	m.end()
	sx, sy := x.journal.Stats(), y.journal.Stats()
	b.ReportMetric(float64(sx.Entries)/b.Elapsed().Seconds(), "messages/s")
	b.ReportMetric(float64(sx.Entries)/float64(sx.Syncs), "messages/sync-sender")
	b.ReportMetric(float64(sy.Entries)/float64(sy.Syncs), "messages/sync-receiver")
	if err := y.journal.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(size(b, filepath.Join(dir, "b.db")))/float64(sy.Entries), "B/message-stored")
}

// size is that of a file and of what SQLite keeps beside it.
func size(b *testing.B, path string) (sum int64) {
	for _, end := range []string{"", "-wal", "-shm"} {
		if st, err := os.Stat(path + end); err == nil {
			sum += st.Size()
		}
	}
	return sum
}

// BenchmarkHistory opens a journal and reads the last page of a conversation,
// and one from its middle.
func BenchmarkHistory(b *testing.B) {
	alice, bob := newPerson(b, "alice", 1), newPerson(b, "bob", 1)
	path := filepath.Join(b.TempDir(), "journal.db")
	n := newNode(b, alice, 0, path)
	drafts := make([]replica.Draft, 2000)
	for i := 0; i < *historySize; i += len(drafts) {
		for k := range drafts {
			drafts[k] = replica.Draft{Kind: replica.Text, Body: fmt.Appendf(nil, "message %d of a long history of short messages", i+k)}
		}
		if _, err := n.Write(ctx, bob.account, drafts...); err != nil {
			b.Fatal(err)
		}
	}
	first, err := n.journal.Read(ctx, n.added[*historySize/2].Key, uint64(*historySize/2), false, 1)
	if err != nil {
		b.Fatal(err)
	}
	n.journal.Close()
	b.ResetTimer()
	for b.Loop() {
		j, err := store.OpenJournal(ctx, store.JournalConfig{Path: path, Self: n.device, Now: time.Now})
		if err != nil {
			b.Fatal(err)
		}
		for _, before := range []replica.ID{{}, first[0].ID} {
			if page, err := j.Page(ctx, bob.account, before, 50); err != nil || len(page) != 50 {
				b.Fatalf("%d entries, %v", len(page), err)
			}
		}
		j.Close()
	}
	b.ReportMetric(float64(size(b, path))/float64(*historySize), "B/message-stored")
	b.ReportMetric(float64(*historySize), "messages")
}
