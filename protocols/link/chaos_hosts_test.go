package link

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// hostsRun is a run of real hosts.
type hostsRun struct {
	*chaosWorld
	fates
	apps    [2]*hostApp
	counts  *matrix
	log     func(string)
	began   time.Time
	parting time.Duration // that nothing passed, so far
	moving  [2]bool       // guarded by mu, as whatever else the world's goroutines share
}

// hostsChaos plays the run of a seed with real hosts on a virtual network.
func hostsChaos(t *testing.T, seed uint64, counts *matrix, log func(string)) (wrong string) {
	if !t.Run(fmt.Sprintf("hosts,seed=%d", seed), func(t *testing.T) {
		defer func() {
			if p := recover(); p != nil { // goroutines were left, or one has died
				wrong = fmt.Sprintf("panic: %v; -v tells more", p)
			}
		}()
		synctest.Test(t, func(t *testing.T) {
			r := &hostsRun{chaosWorld: newChaosWorld(t, seed), counts: counts, log: log, began: time.Now()}
			r.play()
			r.close()
			synctest.Wait()
			wrong = r.verdict()
			r.say("verdict: %s", wrong)
		})
	}) && wrong == "" {
		return "the run of real hosts failed, see above"
	}
	return wrong
}

func (r *hostsRun) say(format string, args ...any) {
	if r.log != nil {
		r.log(fmt.Sprintf("%12s  ", time.Since(r.began)) + fmt.Sprintf(format, args...))
	}
}

// play opens a link, does things to it, and waits until both ends are over.
func (r *hostsRun) play() {
	a, b := r.add(), r.add()
	for at := range r.apps {
		r.apps[at] = &hostApp{
			w: r.chaosWorld, at: at, rng: rand.New(rand.NewPCG(r.rng.Uint64(), 6)), size: 1 + r.rng.IntN(30000),
			out: outcome{at: at, toWrite: uint64(r.rng.IntN(300_000))}, pausing: time.Duration(1+r.rng.IntN(160)) * time.Millisecond,
		}
	}
	r.owner = [2]*chaosHost{a, b}
	r.gives(a, r.apps[0])
	r.gives(b, r.apps[1])
	b.links.Handle("chaos", func(l *Link) { r.apps[1].use(b, l) })
	p, err := a.path(r.t.Context(), b)
	r.must(err)
	l, err := a.links.Open(r.t.Context(), p, Options{Service: "chaos"})
	r.must(err)
	r.apps[0].use(a, l)
	r.harass()
	r.wait()
}

// harass strikes at random moments of some seconds.
func (r *hostsRun) harass() {
	var at []time.Duration
	for range 4 + r.rng.IntN(24) {
		at = append(at, time.Duration(r.rng.Int64N(int64(6*time.Second))))
	}
	slices.Sort(at)
	fatal := len(at)
	if r.rng.IntN(4) == 0 {
		fatal = r.rng.IntN(len(at))
	}
	for i, d := range at {
		time.Sleep(d - min(d, time.Since(r.began)))
		synctest.Wait()
		f := fault(r.rng.IntN(int(faultReset)))
		if i == fatal {
			f = faultReset + fault(r.rng.IntN(int(faults-faultReset)))
		}
		r.strike(r.apps[r.rng.IntN(2)], f)
	}
}

// hostsTime is how long a run may take.
const hostsTime = 6 * time.Minute

// wait waits for both ends.
func (r *hostsRun) wait() {
	late := time.After(hostsTime)
	for _, a := range r.apps {
		for _, l := a.where(); l != nil && !a.is(&a.out.dead); _, l = a.where() {
			select {
			case <-l.Done():
			case <-late:
				return
			}
			synctest.Wait()
			if _, now := a.where(); !r.isMoving(a.at) && now == l {
				break
			}
			time.Sleep(time.Second) // it goes on elsewhere
		}
	}
	time.Sleep(2 * simGrace) // what the far side is to be told has had its time
}

// strike does a fault to an end, if it can be done, and counts it.
func (r *hostsRun) strike(a *hostApp, f fault) {
	at := a.step()
	if at == stepNone || a.is(&a.out.dead) || impossible[cell{f, at}] != "" || !r.does(a, f) {
		return
	}
	r.say("%s of end %d, %s", f, a.at, at)
	r.count(f, at)
}

func (r *hostsRun) count(f fault, at step) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts.hits[hostRuns][f][at]++
}

func (r *hostsRun) isMoving(at int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.moving[at]
}

func (r *hostsRun) setMoving(at int, moves bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.moving[at] = moves
}

// verdict says what is wrong, if anything is.
func (r *hostsRun) verdict() string {
	if r.breach != "" {
		return r.breach
	}
	var ends [2]outcome
	for at, a := range r.apps {
		if ends[at] = a.ended(); a.wrong != "" {
			return a.wrong
		}
	}
	for at := range ends {
		if wrong := r.fates.judge(ends[at], ends[1-at]); wrong != "" {
			return wrong
		}
	}
	for _, n := range r.hosts {
		if used := n.links.memory.used(); used != 0 {
			return fmt.Sprintf("host %d has not given back %d bytes", n.num, used)
		}
	}
	return ""
}
