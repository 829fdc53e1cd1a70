package link

import (
	"context"
	"fmt"
	"net/netip"
	"testing/synctest"
	"time"

	ma "github.com/multiformats/go-multiaddr"
)

// does is what each fault does to an end. It returns false if it cannot be done
// just now, or only with the pure machines.
func (r *hostsRun) does(a *hostApp, f fault) bool {
	_, l := a.where()
	switch f {
	case faultKill:
		p := l.Path()
		return !p.IsZero() && p.Close() == nil
	case faultSilence:
		return r.silence(a)
	case faultAddress:
		return r.renumbers(a)
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

// renumbers has an end's node take its path for lost, of which the far side hears
// when it sends something, or late.
func (r *hostsRun) renumbers(a *hostApp) bool {
	n, l := a.where()
	p := l.Path()
	if p.IsZero() || !r.silence(a) {
		return false
	}
	n.links.AddressChanged()
	return p.Close() == nil
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
		r.arrives(a, to, state, ImportOptions{Route: route}, fails)
	}()
	return true
}

// arrives imports an end at a host, which may die over it.
func (r *hostsRun) arrives(a *hostApp, to *chaosHost, state []byte, o ImportOptions, fails bool) {
	o.Token = hostToken(to.host.ID())
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
		claiming, epoch := l.m.claiming, l.m.epoch
		at := stepOf(l.m)
		l.mu.Unlock()
		if claiming && at == stepImporting {
			r.again(a, to, state, o.Route, epoch)
			return
		}
	}
	a.use(to, l)
	r.setMoving(a.at, false)
}

// again has the end imported once more, at a later epoch.
func (r *hostsRun) again(a *hostApp, dead *chaosHost, state []byte, route Route, epoch uint64) {
	r.say("importer %d crashes", dead.num)
	r.kill(dead)
	r.count(faultCrashImporter, stepImporting)
	time.Sleep(time.Second)
	to := r.add()
	r.gives(to, a)
	r.arrives(a, to, state, ImportOptions{Route: route, Epoch: epoch + 1}, false)
}

func (r *hostsRun) breaks(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.breach == "" {
		r.breach = what
	}
}
