package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// maxPassphrase caps what is read of a file for a passphrase, in bytes.
const maxPassphrase = 4096

// passphrase is one that a command needs: from a file, or typed.
type passphrase struct {
	file string // its first line; "-" is standard input
	what string // how it is asked for
	flag string
}

func (p *passphrase) bind(cmd *cobra.Command, usage string) {
	cmd.Flags().StringVar(&p.file, p.flag, "", usage+", instead of asking on the terminal (- reads standard input)")
}

// read returns the passphrase. A new one is asked for twice.
func (p *passphrase) read(ctx context.Context, a *app, fresh bool) (string, error) {
	if p.file != "" {
		return p.fromFile(a.in)
	}
	in, ok := a.in.(*os.File)
	if !ok || !isTerminal(in) {
		return "", wire.Errorf(wire.BadRequest, "there is no terminal to ask for the %s", p.what).
			WithNext("put it into the first line of a file: --%s FILE", p.flag)
	}
	first, err := a.ask(ctx, in, p.what)
	if err != nil || !fresh {
		return first, err
	}
	second, err := a.ask(ctx, in, "the same again")
	if err == nil && first != second {
		err = wire.Errorf(wire.BadRequest, "the two are not the same").WithNext("try again; nothing was changed")
	}
	return first, err
}

func (p *passphrase) fromFile(in io.Reader) (string, error) {
	if p.file != "-" {
		f, err := os.Open(p.file)
		if err != nil {
			return "", wire.Errorf(wire.BadRequest, "%s: %w", p.what, err).WithNext("check the path given with --%s", p.flag)
		}
		defer f.Close()
		in = f
	}
	line, err := bufio.NewReader(io.LimitReader(in, maxPassphrase+1)).ReadString('\n')
	if err != nil && err != io.EOF {
		return "", wire.Errorf(wire.BadRequest, "%s: %w", p.what, err)
	}
	line = strings.TrimRight(line, "\r\n")
	switch {
	case line == "":
		return "", wire.Errorf(wire.BadRequest, "%s: the first line of %s is empty", p.what, p.file)
	case len(line) > maxPassphrase:
		return "", wire.Errorf(wire.TooLarge, "%s: more than %d bytes", p.what, maxPassphrase)
	}
	return line, nil
}

// ask reads a line from a terminal that does not show it. An interrupt ends it,
// and shows again what is typed.
func (a *app) ask(ctx context.Context, in *os.File, what string) (string, error) {
	before, err := term.GetState(int(in.Fd()))
	if err != nil {
		return "", wire.Errorf(wire.Internal, "%s: %w", what, err)
	}
	fmt.Fprintf(a.err, "%s: ", what)
	type answer struct {
		line []byte
		err  error
	}
	typed := make(chan answer, 1)
	go func() {
		line, err := term.ReadPassword(int(in.Fd()))
		typed <- answer{line, err}
	}()
	select {
	case got := <-typed:
		fmt.Fprintln(a.err)
		switch {
		case got.err != nil:
			return "", wire.Errorf(wire.BadRequest, "%s: nothing was typed: %w", what, got.err)
		case len(bytes.TrimSpace(got.line)) == 0:
			return "", wire.Errorf(wire.BadRequest, "%s: nothing was typed", what)
		}
		return string(got.line), nil
	case <-ctx.Done():
		fmt.Fprintln(a.err)
		_ = term.Restore(int(in.Fd()), before) // the read itself ends with the process
		return "", ctx.Err()
	}
}

// confirmed has a person say that something is meant: by the flag --yes, or by
// typing it.
func (a *app) confirmed(ctx context.Context, yes bool, question string) error {
	in, ok := a.in.(*os.File)
	if yes {
		return nil
	}
	if !ok || !isTerminal(in) {
		return wire.Errorf(wire.BadRequest, "%s", question).WithNext("if that is meant, say so: --yes")
	}
	fmt.Fprintf(a.err, "%s\ntype yes if that is meant: ", question)
	typed := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(in).ReadString('\n') // what is not "yes" is no
		typed <- line
	}()
	select {
	case line := <-typed:
		if !strings.EqualFold(strings.TrimSpace(line), "yes") {
			return wire.Errorf(wire.Closed, "nothing was changed")
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
