package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Exit codes.
const (
	exitOK       = 0
	exitFailed   = 1
	exitUsage    = 2 // wrong usage, or input that is malformed
	exitNotReady = 3 // no node is running, or it has not joined
	exitNotFound = 4 // unbound or unknown
)

// exitOf maps the vocabulary to exit codes.
func exitOf(err error) int {
	switch wire.CodeOf(err) {
	case wire.OK:
		return exitOK
	case wire.BadRequest:
		return exitUsage
	case wire.NotReady:
		return exitNotReady
	case wire.Unbound, wire.Unknown:
		return exitNotFound
	}
	return exitFailed
}

// failure marks what a command's own work returned. Every other error that
// comes out of cobra is one of usage.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

// errReported is a failure that the command has told of itself.
type errReported struct{ error }

func (e errReported) Unwrap() error { return e.error }

// does makes a command's work out of fn.
func does(fn func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if err := fn(cmd, args); err != nil {
			return failure{err}
		}
		return nil
	}
}

// finish tells of an error and returns the exit code.
func (a *app) finish(ctx context.Context, cmd *cobra.Command, err error) int {
	var told errReported
	var failed failure
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &told):
		return exitOf(err)
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return exitFailed // interrupted: whoever did it knows
	case !errors.As(err, &failed):
		err = wire.Errorf(wire.BadRequest, "%s", usageText(err)).WithNext("%s", wire.NextOf(err))
	}
	if wire.CodeOf(err) == wire.BadRequest && wire.NextOf(err) == "" {
		err = wire.Errorf(wire.BadRequest, "%w", err).WithNext("see %s --help", cmd.CommandPath())
	}
	a.report(err)
	return exitOf(err)
}

// usageText tells of an error of usage in words of this program's.
func usageText(err error) string {
	var bad *pflag.InvalidValueError
	if !errors.As(err, &bad) {
		return strings.TrimSpace(err.Error())
	}
	want := map[string]string{"bool": "true or false", "uint64": "a whole number from 0 on", "count": "a number"}[bad.GetFlag().Value.Type()]
	if want == "" {
		return fmt.Sprintf("--%s: %v", bad.GetFlag().Name, bad.Unwrap())
	}
	return fmt.Sprintf("--%s: %q is not %s", bad.GetFlag().Name, bad.GetValue(), want)
}

// report says what failed and why, the code, and what to do next.
func (a *app) report(err error) {
	if a.json {
		a.printJSON(a.err, api.ProblemOf(err)) //nolint:errcheck // stderr has gone; there is nobody to tell
		return
	}
	fmt.Fprintf(a.err, "%s %s (%s)\n", a.bold(a.err, "panpipe:"), err, wire.CodeOf(err))
	dials := api.ProblemOf(err).Dials
	if a.verbose > 0 {
		for _, d := range dials {
			printDial(a.err, d)
		}
	}
	if next := wire.NextOf(err); next != "" {
		fmt.Fprintf(a.err, "  next: %s\n", next)
	}
	if len(dials) > 1 && a.verbose == 0 {
		fmt.Fprintln(a.err, "  -v tells of each address")
	}
}
