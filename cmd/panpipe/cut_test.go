package main

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"
)

// program is a panpipe that runs beside the script.
type program struct {
	cmd    *exec.Cmd
	flows  *flowing
	kept   *transcript
	errs   *transcript
	ended  chan struct{} // closed when it has ended
	result error         // set before
}

// flowing takes what a program writes, and tells once much has come.
type flowing struct {
	left int
	much chan struct{} // closed then
}

func (f *flowing) Write(p []byte) (int, error) {
	if f.left > 0 && f.left <= len(p) {
		close(f.much)
	}
	f.left -= len(p)
	return len(p), nil
}

// endless is an input that never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

type programsContext struct{}

func programsOf(ts *testscript.TestScript) map[string]*program {
	return ts.Value(programsContext{}).(map[string]*program)
}

// cmdStart starts a program, with an input that never ends if -flood is given;
// -keep keeps what it writes.
func cmdStart(ts *testscript.TestScript, neg bool, args []string) {
	in, keep := io.Reader(nil), false
	if len(args) > 0 && args[0] == "-flood" {
		in, args = endless{}, args[1:]
	} else if len(args) > 0 && args[0] == "-keep" {
		keep, args = true, args[1:]
	}
	if neg || len(args) < 2 {
		ts.Fatalf("usage: start [-flood|-keep] NAME ARG…")
	}
	path, err := exec.LookPath("panpipe")
	ts.Check(err)
	p := &program{kept: newTranscript(), errs: newTranscript(), cmd: exec.Command(path, args[1:]...), flows: &flowing{left: 4 << 20, much: make(chan struct{})}, ended: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env = ts.Getenv("WORK"), scriptEnv(ts)
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = in, p.flows, p.errs
	if keep {
		p.cmd.Stdout = p.kept
	}
	ts.Check(p.cmd.Start())
	go func() {
		p.result = p.cmd.Wait()
		close(p.ended)
	}()
	programsOf(ts)[args[0]] = p
	ts.Defer(func() {
		p.cmd.Process.Kill()
		<-p.ended
	})
}

// cmdFlows waits until a program has received much.
func cmdFlows(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: flows NAME")
	}
	p := programsOf(ts)[args[0]]
	select {
	case <-p.flows.much:
	case <-p.ended:
		ts.Fatalf("%s has ended: %v\n%s", args[0], p.result, p.errs)
	}
}

// cmdSlay kills a program once the other has received much.
func cmdSlay(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: slay NAME RECEIVER")
	}
	cmdFlows(ts, false, args[1:])
	p := programsOf(ts)[args[0]]
	ts.Check(p.cmd.Process.Kill())
	<-p.ended
}

// cmdHalt interrupts a program.
func cmdHalt(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: halt NAME")
	}
	ts.Check(programsOf(ts)[args[0]].cmd.Process.Signal(os.Interrupt))
}

// cmdEnded waits for a program's end, with a code and words on stderr.
func cmdEnded(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: ended NAME CODE PATTERN")
	}
	p := programsOf(ts)[args[0]]
	<-p.ended
	code := 0
	var exit *exec.ExitError
	if errors.As(p.result, &exit) {
		code = exit.ExitCode()
	}
	words, err := regexp.Compile(args[2])
	ts.Check(err)
	if strconv.Itoa(code) != args[1] || !words.MatchString(p.errs.String()) {
		ts.Fatalf("%s: %v, exit code %d, want %s\n%s", args[0], p.result, code, args[1], p.errs)
	}
}
