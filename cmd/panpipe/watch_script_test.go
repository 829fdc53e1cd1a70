package main

import (
	"bytes"
	"context"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/node/control/client"
)

// transcript keeps what a program writes, and tells of each piece.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // closed by the next piece
}

func newTranscript() *transcript { return &transcript{more: make(chan struct{})} }

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text.Write(p)
	close(t.more)
	t.more = make(chan struct{})
	return len(p), nil
}

// read is what has been written, and what the next piece closes.
func (t *transcript) read() (string, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String(), t.more
}

// String is what has been written.
func (t *transcript) String() string {
	text, _ := t.read()
	return text
}

// cmdWrote waits until a program started with -keep has written a line.
func cmdWrote(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: wrote NAME PATTERN")
	}
	words, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	p := programsOf(ts)[args[0]]
	p.await(ts, args[0], p.kept, words)
}

// cmdSays waits until a program has written a line on stderr.
func cmdSays(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: says NAME PATTERN")
	}
	words, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	p := programsOf(ts)[args[0]]
	p.await(ts, args[0], p.errs, words)
}

// await waits for words in what the program writes to one stream.
func (p *program) await(ts *testscript.TestScript, name string, stream *transcript, words *regexp.Regexp) {
	for {
		text, more := stream.read()
		if words.MatchString(text) {
			return
		}
		select {
		case <-more:
		case <-p.ended:
			if text, _ = stream.read(); !words.MatchString(text) {
				ts.Fatalf("%s ended without it: %v\n%s\n%s", name, p.result, text, p.errs)
			}
			return
		}
	}
}

// cmdWaitLost waits until a node has no server of its overlay any more.
func cmdWaitLost(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waitlost NAME")
	}
	waitStatus(ts, args[0], func(_ *client.Client, s api.Status) bool { return s.Servers == 0 })
}

// cmdWaitPeer waits until a node is connected to a peer.
func cmdWaitPeer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: waitpeer NAME PEER")
	}
	waitStatus(ts, args[0], func(c *client.Client, _ api.Status) bool {
		peers, err := c.Peers(context.Background())
		ts.Check(err)
		for _, p := range peers {
			if strings.Contains(args[1], p.ID) {
				return true
			}
		}
		return false
	})
}

// waitStatus looks at a node whenever its status has changed.
func waitStatus(ts *testscript.TestScript, name string, is func(c *client.Client, s api.Status) bool) {
	c := client.New(client.Config{Socket: filepath.Join(ts.Getenv("XDG_RUNTIME_DIR"), "panpipe", name+".sock")})
	s, err := c.Status(context.Background())
	ts.Check(err)
	if is(c, s) {
		return
	}
	for e, err := range c.Events(context.Background(), s.Event) {
		ts.Check(err)
		if e.Status != nil && is(c, *e.Status) {
			return
		}
	}
}
