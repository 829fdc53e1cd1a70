package link

import (
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// hostsEvery is how often a run is of real hosts instead of the pure machines.
const hostsEvery = 9

// leastRuns is from how many runs on every cell of the matrix must be struck.
const leastRuns = 200

// TestChaos plays random schedules of faults against links, and checks every
// byte. From the environment:
//
//	RUNS   how many; 200 if it is not set
//	SEED   of the first run, 1 if it is not set; each after has the next one
//	JOBS   runs at a time; 2
//
// A run that goes wrong prints the command that repeats it; -v traces a single
// run. Runs of real hosts repeat their schedule, not every packet.
func TestChaos(t *testing.T) {
	runs, seed, jobs := chaosNumber(t, "RUNS", 200), chaosNumber(t, "SEED", 1), chaosNumber(t, "JOBS", 2)
	var log func(string)
	if testing.Verbose() && runs == 1 {
		log = func(s string) { fmt.Println(s) }
	}
	all, next, failed := new(matrix), atomic.Int64{}, atomic.Int64{}
	began := time.Now()
	var wg sync.WaitGroup
	for range jobs {
		wg.Go(func() {
			counts := new(matrix)
			for i := next.Add(1) - 1; i < int64(runs); i = next.Add(1) - 1 {
				if wrong := chaosOne(t, uint64(seed)+uint64(i), counts, log); wrong != "" {
					failed.Add(1)
					t.Errorf("make chaos RUNS=1 SEED=%d: %s", uint64(seed)+uint64(i), wrong)
				}
			}
			all.add(counts)
		})
	}
	wg.Wait()
	chaosReport(t, all, time.Since(began), int(failed.Load()), runs)
}

// chaosOne plays the run of a seed.
func chaosOne(t *testing.T, seed uint64, counts *matrix, log func(string)) string {
	if seed%hostsEvery == 0 {
		counts.runs[hostRuns]++
		return hostsChaos(t, seed, counts, log)
	}
	counts.runs[pureRuns]++
	return pureChaos(seed, counts, log)
}

func chaosReport(t *testing.T, m *matrix, took time.Duration, failed, runs int) {
	m.print(os.Stdout)
	fmt.Printf("chaos: %d runs (%d of pure machines, %d of real hosts), %d failed, %.1f runs/s, %.4f s each, %d ends with tiny windows\n",
		runs, m.runs[pureRuns], m.runs[hostRuns], failed, float64(runs)/took.Seconds(), took.Seconds()/float64(runs), m.tiny)
	for _, c := range m.missing() {
		if runs >= leastRuns {
			t.Errorf("never struck: %s", c)
		}
	}
}

func chaosNumber(t *testing.T, name string, unset int) int {
	s := os.Getenv(name)
	if s == "" {
		return unset
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		t.Fatalf("%s=%s: a number above 0 is needed", name, s)
	}
	return n
}

func stack() string { return string(debug.Stack()) }
