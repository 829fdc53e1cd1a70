//go:build figures

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// startSSH starts a server of SSH and a client that forwards to the service.
func startSSH(t *testing.T, service string) *tunnel {
	t.Helper()
	s, forward := newSSH(t, freePort(t)), freePort(t)
	line := s.server(t)
	server := exec.Command(line[0], line[1:]...)
	errs, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	begin(t, server)
	if err := awaitLine(errs, "Server listening"); err != nil {
		t.Fatalf("sshd: %v", err)
	}
	// A local command runs once the forwarding is set up.
	line = s.client(t, s.addr, "-N", "-L", fmt.Sprintf("%s:%s", forward, service), "-o", "ExitOnForwardFailure=yes",
		"-o", "PermitLocalCommand=yes", "-o", "LocalCommand=echo forwarding")
	client := exec.Command(line[0], line[1:]...)
	client.Stderr = os.Stderr
	out, err := client.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	begin(t, client)
	if err := awaitLine(out, "forwarding"); err != nil {
		t.Fatalf("ssh -L: %v", err)
	}
	return &tunnel{"ssh", forward, func() []int { return append(familyOf(server.Process.Pid), client.Process.Pid) }}
}

// begin starts a program that runs until the test ends.
func begin(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // or it has ended
		_ = cmd.Wait()                          // which tells of the signal
	})
}
