package link

import (
	"fmt"
	"time"
)

// chaosRun is one run of the pure machines: a link, what is done to it, and
// what that entitles it to.
type chaosRun struct {
	*sim
	counts *matrix
	plan   []cell // what is still to strike, each as soon as the step is there
	first  bool   // the first of it has struck, or has had its time

	fates
	rivalry bool          // several nodes have imported one state
	parting time.Duration // that nothing passed, so far
}

// pureChaos makes a run, plays it and judges it. The seed says all.
func pureChaos(seed uint64, counts *matrix, log func(string)) (wrong string) {
	r := newPureChaos(seed, counts, log)
	defer func() {
		if p := recover(); p != nil {
			wrong = fmt.Sprintf("panic: %v\n%s", p, stack())
		}
	}()
	r.open()
	r.run()
	if r.found == "" {
		r.verdict()
	}
	return r.found
}

func newPureChaos(seed uint64, counts *matrix, log func(string)) *chaosRun {
	s := newSim(seed, 0, 0)
	r := &chaosRun{sim: s, counts: counts}
	s.log = log
	for at, a := range s.apps {
		a.toWrite = s.size()
		s.apps[1-at].toRead = a.toWrite
		if s.rng.IntN(4) == 0 {
			a.readSize = 1 + s.rng.IntN(200)
			s.apps[1-at].toWrite = min(s.apps[1-at].toWrite, 100_000)
			a.toRead = s.apps[1-at].toWrite
		}
		if s.rng.IntN(3) > 0 { // some seconds' work
			a.turn = 1 + a.toWrite/100
		}
		if s.rng.IntN(3) == 0 { // a tiny window
			s.most[at] = firstWindow
			counts.tiny++
		}
	}
	s.batch = []int{0, 2000, 60000, 60000}[s.rng.IntN(4)]
	slow := time.Duration(1+s.rng.IntN(60)) * time.Millisecond
	s.delay = func() time.Duration { return time.Millisecond + s.upTo(slow) }
	for i := range plannedFaults {
		r.plan = append(r.plan, possible[(pureIndex(seed)+i*len(possible)/plannedFaults)%len(possible)])
	}
	r.prepare()
	s.stepped = r.ambush
	r.harass()
	return r
}

// size is how much an end has to say: mostly much, now and then nothing.
func (s *sim) size() uint64 {
	switch s.rng.IntN(8) {
	case 0:
		return uint64(s.rng.IntN(3))
	case 1:
		return uint64(s.rng.IntN(firstWindow * 2))
	}
	return uint64(s.rng.IntN(800_000))
}

// strike does a fault to an end, if it can be done, and counts it.
func (r *chaosRun) strike(n *simNode, f fault) bool {
	at := stepOf(n.m)
	if at == stepNone || n.dead || n.app == nil || impossible[cell{f, at}] != "" || !r.does(n, f) {
		return false
	}
	r.counts.hits[pureRuns][f][at]++
	return true
}

// verdict says whether what became of both ends is what they are entitled to.
func (r *chaosRun) verdict() {
	var apps [2]*simApp
	for at := range apps {
		n := r.apps[at].n.latest()
		apps[at] = n.app
		if n.app == nil {
			apps[at] = r.apps[at]
		}
	}
	for at, a := range apps {
		r.ended(a, apps[1-at])
	}
	for _, n := range r.nodes {
		if n.m == nil || n.dead || (n.m.frozen && n.m.over == nil) { // it may thaw, or try again
			continue
		}
		if m := n.m; m.over != nil && (m.in.q.mem != 0 || m.out.q.mem != 0 || m.in.ahead.mem != 0) {
			r.fault("node %d holds memory: %d, %d, %d", n.num, m.in.q.mem, m.out.q.mem, m.in.ahead.mem)
		}
		if n.memory.used != 0 {
			r.fault("node %d has not given back %d bytes", n.num, n.memory.used)
		}
	}
}

// ended judges one end.
func (r *chaosRun) ended(a, far *simApp) {
	of := func(a *simApp) outcome {
		return outcome{
			at: a.at, err: a.err, written: a.written, toWrite: a.toWrite, read: a.read, sawEOF: a.sawEOF,
			left: a.left, dead: a.n.dead, never: a.n.m == nil, over: a.n.over,
		}
	}
	if wrong := r.fates.judge(of(a), of(far)); wrong != "" {
		r.fault("%s (node %d, %s)", wrong, a.n.num, stepOf(a.n.m))
	}
}
