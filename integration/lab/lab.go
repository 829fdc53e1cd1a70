//go:build full

package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// Lab is a set of machines that belongs to one test.
type Lab struct {
	t    testing.TB
	name string // prefix of its namespaces
}

var (
	labs  atomic.Uint64 // made by this process
	swept sync.Once
)

// New makes an empty lab. It goes away when t ends.
func New(t testing.TB) *Lab {
	t.Helper()
	swept.Do(func() { sweep(t) })
	return &Lab{t: t, name: fmt.Sprintf("pp-%d-%d", os.Getpid(), labs.Add(1))}
}

// sweep removes the machines of test binaries that were killed.
func sweep(t testing.TB) {
	out, err := exec.Command("ip", "netns", "list").Output()
	if err != nil {
		t.Fatalf("ip netns list: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		ns, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		rest, ours := strings.CutPrefix(ns, "pp-")
		process, _, _ := strings.Cut(rest, "-")
		if pid, err := strconv.Atoi(process); !ours || err != nil || alive(pid) {
			continue
		}
		if out, err := exec.Command("ip", "netns", "del", ns).CombinedOutput(); err != nil {
			t.Logf("a leftover: ip netns del %s: %v: %s", ns, err, out)
		}
	}
}

func alive(pid int) bool {
	_, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
	return err == nil
}

// Machine is one network namespace.
type Machine struct {
	lab   *Lab
	Name  string // of the namespace
	ports int    // plugged in at switches
}

func (l *Lab) machine(who string) *Machine {
	l.t.Helper()
	m := &Machine{lab: l, Name: l.name + "-" + who}
	l.run("ip", "netns", "add", m.Name)
	l.t.Cleanup(func() {
		if out, err := exec.Command("ip", "netns", "del", m.Name).CombinedOutput(); err != nil {
			l.t.Errorf("ip netns del %s: %v: %s", m.Name, err, out)
		}
	})
	m.Sh(`
		for scope in all default; do echo 1 > /proc/sys/net/ipv6/conf/$scope/disable_ipv6; done
		ip link set lo up`)
	return m
}

// Command prepares a program to be run on the machine.
func (m *Machine) Command(ctx context.Context, program string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", m.Name, program}, args...)...)
}

// Sh runs a script on the machine and returns what it printed. The test fails
// if the script does.
func (m *Machine) Sh(script string, args ...any) string {
	m.lab.t.Helper()
	return m.lab.run("ip", "netns", "exec", m.Name, "sh", "-euc", fmt.Sprintf(script, args...))
}

// Filter adds nft rules, such as
//
//	table inet wall {
//		chain in { type filter hook input priority 0; tcp dport 4001 reject with tcp reset; }
//	}
func (m *Machine) Filter(ruleset string) {
	m.lab.t.Helper()
	m.Sh("nft -f - <<'END'\n%s\nEND", ruleset)
}

func (l *Lab) run(program string, args ...string) string {
	l.t.Helper()
	out, err := exec.Command(program, args...).CombinedOutput()
	if err != nil {
		l.t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
	return string(out)
}
