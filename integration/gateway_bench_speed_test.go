//go:build figures

package integration

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/integration/figures"
)

const (
	gatewayRounds = 7
	gatewayCPU    = "<=2.7" // s/GiB of all processes between client and service
	besideEach    = 500     // exchanges of a round
	besidePace    = time.Millisecond
)

// measureGatewayBulk measures one stream and sixteen, up and down, and what
// time of processors they cost.
func measureGatewayBulk(t *testing.T, report *figures.Report) {
	all := contest(t)
	for _, c := range []struct {
		direction string
		streams   int
	}{{"up", 1}, {"down", 1}, {"up", 16}, {"down", 16}} {
		one := func(s opener) (int64, error) { return poured(s, bulkTime) }
		if c.direction == "up" {
			one = func(s opener) (int64, error) {
				began := time.Now()
				return bulk(s, pageWrite, func(int64) bool { return time.Since(began) < bulkTime })
			}
		}
		measureBulkCase(t, report, all, fmt.Sprintf("bulk_%s_%d", c.direction, c.streams), c.streams, one)
	}
}

// measureBulkCase measures so many streams at the same time.
func measureBulkCase(t *testing.T, report *figures.Report, c contestants, name string, streams int, one func(opener) (int64, error)) {
	cpu := make(map[*tunnel][]float64)
	rates := inTurn(t, name, gatewayRounds, c.all, func(w *tunnel) (float64, error) {
		rate, cost, err := w.bulk(streams, one)
		cpu[w] = append(cpu[w], cost)
		return rate, err
	})
	for _, w := range c.all {
		addOf(report, w, name, "MiB/s", rates, c.named["raw"], ">=0.17")
		if w.pids != nil {
			report.Add(w.name+"_"+name+"_cpu", percentile(cpu[w], 50), "s/GiB", w.bound(gatewayCPU))
		}
	}
	ratios := byRound(rates[c.named["gateway"]], rates[c.named["ssh"]])
	report.Add("gateway_"+name+"_of_ssh", percentile(ratios, 50), "ratio", ">=1")
}

// addOf reports the median of a tunnel's values, and of what they are of
// another's by round. The bound is the gateway's.
func addOf(report *figures.Report, w *tunnel, name, unit string, values map[*tunnel][]float64, by *tunnel, bound string) {
	report.Add(w.name+"_"+name, percentile(values[w], 50), unit, "-")
	if w != by {
		ratio := percentile(byRound(values[w], values[by]), 50)
		report.Add(w.name+"_"+name+"_of_"+by.name, ratio, "ratio", w.bound(bound))
	}
}

// bulk runs streams at the same time. It returns MiB/s of all together, and the
// seconds of processors that a GiB has cost the tunnel's processes.
func (w *tunnel) bulk(streams int, one func(opener) (int64, error)) (rate, cost float64, err error) {
	var pids []int
	if w.pids != nil {
		pids = w.pids()
	}
	before, err := cpuOf(pids)
	if err != nil {
		return 0, 0, err
	}
	counts, errs := make([]int64, streams), make([]error, streams)
	var running sync.WaitGroup
	began := time.Now()
	for i := range streams {
		running.Go(func() { counts[i], errs[i] = one(w) })
	}
	running.Wait()
	took := time.Since(began).Seconds()
	after, err := cpuOf(pids)
	if err := errors.Join(append(errs, err)...); err != nil {
		return 0, 0, fmt.Errorf("%s: %w", w.name, err)
	}
	mib := 0.0
	for _, n := range counts {
		mib += float64(n) / (1 << 20)
	}
	return mib / took, (after - before) / mib * 1024, nil
}

// measureGatewayExchange measures 64 bytes there and back on a connection.
func measureGatewayExchange(t *testing.T, report *figures.Report) {
	c := contest(t)
	const name = "exchange_p50"
	values := inTurn(t, name, gatewayRounds, c.all, func(w *tunnel) (float64, error) {
		took, err := pingPong(w, exchanges, nil)
		return percentile(took, 50), err
	})
	for _, w := range c.all {
		addOf(report, w, name, "us", values, c.named["proxies"], "<=1.5")
	}
}

// measureGatewayOpens measures whole lives of connections, by one worker and by
// sixteen.
func measureGatewayOpens(t *testing.T, report *figures.Report) {
	c := contest(t)
	for _, workers := range []int{1, 16} {
		name := fmt.Sprintf("opens_%d", workers)
		values := inTurn(t, name, gatewayRounds, c.all, func(w *tunnel) (float64, error) {
			rate, err := openRate(workers, bulkTime, w.exchangeOnce)
			if err != nil {
				err = fmt.Errorf("%s: %s", w.name, firstLine(err))
			}
			return rate, err
		})
		for _, w := range c.all {
			addOf(report, w, name, "1/s", values, c.named["proxies"], ">=0.8")
		}
	}
}

// firstLine is the first of errors that are all alike.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// exchangeOnce connects, has 64 bytes there and back, and closes.
func (w *tunnel) exchangeOnce() error {
	st, err := w.Open(context.Background(), echo)
	if err != nil {
		return err
	}
	defer st.Close()
	var b [64]byte
	if _, err := st.Write(b[:]); err != nil {
		return err
	}
	_, err = io.ReadFull(st, b[:])
	return err
}

// measureGatewayBeside measures exchanges of 64 bytes, one a millisecond, while
// one bulk stream runs as fast as it goes.
func measureGatewayBeside(t *testing.T, report *figures.Report) {
	c := contest(t)
	const name = "exchange_p99_beside_bulk"
	values := inTurn(t, name, gatewayRounds, c.all, func(w *tunnel) (float64, error) {
		took, err := besideBulk(w, 1, besidePace, besideEach)
		return percentile(took, 99), err
	})
	for _, w := range c.all {
		addOf(report, w, name, "us", values, c.named["proxies"], "<=2")
	}
}
