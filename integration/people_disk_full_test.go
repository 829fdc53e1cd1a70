//go:build full

package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/node/control/api"
)

// TestFullDiskIsToldToWhoWrites fills the disk of somebody who chats: what
// cannot be kept is refused, with a word about why, and all else arrives once.
func TestFullDiskIsToldToWhoWrites(t *testing.T) {
	disk := t.TempDir()
	sh(t, "mount -t tmpfs -o size=4m tmpfs "+disk)
	t.Cleanup(func() { sh(t, "umount "+disk) }) // after the node has left
	bob := upPerson(t, "bob")
	alice := upPerson(t, "alice", "--join", bob.run("ticket"), "--state-dir", disk+"/state")
	alice.befriends(bob)
	ballast := filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 8<<20), 0o600); err == nil {
		t.Fatal("the disk is not full")
	}
	kept := fillByTalk(t, alice)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	alice.run("chat", "bob", "--send", "after", "--wait", "30s")
	kept = append(kept, "after")
	for name, p := range map[string]*process{"alice": alice, "bob": bob} {
		with := map[string]string{"alice": "bob", "bob": "alice"}[name]
		page, err := p.client().Messages(t.Context(), with, api.MessagesQuery{Limit: 500})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range page.Messages {
			text, _, _ := strings.Cut(m.Text, " ")
			got = append(got, text)
		}
		if !slices.Equal(got, kept) {
			t.Errorf("%s has %q, want %q", name, got, kept)
		}
	}
}

// fillByTalk writes until the disk is full, and returns how the texts begin that
// were taken.
func fillByTalk(t *testing.T, p *process) (kept []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for i := range 200 { // the journal has some room in its own files yet
		begins := fmt.Sprint("message-", i)
		out, err := p.command(ctx, "chat", "bob", "--send", begins+" "+strings.Repeat("x", 50_000)).CombinedOutput()
		if err == nil {
			kept = append(kept, begins)
			continue
		}
		if !strings.Contains(string(out), "full") || !strings.Contains(string(out), "next:") {
			t.Errorf("on a full disk panpipe says %q", out)
		}
		return kept
	}
	t.Fatal("the disk never was full")
	return nil
}
