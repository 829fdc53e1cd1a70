//go:build full

package integration

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/integration/lab"
)

// stage is where a program and its daemon play: two machines, and a folder of
// their own.
type stage struct {
	t                  *testing.T
	serverAt, clientAt *lab.Machine
	dir                string
}

// stagePatience is how long one use of a program may take, strikes included.
const stagePatience = 90 * time.Second

// foreigner is a program that knows nothing of Panpipe.
type foreigner struct {
	name string
	// serve starts its daemon and returns the address of that, on loopback.
	serve func(s *stage) (target string)
	// use has a client work with what is at addr: once at least, and until over
	// is closed. It is an error if any byte is another than it ought to be. It
	// may run beside the test's goroutine.
	use func(s *stage, addr string, over <-chan struct{}) error
}

// file is a path in the stage's folder.
func (s *stage) file(parts ...string) string {
	return filepath.Join(append([]string{s.dir}, parts...)...)
}

// put writes a file, and the folders that it is in.
func (s *stage) put(content []byte, parts ...string) {
	s.t.Helper()
	path := s.file(parts...)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// daemon runs a program on the server's machine until the test ends. It returns
// when the program has said what is wanted.
func (s *stage) daemon(wanted string, line ...string) {
	s.t.Helper()
	cmd := s.serverAt.Command(context.Background(), line[0], line[1:]...)
	cmd.Dir = s.dir
	said, says, err := os.Pipe()
	if err != nil {
		s.t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = says, says
	err = cmd.Start()
	says.Close() // it is the daemon's alone, whose end can be read then
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGINT) // or it has ended
		_ = cmd.Wait()                         // which tells of the signal
		said.Close()
	})
	if err := awaitLine(said, wanted); err != nil {
		s.t.Fatalf("%s: %v", line[0], err)
	}
}

// client runs a program on the client's machine and returns what it printed.
func (s *stage) client(stdin io.Reader, line ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), stagePatience)
	defer cancel()
	cmd := s.clientAt.Command(ctx, line[0], line[1:]...)
	cmd.Dir, cmd.Stdin = s.dir, stdin
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", strings.Join(line, " "), err, &errs)
	}
	return out, err
}

// clients runs programs one after another, each line after what all begin with.
func (s *stage) clients(all []string, lines [][]string) error {
	for _, line := range lines {
		if _, err := s.client(nil, with(all, line...)...); err != nil {
			return err
		}
	}
	return nil
}

// wants runs a program on the client's machine that must print what is wanted.
func (s *stage) wants(want []byte, stdin io.Reader, line ...string) error {
	out, err := s.client(stdin, line...)
	if err == nil && !bytes.Equal(out, want) {
		err = fmt.Errorf("%s: it printed %d bytes that begin with %.60q, want %d that begin with %.60q",
			strings.Join(line, " "), len(out), out, len(want), want)
	}
	return err
}

// with is a command line and more, in a slice of its own: some are used by
// several goroutines.
func with(line []string, more ...string) []string { return slices.Concat(line, more) }

// until does something again and again until it is over, once at least.
func until(over <-chan struct{}, once func(turn int) error) error {
	for turn := 0; ; turn++ {
		if err := once(turn); err != nil {
			return fmt.Errorf("turn %d: %w", turn, err)
		}
		select {
		case <-over:
			return nil
		default:
		}
	}
}

// together does things at the same time, and returns the first failure.
func together(all ...func() error) error {
	done := make(chan error, len(all))
	for _, one := range all {
		go func() { done <- one() }()
	}
	var first error
	for range all {
		if err := <-done; first == nil {
			first = err
		}
	}
	return first
}

// dialogue is a program on the client's machine that is spoken with.
type dialogue struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	heard *bufio.Scanner
	errs  *bytes.Buffer
}

// converse starts a program and speaks with it: talk says when there is enough.
// The program must end well when its input does.
func (s *stage) converse(talk func(*dialogue) error, line ...string) error {
	ctx, cancel := context.WithTimeout(s.t.Context(), stagePatience)
	defer cancel()
	d := &dialogue{cmd: s.clientAt.Command(ctx, line[0], line[1:]...), errs: new(bytes.Buffer)}
	d.cmd.Dir, d.cmd.Stderr = s.dir, d.errs
	var err error
	if d.in, err = d.cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	d.heard = bufio.NewScanner(out)
	if err := d.cmd.Start(); err != nil {
		return err
	}
	err = talk(d)
	d.in.Close()
	_, _ = io.Copy(io.Discard, out) // up to its end
	if ended := d.cmd.Wait(); err == nil {
		err = ended
	}
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(line, " "), err, d.errs)
	}
	return nil
}

// ask says a line and hears until one ends with the answer. A terminal says
// what it is told as well, and a shell its prompt.
func (d *dialogue) ask(line, answer string) error {
	if _, err := io.WriteString(d.in, line+"\n"); err != nil {
		return err
	}
	for d.heard.Scan() {
		if strings.HasSuffix(strings.TrimSpace(d.heard.Text()), answer) {
			return nil
		}
	}
	return errors.Join(fmt.Errorf("it ended without the answer %q to %q", answer, line), d.heard.Err())
}

// squares asks for one square number after another until it is over. The
// program makes line of a number print the square's words.
func (d *dialogue) squares(over <-chan struct{}, line func(n int) string) error {
	return until(over, func(n int) error { return d.ask(line(n), fmt.Sprintf("square %d", n*n)) })
}

// blob is bytes that nothing can guess or compress, the same for the same seed.
func blob(seed byte, n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{'b', 'l', 'o', 'b', seed}).Read(b)
	return b
}
