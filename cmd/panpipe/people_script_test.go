package main

import (
	"context"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/node/control/client"
)

func scriptClient(ts *testscript.TestScript, name string) *client.Client {
	return client.New(client.Config{Socket: filepath.Join(ts.Getenv("XDG_RUNTIME_DIR"), "panpipe", name+".sock")})
}

// cmdAccountOf sets a variable to the ID of a node's account.
func cmdAccountOf(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: accountof NAME VARIABLE")
	}
	a, err := scriptClient(ts, args[0]).Account(context.Background())
	ts.Check(err)
	ts.Setenv(args[1], a.ID)
}

// cmdWaitPresence waits until a node sees an accepted buddy so.
func cmdWaitPresence(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: waitpresence NAME BUDDY PRESENCE")
	}
	c, ctx := scriptClient(ts, args[0]), context.Background()
	st, err := c.Status(ctx)
	ts.Check(err)
	seen := func() bool {
		b, err := c.Buddy(ctx, args[1], api.BuddiesQuery{})
		ts.Check(err)
		return b.State == api.BuddyAccepted && b.Presence == args[2]
	}
	if seen() {
		return
	}
	for _, err := range c.Events(ctx, st.Event, args[1]) {
		ts.Check(err)
		if seen() {
			return
		}
	}
}
