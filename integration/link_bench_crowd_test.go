//go:build figures

package integration

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/integration/figures"
)

const (
	crowd       = 100                    // small streams
	crowdPace   = 100 * time.Millisecond // of each
	crowdRounds = 3
	crowdEach   = 40 // exchanges of each small stream in a round

	idleLinks   = 10_000
	idleKeepers = 64 // that open at the same time
	idleTime    = 30 * time.Second

	cycles      = 10_000
	cyclesBound = "<=256" // KiB that may be left of all; the heap moves by as much by itself
)

// measureCrowd measures exchanges of 64 bytes beside a bulk stream: of one raw
// stream, and of a hundred links that share the trunk with a bulk link.
func measureCrowd(t *testing.T, report *figures.Report) {
	w := ways()[0]
	raw, link := pair(t, "raw", w), pair(t, "link", w)
	f := raceFigure{name: "small_p99_beside_bulk", unit: "us", rounds: crowdRounds, ofRaw: "<=3"}
	race(t, report, f, raw, link, func(s subject) (float64, error) {
		small, pace, each := 1, crowdPace/crowd, crowdEach*crowd
		if s == link {
			small, pace, each = crowd, crowdPace, crowdEach
		}
		took, err := besideBulk(s, small, pace, each)
		return percentile(took, 99), err
	})
}

// besideBulk exchanges on small streams, each at a pace, while a bulk stream
// runs.
func besideBulk(s opener, small int, pace time.Duration, each int) (took []float64, err error) {
	done := make(chan struct{})
	bulked := make(chan error, 1)
	go func() {
		_, err := bulk(s, pageWrite, func(int64) bool {
			select {
			case <-done:
				return false
			default:
				return true
			}
		})
		bulked <- err
	}()
	results, errs := make([][]float64, small), make([]error, small)
	var all sync.WaitGroup
	for i := range small {
		all.Go(func() {
			phase := time.NewTimer(pace * time.Duration(i) / time.Duration(small)) // users are not in step
			<-phase.C
			ticks := time.NewTicker(pace)
			defer ticks.Stop()
			results[i], errs[i] = pingPong(s, each, ticks.C)
		})
	}
	all.Wait()
	close(done)
	for _, r := range results {
		took = append(took, r...)
	}
	return took, errors.Join(append(errs, <-bulked)...)
}

// measureIdle holds ten thousand links to one far node and measures what each
// costs at either end. All of them work when the time is over.
func measureIdle(t *testing.T, report *figures.Report, w way) {
	peers := map[string]string{"tcp": "links_per_tcp_peer", "ws": "links_per_ws_peer", "quic": "links_per_quic_peer"}
	name := peers[w.name]
	s := pair(t, "link", w)
	if s == nil {
		report.Missing(name, "links", fmt.Sprintf(">=%d", idleLinks))
		report.Missing("link_idle_near_"+w.name, "KiB", "<=6")
		report.Missing("link_idle_far_"+w.name, "KiB", "<=6")
		return
	}
	for range 100 { // what comes with the first links is not theirs
		if err := live(s); err != nil {
			t.Fatal(err)
		}
	}
	near, far := holding(), farHoldings(t, s)
	held, err := holdMany(s, idleLinks)
	if err != nil {
		t.Error(err)
	}
	wait := time.NewTimer(idleTime)
	<-wait.C
	nearAfter, farAfter := holding(), farHoldings(t, s)
	report.Add(name, float64(answering(t, s, held)), "links", fmt.Sprintf(">=%d", idleLinks))
	each := func(before, after uint64) float64 { return float64(int64(after-before)) / 1024 / float64(len(held)) }
	report.Add("link_idle_near_"+w.name, each(near.Bytes, nearAfter.Bytes), "KiB", "<=6")
	report.Add("link_idle_far_"+w.name, each(far.Bytes, farAfter.Bytes), "KiB", "<=6")
	goroutines := func(before, after int) float64 { return float64(after-before) / float64(len(held)) }
	report.Add("link_idle_goroutines_near_"+w.name, goroutines(near.Goroutines, nearAfter.Goroutines), "per_link", "-")
	report.Add("link_idle_goroutines_far_"+w.name, goroutines(far.Goroutines, farAfter.Goroutines), "per_link", "-")
}

// holdMany opens n streams that the far side holds.
func holdMany(s opener, n int) (held []stream, err error) {
	held = make([]stream, n)
	errs := make([]error, idleKeepers)
	var all sync.WaitGroup
	for k := range idleKeepers {
		all.Go(func() {
			for i := k; i < n && errs[k] == nil; i += idleKeepers {
				held[i], errs[k] = holdOne(s)
			}
		})
	}
	all.Wait()
	return held, errors.Join(errs...)
}

func holdOne(s opener) (stream, error) {
	st, err := s.Open(context.Background(), hold)
	if err != nil {
		return nil, err
	}
	b := []byte{1}
	if _, err := st.Write(b); err != nil {
		return nil, err
	}
	_, err = io.ReadFull(st, b)
	return st, err
}

// answering counts the streams on which the far side is heard.
func answering(t *testing.T, s opener, held []stream) (n int) {
	t.Helper()
	st, err := s.Open(context.Background(), wake)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if _, err := st.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	b := []byte{1}
	for _, h := range held {
		if h == nil {
			continue
		}
		if _, err := io.ReadFull(h, b); err != nil {
			t.Error(err)
			continue
		}
		n++
	}
	return n
}

// measureCycles opens and closes ten thousand links and looks for what is left
// of them once nobody needs to remember them.
func measureCycles(t *testing.T, report *figures.Report) {
	w := ways()[0]
	s := pair(t, "link", w)
	if s == nil {
		for _, end := range []string{"near", "far"} {
			report.Missing("link_cycles_goroutines_left_"+end, "goroutines", "<=0")
			report.Missing("link_cycles_memory_left_"+end, "KiB", cyclesBound)
		}
		return
	}
	var near, far [2]holdings
	for turn := range 2 { // the first fills what is kept for use again
		for range cycles {
			if err := live(s); err != nil {
				t.Fatal(err)
			}
		}
		wait := time.NewTimer(linkMemory)
		<-wait.C
		near[turn], far[turn] = holding(), farHoldings(t, s)
	}
	for end, h := range map[string][2]holdings{"near": near, "far": far} {
		report.Add("link_cycles_goroutines_left_"+end, float64(h[1].Goroutines-h[0].Goroutines), "goroutines", "<=0")
		report.Add("link_cycles_memory_left_"+end, float64(int64(h[1].Bytes-h[0].Bytes))/1024, "KiB", cyclesBound)
	}
}
