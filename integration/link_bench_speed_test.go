//go:build figures

package integration

import (
	"context"
	endian "encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/integration/figures"
)

const (
	bulkTime  = time.Second // of one measurement of throughput
	pageWrite = 64 << 10    // what programs write
	yamuxFull = 65_524      // what goes into one yamux frame; 64 KiB make two
	exchanges = 3000        // of one measurement
	openers   = 8           // at the same time
)

// measureThroughput measures one bulk stream on loopback. The raw stream has
// the write size that serves it better.
func measureThroughput(t *testing.T, report *figures.Report) {
	for _, w := range ways() {
		raw, link := pair(t, "raw", w), pair(t, "link", w)
		size := betterWrite(t, report, raw, w)
		f := raceFigure{name: "throughput_" + w.name, unit: "MiB/s", rounds: 25, ofRaw: ">=0.95"}
		race(t, report, f, raw, link, func(s subject) (float64, error) {
			if s == raw {
				return bulkRate(s, size, bulkTime)
			}
			return bulkRate(s, pageWrite, bulkTime)
		})
	}
}

// betterWrite tries both sizes of writes on raw streams.
func betterWrite(t *testing.T, report *figures.Report, raw subject, w way) int {
	rates := map[int][]float64{}
	for range 3 {
		for _, size := range []int{pageWrite, yamuxFull} {
			rate, err := bulkRate(raw, size, bulkTime)
			if err != nil {
				t.Fatal(err)
			}
			rates[size] = append(rates[size], rate)
		}
	}
	page, full := percentile(rates[pageWrite], 50), percentile(rates[yamuxFull], 50)
	report.Add(fmt.Sprintf("raw_throughput_%s_writes_%d", w.name, pageWrite), page, "MiB/s", "-")
	report.Add(fmt.Sprintf("raw_throughput_%s_writes_%d", w.name, yamuxFull), full, "MiB/s", "-")
	if full > page {
		return yamuxFull
	}
	return pageWrite
}

// bulkRate sends for some time in writes of a size, and returns MiB/s from the
// opening of the stream until the far side has counted all.
func bulkRate(s opener, size int, d time.Duration) (float64, error) {
	began := time.Now()
	n, err := bulk(s, size, func(int64) bool { return time.Since(began) < d })
	return float64(n) / (1 << 20) / time.Since(began).Seconds(), err
}

// bulk sends while more says so, given what was sent, and waits until the far
// side has counted all.
func bulk(s opener, size int, more func(sent int64) bool) (sent int64, err error) {
	st, err := s.Open(context.Background(), sink)
	if err != nil {
		return 0, err
	}
	defer st.Close()
	buf := make([]byte, size)
	for more(sent) {
		n, err := st.Write(buf)
		if sent += int64(n); err != nil {
			return sent, err
		}
	}
	if err := st.CloseWrite(); err != nil {
		return sent, err
	}
	var got [8]byte
	if _, err := io.ReadFull(st, got[:]); err != nil {
		return sent, fmt.Errorf("the count of the far side: %w", err)
	}
	if n := endian.BigEndian.Uint64(got[:]); n != uint64(sent) {
		return sent, fmt.Errorf("the far side got %d bytes of %d", n, sent)
	}
	return sent, nil
}

// farHoldings asks the far side.
func farHoldings(t *testing.T, s opener) (h holdings) {
	t.Helper()
	st, err := s.Open(context.Background(), memory)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if _, err := st.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(st).Decode(&h); err != nil {
		t.Fatalf("what the far side holds: %v", err)
	}
	return h
}

// measureExchange measures 64 bytes there and back, one after another.
func measureExchange(t *testing.T, report *figures.Report) {
	for _, w := range ways() {
		f := raceFigure{name: "exchange_p50_" + w.name, unit: "us", rounds: 11, ofRaw: "<=1.15"}
		race(t, report, f, pair(t, "raw", w), pair(t, "link", w), func(s subject) (float64, error) {
			took, err := pingPong(s, exchanges, nil)
			return percentile(took, 50), err
		})
	}
}

// pingPong sends 64 bytes and waits for them, n times on one stream, each time
// when next comes; nil is at once. It returns how long each took, in µs.
func pingPong(s opener, n int, next <-chan time.Time) (took []float64, err error) {
	st, err := s.Open(context.Background(), echo)
	if err != nil {
		return nil, err
	}
	defer st.Close()
	var b [64]byte
	for range n {
		if next != nil {
			<-next
		}
		began := time.Now()
		if _, err := st.Write(b[:]); err != nil {
			return nil, err
		}
		if _, err := io.ReadFull(st, b[:]); err != nil {
			return nil, err
		}
		took = append(took, float64(time.Since(began).Nanoseconds())/1000)
	}
	return took, nil
}

// measureOpens measures whole lives of streams: opened, a byte there, a byte
// back, the end both ways.
func measureOpens(t *testing.T, report *figures.Report) {
	for _, w := range ways() {
		f := raceFigure{name: "opens_" + w.name, unit: "1/s", rounds: 9, ofRaw: ">=1"}
		race(t, report, f, pair(t, "raw", w), pair(t, "link", w), func(s subject) (float64, error) {
			return openRate(openers, bulkTime, func() error { return live(s) })
		})
	}
}

// openRate has workers live one life after another for some time, and returns
// lives per second.
func openRate(workers int, d time.Duration, live func() error) (float64, error) {
	counts := make([]int, workers)
	errs := make([]error, workers)
	var all sync.WaitGroup
	began := time.Now()
	for i := range workers {
		all.Go(func() {
			for time.Since(began) < d && errs[i] == nil {
				errs[i] = live()
				counts[i]++
			}
		})
	}
	all.Wait()
	sum := 0
	for _, n := range counts {
		sum += n
	}
	return float64(sum) / time.Since(began).Seconds(), errors.Join(errs...)
}

// live is one life of a stream.
func live(s opener) error {
	st, err := s.Open(context.Background(), once)
	if err != nil {
		return err
	}
	defer st.Close()
	if _, err := st.Write([]byte{1}); err != nil {
		return err
	}
	if err := st.CloseWrite(); err != nil {
		return err
	}
	if n, err := drain(st); n != 1 || err != nil {
		return fmt.Errorf("%d bytes came back: %w", n, err)
	}
	return nil
}
