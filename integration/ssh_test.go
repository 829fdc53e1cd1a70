//go:build figures || full

package integration

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
)

// sshSetup is what an SSH server of a test's own and its client need: keys and
// files in a folder that goes with the test. The machine's are not touched.
type sshSetup struct {
	dir, user, addr string // addr is where the server listens
}

func newSSH(t testing.TB, addr string) *sshSetup {
	t.Helper()
	who, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	s := &sshSetup{t.TempDir(), who.Username, addr}
	for _, key := range []string{"host", "client"} {
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", s.file(key)).CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v\n%s", err, out)
		}
	}
	host, err := os.ReadFile(s.file("host.pub"))
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, "known_hosts", "* "+string(host))
	s.write(t, "sshd_config", fmt.Sprintf(`
ListenAddress %s
HostKey %s
AuthorizedKeysFile %s
PidFile none
UsePAM no
StrictModes no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
PrintMotd no
PrintLastLog no
`, addr, s.file("host"), s.file("client.pub")))
	if os.Getuid() == 0 { // it wants that, and Debian's start script makes it
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s *sshSetup) file(name string) string { return filepath.Join(s.dir, name) }

func (s *sshSetup) write(t testing.TB, name, content string) {
	t.Helper()
	if err := os.WriteFile(s.file(name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// server is the command line of the server. It wants to be called by its path,
// and says "Server listening" on standard error.
func (s *sshSetup) server(t testing.TB) []string {
	t.Helper()
	path, err := exec.LookPath("sshd")
	if err != nil {
		t.Fatalf("%v; install openssh-server", err)
	}
	return []string{path, "-D", "-e", "-f", s.file("sshd_config")}
}

// client is the command line of the client that connects to addr, up to the
// host's name; more are options before that.
func (s *sshSetup) client(t testing.TB, addr string, more ...string) []string {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	line := []string{
		"ssh", "-F", "none", "-i", s.file("client"), "-p", port, "-l", s.user, "-c", "aes128-gcm@openssh.com",
		"-o", "UserKnownHostsFile=" + s.file("known_hosts"), "-o", "StrictHostKeyChecking=yes",
		"-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR",
	}
	return append(append(line, more...), host)
}

// awaitLine reads until a line contains what is wanted, and throws away what
// comes after that.
func awaitLine(r io.Reader, want string) error {
	lines, said := bufio.NewScanner(r), ""
	for lines.Scan() {
		if strings.Contains(lines.Text(), want) {
			go io.Copy(io.Discard, r)
			return nil
		}
		said += lines.Text() + "\n"
	}
	return errors.Join(fmt.Errorf("it never said %q, but %q", want, said), lines.Err())
}
