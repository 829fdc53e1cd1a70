//go:build full

package lab

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// MapPorts runs miniupnpd on the router: machines behind it may ask for ports by
// UPnP and NAT-PMP. It returns when the daemon serves.
func (r *Router) MapPorts() {
	t := r.lab.t
	t.Helper()
	r.Filter(`
table inet upnp {
	chain forward { }
	chain prerouting { }
	chain postrouting { }
	chain base_pre { type nat hook prerouting priority dstnat; jump prerouting; }
	chain base_post { type nat hook postrouting priority srcnat - 1; jump postrouting; }
}`)
	dir := t.TempDir()
	conf := filepath.Join(dir, "miniupnpd.conf")
	if err := os.WriteFile(conf, []byte(upnpConf(r)), 0o600); err != nil {
		t.Fatal(err)
	}
	daemon := r.Command(context.Background(), "miniupnpd", "-d", "-f", conf, "-P", filepath.Join(dir, "pid"))
	said, err := daemon.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	daemon.Stdout = daemon.Stderr
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	serving, drained := make(chan struct{}), make(chan struct{})
	log := new(strings.Builder)
	go func() {
		defer close(drained)
		listening := false
		for lines := bufio.NewScanner(said); lines.Scan(); {
			fmt.Fprintln(log, lines.Text())
			if !listening && strings.Contains(lines.Text(), "Listening for NAT-PMP") {
				listening = true
				close(serving)
			}
		}
	}()
	stop := func() {
		daemon.Process.Signal(syscall.SIGTERM) //nolint:errcheck // it may have ended
		<-drained
		_ = daemon.Wait() // it tells nothing by its exit code
	}
	select {
	case <-serving:
	case <-drained:
		stop()
		t.Fatalf("miniupnpd ended:\n%s", log)
	case <-time.After(20 * time.Second):
		stop()
		t.Fatalf("miniupnpd does not serve:\n%s", log)
	}
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			t.Logf("miniupnpd at %s:\n%s", r.Name, log)
		}
	})
}

// upnpConf is the daemon's configuration.
func upnpConf(r *Router) string {
	return fmt.Sprintf(`ext_ifname=eth0
listening_ip=lan
ipv6_disable=yes
enable_upnp=yes
enable_natpmp=yes
min_lifetime=30
max_lifetime=86400
upnp_table_name=upnp
upnp_nat_table_name=upnp
upnp_forward_chain=forward
upnp_nat_chain=prerouting
upnp_nat_postrouting_chain=postrouting
uuid=7f9f4c2e-1f4b-4f6e-9a7b-%012d
allow 1024-65535 %s 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
`, os.Getpid(), r.LAN.prefix.Masked())
}
