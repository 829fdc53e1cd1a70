//go:build figures

package integration

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/integration/figures"
	"github.com/panpipe-net/panpipe/protocols/reach"
)

const (
	blasters     = 8                // clients that send what nobody reads
	blastStuck   = 2 * time.Second  // without a byte taken: no more will be
	blastOn      = 10 * time.Second // that they go on trying
	gatewayGrace = 5 * time.Second  // of links, so that nobody remembers them for long
)

// measureGatewayBlast has clients send all they can to a service that does not
// read. What the nodes hold of it is bounded, and does not grow.
func measureGatewayBlast(t *testing.T, report *figures.Report) {
	g := startGateway(t, startService(t), reach.TCP)
	if err := live(g); err != nil {
		t.Fatal(err)
	}
	before := g.resident(t)
	conns, taken := make([]stream, blasters), make([]int64, blasters)
	errs := make([]error, blasters)
	var all sync.WaitGroup
	for i := range conns {
		all.Go(func() {
			if conns[i], errs[i] = g.Open(context.Background(), deaf); errs[i] == nil {
				taken[i], errs[i] = blast(conns[i])
			}
		})
	}
	all.Wait()
	defer shut(conns)
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	full, sum := g.resident(t), int64(0)
	for _, n := range taken {
		sum += n
	}
	report.Add("gateway_blast_taken", float64(sum)/blasters/(1<<20), "MiB", "-")
	report.Add("gateway_blast_held", (full-before)/blasters/1024, "MiB", "<=32") // a window at each node
	for began := time.Now(); time.Since(began) < blastOn; {
		for _, c := range conns {
			if _, err := blast(c); err != nil {
				t.Fatal(err)
			}
		}
	}
	report.Add("gateway_blast_growth", (g.resident(t)-full)/1024, "MiB", "<=4")
}

// blast sends until nothing has been taken for a while, and returns how much was.
func blast(s stream) (taken int64, err error) {
	c, buf := s.(*named), make([]byte, pageWrite)
	for {
		if err := c.SetWriteDeadline(time.Now().Add(blastStuck)); err != nil {
			return taken, err
		}
		n, err := c.Write(buf)
		taken += int64(n)
		var silent net.Error
		if errors.As(err, &silent) && silent.Timeout() {
			return taken, nil
		}
		if err != nil {
			return taken, err
		}
	}
}

// measureGatewayCycles connects and closes ten thousand times and looks for
// what is left once nobody needs to remember it.
func measureGatewayCycles(t *testing.T, report *figures.Report) {
	t.Setenv("PANPIPE_LINKS_GRACE", gatewayGrace.String())
	g := startGateway(t, startService(t), reach.TCP)
	var held [2]holdings
	var files, resident [2]float64
	for turn := range held { // the first fills what is kept for use again
		if err := g.cycle(); err != nil {
			t.Fatal(firstLine(err))
		}
		<-time.After(gatewayGrace + settleTime)
		held[turn], resident[turn] = g.holding(t), g.resident(t)
		for _, pid := range g.pids() {
			n, err := filesOf(pid)
			if err != nil {
				t.Fatal(err)
			}
			files[turn] += float64(n)
		}
	}
	report.Add("gateway_cycles_goroutines_left", float64(held[1].Goroutines-held[0].Goroutines), "goroutines", "<=0")
	report.Add("gateway_cycles_files_left", files[1]-files[0], "files", "<=0")
	report.Add("gateway_cycles_memory_left", float64(int64(held[1].Bytes-held[0].Bytes))/1024, "KiB", "<=512") // 256 each, as links have it
	report.Add("gateway_cycles_resident_left", resident[1]-resident[0], "KiB", "<=4096")                       // the runtime's moves by that
}

// cycle lives ten thousand lives.
func (g *gateways) cycle() error {
	errs := make([]error, openers)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() {
			for range cycles / openers {
				if errs[i] = live(g); errs[i] != nil {
					return
				}
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}
