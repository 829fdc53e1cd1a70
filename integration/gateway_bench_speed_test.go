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
	besideEach    = 2000    // exchanges of a round
	besidePace    = time.Millisecond
)

// measureGatewayBulk measures one stream and sixteen, up and down, and what
// time of processors they cost.
func measureGatewayBulk(t *testing.T, report *figures.Report) {
	tunnels, all := contest(t)
	directions := map[string]func(opener) (int64, error){
		"up": func(s opener) (int64, error) {
			began := time.Now()
			return bulk(s, pageWrite, func(int64) bool { return time.Since(began) < bulkTime })
		},
		"down": func(s opener) (int64, error) { return poured(s, bulkTime) },
	}
	for _, streams := range []int{1, 16} {
		for direction, one := range directions {
			name := fmt.Sprintf("bulk_%s_%d", direction, streams)
			cpu := make(map[*tunnel][]float64)
			rates := inTurn(t, name, gatewayRounds, all, func(w *tunnel) (float64, error) {
				rate, cost, err := w.bulk(streams, one)
				cpu[w] = append(cpu[w], cost)
				return rate, err
			})
			for _, w := range all {
				addOf(report, w, name, "MiB/s", rates, tunnels["raw"], map[string]string{"gateway": ">=0.17"})
				if w.pids != nil {
					report.Add(w.name+"_"+name+"_cpu", percentile(cpu[w], 50), "s/GiB", bound(w, map[string]string{"gateway": gatewayCPU}))
				}
			}
			ratios := byRound(rates[tunnels["gateway"]], rates[tunnels["ssh"]])
			report.Add("gateway_"+name+"_of_ssh", percentile(ratios, 50), "ratio", ">=1")
		}
	}
}

// addOf reports the median of a tunnel's values, and of what they are of
// another's by round.
func addOf(report *figures.Report, w *tunnel, name, unit string, values map[*tunnel][]float64, by *tunnel, bounds map[string]string) {
	report.Add(w.name+"_"+name, percentile(values[w], 50), unit, "-")
	if w != by {
		ratio := percentile(byRound(values[w], values[by]), 50)
		report.Add(w.name+"_"+name+"_of_"+by.name, ratio, "ratio", bound(w, bounds))
	}
}

// bound is what a tunnel has to keep, if anything.
func bound(w *tunnel, bounds map[string]string) string {
	if b, ok := bounds[w.name]; ok {
		return b
	}
	return "-"
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
	tunnels, all := contest(t)
	const name = "exchange_p50"
	values := inTurn(t, name, gatewayRounds, all, func(w *tunnel) (float64, error) {
		took, err := pingPong(w, exchanges, nil)
		return percentile(took, 50), err
	})
	for _, w := range all {
		addOf(report, w, name, "us", values, tunnels["proxies"], map[string]string{"gateway": "<=1.5"})
	}
}

// measureGatewayOpens measures whole lives of connections, by one worker and by
// sixteen.
func measureGatewayOpens(t *testing.T, report *figures.Report) {
	tunnels, all := contest(t)
	for _, workers := range []int{1, 16} {
		name := fmt.Sprintf("opens_%d", workers)
		values := inTurn(t, name, gatewayRounds, all, func(w *tunnel) (float64, error) {
			rate, err := openRate(workers, bulkTime, w.exchangeOnce)
			if err != nil {
				err = fmt.Errorf("%s: %s", w.name, firstLine(err))
			}
			return rate, err
		})
		for _, w := range all {
			addOf(report, w, name, "1/s", values, tunnels["proxies"], map[string]string{"gateway": ">=0.8"})
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
	tunnels, all := contest(t)
	const name = "exchange_p99_beside_bulk"
	values := inTurn(t, name, gatewayRounds, all, func(w *tunnel) (float64, error) {
		took, err := besideBulk(w, 1, besidePace, besideEach)
		return percentile(took, 99), err
	})
	for _, w := range all {
		addOf(report, w, name, "us", values, tunnels["proxies"], map[string]string{"gateway": "<=2"})
	}
}
