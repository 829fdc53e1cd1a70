// Command panpipe runs a node and talks to one. `panpipe up` is the daemon;
// every other command is a client of its local API.
//
// Exit codes: 0 done, 1 failed, 2 wrong usage or malformed input, 3 the node
// is not there or has not joined its overlay, 4 nobody serves the pipe or it
// is not known.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(execute()) }

// execute runs the command line of this process and returns the exit code.
func execute() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}

// run runs one command line.
func run(ctx context.Context, args []string, in io.Reader, out, err io.Writer) int {
	a := &app{in: in, out: out, err: err}
	root := newRoot(a)
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(err)
	cmd, failed := root.ExecuteContextC(ctx)
	return a.finish(ctx, cmd, failed)
}
