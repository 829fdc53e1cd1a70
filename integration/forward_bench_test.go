//go:build figures

package integration

import (
	"bufio"
	"context"
	endian "encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/node/muxer"
	"github.com/panpipe-net/panpipe/protocols/link"
)

const forwarded = "bench/forwarded"

// BenchmarkForward sends TCP connections through two processes, in turns: copying
// TCP proxies, raw streams of libp2p, and links. The client is this process, the
// service another. A round sends 128 MiB, and exchanges 64 bytes 500 times. From
// the environment: FORWARD_ROLE is set for the other processes.
func BenchmarkForward(b *testing.B) {
	if role := os.Getenv("FORWARD_ROLE"); role != "" {
		if err := playRole(strings.Fields(role)); err != nil {
			b.Fatal(err)
		}
		return
	}
	service := startRole(b, "service")
	chains := []*chain{{name: "tcp", addr: service.addr}}
	far := startRole(b, "proxy "+service.addr)
	near := startRole(b, "proxy "+far.addr)
	chains = append(chains, &chain{name: "proxies", addr: near.addr, hops: []*role{near, far}})
	kinds := os.Getenv("FORWARD_KINDS")
	if kinds == "" {
		kinds = "raw raw-node link"
	}
	for _, kind := range strings.Fields(kinds) {
		far := startRole(b, "far "+kind+" "+service.addr)
		near := startRole(b, "near "+kind+" "+far.addr)
		chains = append(chains, &chain{name: kind, addr: near.addr, hops: []*role{near, far}})
	}
	b.ResetTimer()
	for i := range b.N {
		for k := range chains {
			c := chains[(k+i)%len(chains)]
			if err := c.round(); err != nil {
				b.Fatalf("%s: %v", c.name, err)
			}
		}
	}
	b.StopTimer()
	for _, c := range chains {
		c.report(b, chains)
	}
}

// chain is a way to the service and what was measured of it.
type chain struct {
	name string
	addr string
	hops []*role

	rates, cpu, p50s []float64
}

const (
	forwardBulk      = 64 << 20
	forwardExchanges = 500
)

func (c *chain) round() error {
	before, began := c.used(), time.Now()
	if err := c.bulk(); err != nil {
		return err
	}
	c.rates = append(c.rates, forwardBulk/time.Since(began).Seconds()/(1<<20))
	c.cpu = append(c.cpu, (c.used()-before).Seconds()*(1<<30)/forwardBulk)
	return c.exchange()
}

// used is the processors' time that the hops have used.
func (c *chain) used() (sum time.Duration) {
	for _, h := range c.hops {
		sum += h.used()
	}
	return sum
}

func (c *chain) bulk() error {
	conn, err := net.Dial("tcp", c.addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write([]byte{'s'}); err != nil {
		return err
	}
	buf := make([]byte, 64<<10)
	for range forwardBulk / len(buf) {
		if _, err := conn.Write(buf); err != nil {
			return err
		}
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		return err
	}
	var got [8]byte
	if _, err := io.ReadFull(conn, got[:]); err != nil {
		return err
	}
	if n := endian.BigEndian.Uint64(got[:]); n != forwardBulk {
		return fmt.Errorf("%d bytes came", n)
	}
	return nil
}

func (c *chain) exchange() error {
	conn, err := net.Dial("tcp", c.addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write([]byte{'e'}); err != nil {
		return err
	}
	var took []float64
	var msg [64]byte
	for range forwardExchanges {
		began := time.Now()
		if _, err := conn.Write(msg[:]); err != nil {
			return err
		}
		if _, err := io.ReadFull(conn, msg[:]); err != nil {
			return err
		}
		took = append(took, float64(time.Since(began).Nanoseconds())/1000)
	}
	c.p50s = append(c.p50s, percentile(took, 50))
	return nil
}

// ratio is the median of the ratios of rounds.
func ratio(a, b []float64) float64 {
	var all []float64
	for i := range a {
		all = append(all, a[i]/b[i])
	}
	return percentile(all, 50)
}

func (c *chain) report(b *testing.B, of []*chain) {
	b.ReportMetric(percentile(c.rates, 50), c.name+"-MiB/s")
	b.ReportMetric(percentile(c.p50s, 50), c.name+"-p50-us")
	b.ReportMetric(slices.Min(c.p50s), c.name+"-least-us")
	if len(c.hops) > 0 {
		b.ReportMetric(percentile(c.cpu, 50), c.name+"-cpu-s/GiB")
	}
	for _, o := range of {
		if o != c && len(o.hops) > 0 && c.name != "proxies" {
			b.ReportMetric(ratio(c.p50s, o.p50s), c.name+"-p50-of-"+o.name)
			b.ReportMetric(ratio(c.cpu, o.cpu), c.name+"-cpu-of-"+o.name)
			b.ReportMetric(ratio(c.rates, o.rates), c.name+"-rate-of-"+o.name)
		}
	}
}

// role is a process. It ends when its standard input does.
type role struct {
	addr string
	in   io.WriteCloser
	out  *bufio.Scanner
}

func startRole(b *testing.B, what string) *role {
	b.Helper()
	cmd := exec.Command(os.Args[0], "-test.run", "^$", "-test.bench", "^BenchmarkForward$", "-test.benchtime", "1x", "-test.timeout", "1h")
	if dir := os.Getenv("FORWARD_PROFILE"); dir != "" {
		cmd.Args = append(cmd.Args, "-test.cpuprofile", dir+"/"+strings.Join(strings.Fields(what)[:min(2, len(strings.Fields(what)))], "-")+".prof")
	}
	cmd.Env = append(os.Environ(), "FORWARD_ROLE="+what)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	r := &role{in: in, out: bufio.NewScanner(out)}
	b.Cleanup(func() {
		in.Close()
		_, _ = io.Copy(io.Discard, out) // up to its end
		if err := cmd.Wait(); err != nil {
			b.Errorf("%s: %v", what, err)
		}
	})
	r.addr = r.line("at ")
	return r
}

// line waits for the process to say something that begins so.
func (r *role) line(prefix string) string {
	for r.out.Scan() {
		if text, ok := strings.CutPrefix(r.out.Text(), prefix); ok {
			return text
		}
	}
	return ""
}

func (r *role) used() time.Duration {
	fmt.Fprintln(r.in, "cpu")
	var ns int64
	_, _ = fmt.Sscan(r.line("used "), &ns)
	return time.Duration(ns)
}

// playRole is the life of another process.
func playRole(what []string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	at := l.Addr().String()
	var handle func(*net.TCPConn)
	switch what[0] {
	case "service":
		handle = serveForwarded
	case "proxy":
		handle = func(c *net.TCPConn) { proxyTo(c, what[1]) }
	case "far":
		s, err := newKind(what[1])
		if err != nil {
			return err
		}
		defer s.Close()
		at = s.Addr().String()
		s.Accept(forwarded, func(st stream) {
			c, err := net.Dial("tcp", what[2])
			if err != nil {
				st.Close()
				return
			}
			joinBoth(c.(*net.TCPConn), st)
		})
	case "near":
		s, err := newKind(what[1])
		if err != nil {
			return err
		}
		defer s.Close()
		if err := s.Connect(context.Background(), ma.StringCast(what[2])); err != nil {
			return err
		}
		handle = func(c *net.TCPConn) {
			st, err := s.Open(context.Background(), forwarded)
			if err != nil {
				c.Close()
				return
			}
			joinBoth(c, st)
		}
	}
	go acceptAll(l, handle)
	fmt.Println("\nat", at)
	asked := bufio.NewScanner(os.Stdin)
	for asked.Scan() {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			return err
		}
		fmt.Println("\nused", u.Utime.Nano()+u.Stime.Nano())
	}
	return l.Close()
}

func newKind(kind string) (subject, error) {
	w := ways()[0]
	if kind == "raw-node" {
		return newRaw(w, muxer.New())
	}
	return newSubject(kind, w)
}

// serveForwarded is the service: it counts or echoes, as the first byte says.
func serveForwarded(c *net.TCPConn) {
	var what [1]byte
	if _, err := io.ReadFull(c, what[:]); err != nil {
		c.Close()
		return
	}
	if what[0] == 's' {
		serveSink(c)
	} else {
		serveEcho(c)
	}
}

// proxyTo is a copying TCP proxy.
func proxyTo(c *net.TCPConn, to string) {
	far, err := net.Dial("tcp", to)
	if err != nil {
		c.Close()
		return
	}
	copyBoth(c, far.(*net.TCPConn))
}

// plain hides that a conn has better ways to be copied.
type plain struct{ io.ReadWriter }

func copyBoth(a, b stream) {
	var both sync.WaitGroup
	one := func(to, from stream) {
		_, _ = io.CopyBuffer(plain{to}, plain{from}, make([]byte, 64<<10))
		_ = to.CloseWrite()
	}
	both.Go(func() { one(a, b) })
	one(b, a)
	both.Wait()
	a.Close()
	b.Close()
}

// joinBoth joins a conn to a stream as well as that can be.
func joinBoth(c *net.TCPConn, st stream) {
	l, ok := st.(*link.Link)
	if !ok {
		copyBoth(c, st)
		return
	}
	var both sync.WaitGroup
	both.Go(func() {
		_, _ = l.ReadFrom(c)
		_ = l.CloseWrite()
	})
	_, _ = l.WriteTo(c)
	_ = c.CloseWrite()
	both.Wait()
	c.Close()
	l.Close()
}
