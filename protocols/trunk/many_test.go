package trunk_test

import (
	"runtime"
	"testing"

	"github.com/panpipe-net/panpipe/protocols/trunk"
)

// quiet is an owner that costs nothing by itself.
type quiet struct{ greeted bool }

func (q *quiet) Pull(_ *trunk.Leg, out *trunk.Outbox) bool {
	if !q.greeted && out.Room() > 0 {
		out.Frame(kindData, 0)
		q.greeted = true
	}
	return !q.greeted
}
func (*quiet) Receive(*trunk.Leg, trunk.Kind, *trunk.Inbox) error { return nil }
func (*quiet) Datagram(*trunk.Leg, []byte)                        {}
func (*quiet) Lost(*trunk.Leg, error)                             {}

// inUse is the heap that is left, and the goroutines.
func inUse() (bytes, goroutines int) {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc), runtime.NumGoroutine()
}

func TestTenThousandLegsAreCheap(t *testing.T) {
	const many = 10_000
	came := make(chan *trunk.Leg, many)
	a, b, _ := pair(t, "tcp-tls", trunk.Config{Accept: func(l *trunk.Leg, _ trunk.Kind, _ *trunk.Inbox) (trunk.Owner, error) {
		came <- l
		return &quiet{greeted: true}, nil
	}})
	p := path(t, a, b)
	attach(t, a, p, new(quiet), false).Ready()
	<-came
	bytes, goroutines := inUse()
	for range many - 1 {
		attach(t, a, p, new(quiet), false).Ready()
	}
	for range many - 1 {
		<-came
	}
	bytesNow, goroutinesNow := inUse()
	if n := goroutinesNow - goroutines; n > 10 { // those of libp2p come and go
		t.Errorf("%d goroutines more", n)
	}
	perLeg := (bytesNow - bytes) / many / 2
	t.Logf("%d bytes for each end of a leg", perLeg)
	if perLeg > 1024 {
		t.Errorf("%d bytes for each end of a leg", perLeg)
	}
	if n := len(a.trunks.Carriers()); n != 1 {
		t.Errorf("%d carriers", n)
	}
}

// BenchmarkOpen opens and leaves legs, 100 at a time.
func BenchmarkOpen(b *testing.B) {
	came := make(chan *trunk.Leg, 100)
	x, y, _ := pair(b, "tcp-tls", trunk.Config{Accept: func(l *trunk.Leg, _ trunk.Kind, _ *trunk.Inbox) (trunk.Owner, error) {
		came <- l
		return &quiet{greeted: true}, nil
	}})
	p := path(b, x, y)
	b.ReportAllocs()
	legs := make([]*trunk.Leg, 100)
	for range b.N {
		for i := range legs {
			l, err := x.trunks.Attach(b.Context(), p, new(quiet), false)
			if err != nil {
				b.Fatal(err)
			}
			l.Ready()
			legs[i] = l
		}
		for _, l := range legs {
			<-came
			l.Release()
		}
	}
	b.ReportMetric(float64(100*b.N)/b.Elapsed().Seconds(), "legs/s")
}
