//go:build unix

package trunk_test

import (
	"io"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/panpipe-net/panpipe/protocols/trunk"
)

const (
	rawEcho = "/test/echo/1"
	rawSink = "/test/sink/1"
)

// talker is an owner with an application of its own goroutine, as a link has:
// what comes is put into in, what is put into out is pulled.
type talker struct {
	mu   sync.Mutex
	out  []byte
	in   chan int
	buf  []byte
	lost chan error
}

func newTalker() *talker {
	return &talker{in: make(chan int, 16), buf: make([]byte, 64), lost: make(chan error, 1)}
}

func (o *talker) Pull(_ *trunk.Leg, out *trunk.Outbox) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := min(len(o.out), out.Room())
	if n == 0 {
		return len(o.out) > 0
	}
	copy(out.Frame(kindData, n), o.out)
	o.out = o.out[:copy(o.out, o.out[n:])]
	return len(o.out) > 0
}

func (o *talker) Receive(_ *trunk.Leg, _ trunk.Kind, in *trunk.Inbox) error {
	n := in.Len()
	if err := in.Full(o.buf[:n]); err != nil {
		return err
	}
	o.in <- n
	return nil
}

func (o *talker) Datagram(*trunk.Leg, []byte) {}

func (o *talker) Lost(_ *trunk.Leg, cause error) {
	o.lost <- cause
	close(o.in)
}

// say sends b.
func (o *talker) say(l *trunk.Leg, b []byte) {
	o.mu.Lock()
	o.out = append(o.out, b...)
	o.mu.Unlock()
	l.Ready()
}

// echoes accepts legs and says what it hears.
func echoes(l *trunk.Leg, _ trunk.Kind, in *trunk.Inbox) (trunk.Owner, error) {
	o := newTalker()
	go func() {
		for n := range o.in {
			o.say(l, o.buf[:n])
		}
	}()
	return o, o.Receive(l, kindData, in)
}

// BenchmarkEcho exchanges 64 bytes on a leg and on a raw stream, in turns.
func BenchmarkEcho(b *testing.B) {
	for _, name := range []string{"tcp-tls", "tcp-noise", "quic"} {
		b.Run(name, func(b *testing.B) { benchEcho(b, name) })
	}
}

func benchEcho(b *testing.B, name string) {
	x, y := newNode(b, trunk.Config{}, loopback[name]...), newNode(b, trunk.Config{Accept: echoes}, loopback[name]...)
	y.reach.Handle(rawEcho, func(s network.Stream) {
		_, _ = io.Copy(s, s)
		_ = s.Close()
	})
	p := path(b, x, y)
	s, err := p.OpenStream(within(b), rawEcho)
	if err != nil {
		b.Fatal(err)
	}
	o := newTalker()
	l := attach(b, x, p, o, false)
	msg := make([]byte, 64)
	raw := func() {
		if _, err := s.Write(msg); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(s, msg); err != nil {
			b.Fatal(err)
		}
	}
	ours := func() {
		o.say(l, msg)
		<-o.in
	}
	var took [2][]time.Duration
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		for k, f := range []func(){raw, ours} {
			if i/50%2 == 1 { // blocks of 50, in turns
				k, f = 1-k, []func(){ours, raw}[k]
			}
			start := time.Now()
			f()
			took[k] = append(took[k], time.Since(start))
		}
	}
	b.StopTimer()
	slices.Sort(took[0])
	slices.Sort(took[1])
	half := len(took[0]) / 2
	b.ReportMetric(float64(took[0][half].Nanoseconds()), "raw-p50-ns")
	b.ReportMetric(float64(took[1][half].Nanoseconds()), "leg-p50-ns")
	b.ReportMetric(float64(took[1][half])/float64(took[0][half]), "leg/raw")
	l.Release()
	_ = s.Reset()
}

// gusher sends n bytes from a buffer in chunks; drain reads them.
type gusher struct {
	left int
	from []byte
	lend bool // rather than have it copied
	done chan struct{}
}

func (o *gusher) Pull(_ *trunk.Leg, out *trunk.Outbox) bool {
	if n := min(o.left, out.Room(), len(o.from)-trunk.HeadRoom); n > 0 {
		if o.lend {
			out.Lend(kindData, o.from[:trunk.HeadRoom+n], trunk.HeadRoom)
		} else {
			copy(out.Frame(kindData, n), o.from)
		}
		o.left -= n
	}
	return o.left > 0
}

func (o *gusher) Receive(_ *trunk.Leg, _ trunk.Kind, in *trunk.Inbox) error {
	o.done <- struct{}{}
	return nil
}
func (o *gusher) Datagram(*trunk.Leg, []byte) {}
func (o *gusher) Lost(*trunk.Leg, error)      {}

type drain struct {
	buf  []byte
	want int
	got  int
}

func (o *drain) Pull(_ *trunk.Leg, out *trunk.Outbox) bool {
	if o.got >= o.want {
		o.got -= o.want
		out.Frame(kindData, 0)
	}
	return false
}

func (o *drain) Receive(l *trunk.Leg, _ trunk.Kind, in *trunk.Inbox) error {
	n := in.Len()
	if err := in.Full(o.buf[:n]); err != nil {
		return err
	}
	if o.got += n; o.got >= o.want {
		l.ReadySoon()
	}
	return nil
}
func (o *drain) Datagram(*trunk.Leg, []byte) {}
func (o *drain) Lost(*trunk.Leg, error)      {}

const bulk = 64 << 20

// BenchmarkBulk sends 64 MiB and waits for a word of the far side, on a leg and
// on a raw stream in turns.
func BenchmarkBulk(b *testing.B) {
	for _, name := range []string{"tcp-tls", "tcp-noise", "quic"} {
		b.Run(name, func(b *testing.B) { benchBulk(b, name, false) })
		b.Run(name+"-lent", func(b *testing.B) { benchBulk(b, name, true) })
	}
}

func benchBulk(b *testing.B, name string, lend bool) {
	x := newNode(b, trunk.Config{}, loopback[name]...)
	y := newNode(b, trunk.Config{Accept: func(l *trunk.Leg, k trunk.Kind, in *trunk.Inbox) (trunk.Owner, error) {
		o := &drain{buf: make([]byte, trunk.MaxFrame), want: bulk}
		return o, o.Receive(l, k, in)
	}}, loopback[name]...)
	y.reach.Handle(rawSink, func(s network.Stream) {
		buf := make([]byte, 64<<10)
		for got := 0; ; {
			n, err := s.Read(buf)
			if got += n; got >= bulk {
				got -= bulk
				_, _ = s.Write(buf[:1])
			}
			if err != nil {
				_ = s.Close()
				return
			}
		}
	})
	p := path(b, x, y)
	s, err := p.OpenStream(within(b), rawSink)
	if err != nil {
		b.Fatal(err)
	}
	o := &gusher{from: make([]byte, trunk.HeadRoom+trunk.MaxFrame), lend: lend, done: make(chan struct{}, 1)}
	l := attach(b, x, p, o, true)
	raw := func() {
		for left := bulk; left > 0; {
			n := min(left, trunk.MaxFrame)
			if _, err := s.Write(o.from[:n]); err != nil {
				b.Fatal(err)
			}
			left -= n
		}
		if _, err := io.ReadFull(s, make([]byte, 1)); err != nil {
			b.Fatal(err)
		}
	}
	ours := func() {
		o.left = bulk
		l.Ready()
		<-o.done
	}
	var took, cpu [2]time.Duration
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		for k, f := range []func(){raw, ours} {
			start, used := time.Now(), cpuTime(b)
			f()
			took[k] += time.Since(start)
			cpu[k] += cpuTime(b) - used
		}
	}
	b.StopTimer()
	rate := func(k int) float64 { return bulk * float64(b.N) / took[k].Seconds() / 1e6 }
	b.ReportMetric(rate(0), "raw-MB/s")
	b.ReportMetric(rate(1), "leg-MB/s")
	b.ReportMetric(rate(1)/rate(0), "leg/raw")
	b.ReportMetric(cpu[0].Seconds()/cpu[1].Seconds(), "leg/raw-by-cpu")
	l.Release()
	_ = s.Reset()
}

// cpuTime is what the process has used of the processors: on a machine that
// others use too it is the steadier measure.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
