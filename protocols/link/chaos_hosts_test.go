package link

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	ma "github.com/multiformats/go-multiaddr"
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

func (r *hostsRun) does(a *hostApp, f fault) bool {
	_, l := a.where()
	switch f {
	case faultKill:
		p := l.Path()
		return !p.IsZero() && p.Close() == nil
	case faultSilence:
		return r.silence(a)
	case faultSpike:
		extra := time.Duration(r.rng.Int64N(int64(time.Second)))
		r.change(time.Second, func() { r.late += extra }, func() { r.late -= extra })
		return true
	case faultShortPartition:
		return r.part(200*time.Millisecond + time.Duration(r.rng.Int64N(int64(time.Second))))
	case faultLongPartition:
		return r.part(7*time.Second + time.Duration(r.rng.Int64N(int64(8*time.Second))))
	case faultOutage:
		r.dies(&r.outage)
		r.cutOff(simGrace + 30*time.Second)
		return true
	case faultPlanned, faultRedial:
		return r.attaches(a, f == faultPlanned)
	case faultFreeze:
		return r.freezes(a)
	case faultMove, faultCrashExported:
		return r.moves(a, f == faultCrashExported)
	case faultBothMove:
		return !r.isMoving(1-a.at) && r.apps[1-a.at].step() != stepNone && r.moves(a, false) && r.moves(r.apps[1-a.at], false)
	case faultClose:
		return r.closes(a)
	case faultReset:
		return r.resets(a)
	case faultCrash:
		return r.crashes(a)
	}
	return false // of the pure machines only
}

func (r *hostsRun) dies(how *bool) { *how, r.fatalAt = true, time.Now() }

func (r *hostsRun) part(d time.Duration) bool {
	if r.parting+d > mostParted {
		return false
	}
	r.parting += d
	r.cutOff(d)
	return true
}

func (r *hostsRun) cutOff(d time.Duration) {
	r.change(d, func() { r.parted = true }, func() { r.parted = false })
}

// silence has nothing pass between the two sockets of a path any more.
func (r *hostsRun) silence(a *hostApp) bool {
	_, l := a.where()
	p := l.Path()
	if p.IsZero() || r.parting+10*time.Second > mostParted {
		return false
	}
	r.parting += 10 * time.Second
	there := [2]netip.AddrPort{socket(p.Conn().LocalMultiaddr()), socket(p.Conn().RemoteMultiaddr())}
	back := [2]netip.AddrPort{there[1], there[0]}
	r.change(20*time.Second, func() { r.cut[there], r.cut[back] = true, true }, func() { delete(r.cut, there); delete(r.cut, back) })
	return true
}

// socket is the UDP address in a multiaddr.
func socket(a ma.Multiaddr) netip.AddrPort {
	ip, _ := a.ValueForProtocol(ma.P_IP4)
	port, _ := a.ValueForProtocol(ma.P_UDP)
	return netip.MustParseAddrPort(ip + ":" + port)
}

// attaches gives the end another leg, on a carrier of its own or a shared one.
func (r *hostsRun) attaches(a *hostApp, planned bool) bool {
	to, _ := r.apps[1-a.at].where()
	n, l := a.where()
	own := r.rng.IntN(2) == 0
	if to == nil {
		return false
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), redialTime)
		defer cancel()
		if p, err := n.path(ctx, to); err == nil && p.Peer() == l.Peer() {
			_ = l.attach(ctx, p, attachOptions{why: WhyBetter, planned: planned, own: own})
		}
	}()
	return true
}

func (r *hostsRun) closes(a *hostApp) bool {
	_, l := a.where()
	if a.is(&a.out.left) || r.isMoving(a.at) {
		return false
	}
	a.set(&a.out.left)
	return l.Close() == nil
}

func (r *hostsRun) resets(a *hostApp) bool {
	_, l := a.where()
	if r.isMoving(a.at) {
		return false
	}
	if l.Err() == nil {
		r.dies(&r.reset)
	}
	l.Reset(simReset, "chaos")
	return true
}

func (r *hostsRun) crashes(a *hostApp) bool {
	if r.isMoving(a.at) {
		return false
	}
	r.dies(&r.crashed)
	n, _ := a.where()
	a.set(&a.out.dead)
	r.kill(n)
	return true
}

// kill cuts a host off for good; it is stopped with the others.
func (r *hostsRun) kill(n *chaosHost) { r.change(0, func() { r.dead[n.ip] = true }, nil) }

func (r *hostsRun) freezes(a *hostApp) bool {
	_, l := a.where()
	if r.isMoving(a.at) {
		return false
	}
	f, err := l.Freeze()
	if err != nil {
		return false
	}
	r.setMoving(a.at, true)
	time.AfterFunc(time.Duration(r.rng.Int64N(int64(2*time.Second))), func() {
		f.Thaw()
		r.setMoving(a.at, false)
	})
	return true
}

// moves has an end go to another host, the old one dying or not. One in four of
// those that get it dies before the far side has answered, and another gets it.
func (r *hostsRun) moves(a *hostApp, crash bool) bool {
	n, l := a.where()
	if r.isMoving(a.at) || a.is(&a.out.left) {
		return false
	}
	f, err := l.Freeze()
	if err != nil {
		return false
	}
	r.setMoving(a.at, true)
	synctest.Wait() // nothing more is read or written here
	if crash {
		r.kill(n)
	}
	to := r.add()
	r.gives(to, a)
	f.Moved([]byte{byte(to.num)})
	wait := time.Duration(r.rng.Int64N(int64(3 * time.Second)))
	fails := r.rng.IntN(4) == 0
	state, route := f.State(), f.l.Route()
	go func() {
		a.running.Wait()
		time.Sleep(wait)
		r.arrives(a, to, state, route, fails)
	}()
	return true
}

// arrives imports an end at a host, which may die over it.
func (r *hostsRun) arrives(a *hostApp, to *chaosHost, state []byte, route Route, fails bool) {
	o := ImportOptions{Route: route, Token: hostToken(to.host.ID())}
	l, err := to.links.Import(state, o)
	if err != nil {
		r.breaks(fmt.Sprintf("import: %v", err))
		return
	}
	r.mu.Lock()
	r.owner[a.at] = to
	r.mu.Unlock()
	if fails {
		time.Sleep(2 * r.oneWay) // its RESUME may have arrived, the answer has not
		l.mu.Lock()
		claiming := l.m.claiming
		at := stepOf(l.m)
		l.mu.Unlock()
		if claiming && at == stepImporting {
			r.again(a, to, state, route)
			return
		}
	}
	a.use(to, l)
	r.setMoving(a.at, false)
}

// again has the end imported once more, at a later epoch.
func (r *hostsRun) again(a *hostApp, dead *chaosHost, state []byte, route Route) {
	r.say("importer %d crashes", dead.num)
	r.kill(dead)
	r.count(faultCrashImporter, stepImporting)
	s, err := parseState(state, simMost)
	if err != nil {
		r.breaks(err.Error())
		return
	}
	s.epoch++
	time.Sleep(time.Second)
	to := r.add()
	r.gives(to, a)
	r.arrives(a, to, s.append(nil), route, false)
}

func (r *hostsRun) breaks(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.breach == "" {
		r.breach = what
	}
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
		if used := n.links.memory.used.Load(); used != 0 {
			return fmt.Sprintf("host %d has not given back %d bytes", n.num, used)
		}
	}
	return ""
}
