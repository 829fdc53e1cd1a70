package pipe

import (
	"fmt"
	"slices"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/pipe/pb"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestDamperFiresAtOnceThenAfterGrowingPauses(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var d damper
	now := start
	var fired []time.Duration
	for now.Sub(start) < 3*time.Minute { // wanted every second
		if at := d.next(now); !at.After(now) {
			d.fire(now)
			fired = append(fired, now.Sub(start)/time.Second)
		}
		now = now.Add(time.Second)
	}
	if want := []time.Duration{0, 1, 3, 7, 15, 31, 61, 91, 121, 151}; !slices.Equal(fired, want) {
		t.Errorf("fired at second %v, want %v", fired, want)
	}
	now = now.Add(time.Minute)
	if at := d.next(now); at.After(now) {
		t.Errorf("after a rest it waits for %s", at.Sub(now))
	}
	d.fire(now)
	if at := d.next(now); at.Sub(now) != leastPause {
		t.Errorf("after a rest the second waits for %s", at.Sub(now))
	}
}

func TestWhatIsDueSoonIsRenewedWithWhatIsDue(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	in := func(minutes int) turn {
		return turn{due: now.Add(time.Duration(minutes) * time.Minute), life: 30 * time.Minute}
	}
	moved := func(t turn) turn { t.moved = true; return t }
	for _, c := range []struct {
		name    string
		turns   []turn
		movesIn time.Duration
		group   []int
		next    time.Duration
	}{
		{"nothing", nil, 0, nil, idleRenewals},
		{"notKept", []turn{{}}, 0, nil, idleRenewals},
		{"later", []turn{in(9), in(3)}, 0, nil, 3 * time.Minute},
		{"together", []turn{in(0), in(7), in(8), in(-1)}, 0, []int{0, 1, 3}, 0},
		{"moved", []turn{moved(in(14)), in(14), in(2)}, 0, []int{0, 2}, 0},
		{"damped", []turn{moved(in(14)), in(2)}, time.Second, nil, time.Second},
		{"dueThoughDamped", []turn{moved(in(14)), moved(in(0))}, time.Second, []int{1}, 0},
	} {
		group, next := dueTogether(c.turns, now, now.Add(c.movesIn))
		if !slices.Equal(group, c.group) || next.Sub(now) != c.next {
			t.Errorf("%s: %v, next in %s", c.name, group, next.Sub(now))
		}
	}
}

// renewed sums up the events of one kind.
func (c *tally) renewed(kind EventKind) (records, messages, times int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.events {
		if e.Kind == kind {
			records, messages, times = records+e.Records, messages+e.Messages, times+1
		}
	}
	return records, messages, times
}

// bindMany binds so many new pipes at n.
func (n *node) bindMany(t testing.TB, count int, o ListenOptions) []*Listener {
	var out []*Listener
	for range count {
		out = append(out, n.listen(t, n.create(t, CreateOptions{}), o))
	}
	return out
}

// bindOne binds a new pipe at n.
func (n *node) bindOne(t testing.TB) *Listener { return n.bindMany(t, 1, ListenOptions{})[0] }

func TestManyBindingsAreRenewedWithOneMessageToEachHolder(t *testing.T) {
	connected(t, 6, func(t *testing.T, w *sim) {
		all := w.nodes[0].bindMany(t, 40, ListenOptions{})
		pass(31 * time.Minute)
		records, messages, times := w.nodes[0].tally.renewed(EventRenew)
		if records < 2*40 || times > 3 || messages > times*5 {
			t.Errorf("%d records renewed %d times with %d messages", records, times, messages)
		}
		for _, l := range all {
			if l.Status().Holders != 6 {
				t.Errorf("a renewed record has %d holders", l.Status().Holders)
			}
			r, err := w.nodes[3].Resolve(within(t), l.Pipe(), ResolveOptions{Fresh: true})
			must(t, err)
			if age := time.Since(r.Bindings[0].Binding.Issued); age > 15*time.Minute {
				t.Errorf("a record is %s old", age)
			}
		}
	})
}

func TestNodesStartedTogetherDoNotRenewTogether(t *testing.T) {
	connected(t, 12, func(t *testing.T, w *sim) {
		began := time.Now()
		var first []*Listener
		for _, n := range w.nodes {
			first = append(first, n.bindOne(t))
		}
		pass(20 * time.Minute)
		var at []time.Duration
		for _, l := range first {
			at = append(at, l.Status().Binding.Issued.Sub(began))
		}
		slices.Sort(at)
		if at[0] < 13*time.Minute || at[len(at)-1] > 15*time.Minute+2*time.Second || at[len(at)-1]-at[0] < 20*time.Second {
			t.Errorf("renewed after %v", at)
		}
	})
}

func TestAllPipesFollowAChangeOfAddressAtOnce(t *testing.T) {
	connected(t, 6, func(t *testing.T, w *sim) {
		binder := w.nodes[0]
		all := binder.bindMany(t, 20, ListenOptions{})
		a := ma.StringCast("/ip4/1.2.3.4/udp/9/quic-v1")
		binder.move(a)
		pass(time.Second)
		for _, l := range all {
			r, err := w.nodes[2].Resolve(within(t), l.Pipe(), ResolveOptions{Fresh: true})
			must(t, err)
			if got := r.Bindings[0].Binding.Endpoints; len(got) != 1 || !got[0].Equal(a) {
				t.Errorf("endpoints %v", got)
			}
		}
		if _, messages, times := binder.tally.renewed(EventRenew); messages > 5 || times != 1 {
			t.Errorf("%d messages in %d sweeps", messages, times)
		}
	})
}

func TestAFlappingAddressIsPublishedEverLessOftenAndInTheEnd(t *testing.T) {
	connected(t, 4, func(t *testing.T, w *sim) {
		binder := w.nodes[0]
		l := binder.bindOne(t)
		var last ma.Multiaddr
		for i := range 200 {
			last = ma.StringCast(fmt.Sprintf("/ip4/1.2.3.%d/udp/9/quic-v1", i+1))
			binder.move(last)
			pass(time.Second)
		}
		if _, _, times := binder.tally.renewed(EventRenew); times < 8 || times > 12 {
			t.Errorf("published %d times in 200 s", times)
		}
		pass(mostPause + time.Second)
		r, err := w.nodes[2].Resolve(within(t), l.Pipe(), ResolveOptions{Fresh: true})
		must(t, err)
		if got := r.Bindings[0].Binding.Endpoints; len(got) != 1 || !got[0].Equal(last) {
			t.Errorf("endpoints %v, the last were %v", got, last)
		}
		_, _, before := binder.tally.renewed(EventRenew)
		binder.changed <- struct{}{} // tells nothing new
		pass(time.Minute)
		if _, _, times := binder.tally.renewed(EventRenew); times != before {
			t.Error("published again though nothing had changed")
		}
	})
}

func TestTwoNodesWithOneKeyDoNotChaseEachOther(t *testing.T) {
	connected(t, 4, func(t *testing.T, w *sim) {
		binder := w.nodes[0]
		l := binder.bindOne(t)
		standing := func() *pb.StoreResult { // what another node has just stored, always one ahead
			b := l.Status().Binding
			b.Seq++
			envelope, err := b.Sign(binder.key)
			must(t, err)
			return &pb.StoreResult{Code: uint32(wire.Expired), Standing: envelope}
		}
		for range 60 {
			w.nodes[1].answerStores(standing())
			l.contested(t.Context(), &obstacle{binding: openedBinding(t, standing().Standing), envelope: standing().Standing})
			pass(time.Second)
		}
		if _, _, times := binder.tally.renewed(EventRenew); times < 3 || times > 8 {
			t.Errorf("published %d times in a minute", times)
		}
	})
}

func openedBinding(t testing.TB, envelope []byte) Binding {
	t.Helper()
	b, err := OpenBinding(envelope)
	must(t, err)
	return b
}

func TestARecordThatNobodyHeardIsRepeated(t *testing.T) {
	connected(t, 4, func(t *testing.T, w *sim) {
		binder := w.nodes[0]
		l := binder.bindOne(t)
		pass(10 * time.Minute)
		w.mute(binder)
		pass(10 * time.Minute) // its renewal falls into this
		w.unmute(binder)
		pass(5 * time.Minute)
		r, err := w.nodes[2].Resolve(within(t), l.Pipe(), ResolveOptions{Fresh: true})
		must(t, err)
		if age := time.Since(r.Bindings[0].Binding.Issued); age > 7*time.Minute {
			t.Errorf("the record found is %s old", age)
		}
	})
}

func TestARecordIsStoredEarlyWhenItsHoldersHaveLeft(t *testing.T) {
	connected(t, 12, func(t *testing.T, w *sim) {
		binder := w.nodes[0]
		l := binder.bindOne(t)
		pass(5 * time.Minute)
		if _, _, times := binder.tally.renewed(EventRenew); times != 0 {
			t.Fatal("stored early though all holders are there")
		}
		for _, n := range slices.Clone(w.nodes[4:]) {
			n.stop()
		}
		for range 8 {
			w.add()
		}
		w.meet()
		pass(2 * time.Minute)
		if _, _, times := binder.tally.renewed(EventRenew); times != 1 {
			t.Errorf("stored %d times", times)
		}
		if got := l.Status().Holders; got != 12 {
			t.Errorf("%d holders", got)
		}
	})
}

func TestAnOldBinderIsToldOnceOfAMove(t *testing.T) {
	connected(t, 6, func(t *testing.T, w *sim) {
		owner, other := w.nodes[0], w.nodes[1]
		id := owner.create(t, CreateOptions{})
		first := owner.listen(t, id, ListenOptions{})
		old := first.envelope
		capability := owner.letBind(t, id, other, 0)
		l := other.listen(t, id, ListenOptions{Capability: capability})
		pass(time.Second)
		told := owner.tally.count(EventReplaced)
		asked := other.tally.count(EventRequest)
		w.nodes[3].answerStores(&pb.StoreResult{Displaced: [][]byte{old}}) // it forgets, and tells the same again
		l.renewNow()
		pass(time.Minute)
		if got := owner.tally.count(EventReplaced); got != told || told == 0 {
			t.Errorf("the old binder heard of it %d times, then %d", told, got)
		}
		if got := other.tally.count(EventRequest) - asked; got != 5 {
			t.Errorf("%d requests for a renewal at five nodes", got)
		}
	})
}

func TestManyPipesAreWithdrawnInOneSweepAndStayWithdrawn(t *testing.T) {
	connected(t, 6, func(t *testing.T, w *sim) {
		binder := w.nodes[0]
		all := binder.bindMany(t, 30, ListenOptions{})
		binder.move(ma.StringCast("/ip4/1.2.3.4/udp/9/quic-v1")) // a sweep is under way
		begun := time.Now()
		must(t, binder.Close())
		if took := time.Since(begun); took > 4*rtt {
			t.Errorf("Close took %s", took)
		}
		if _, messages, times := binder.tally.renewed(EventWithdraw); messages != 5 || times != 1 {
			t.Errorf("withdrawn with %d messages in %d sweeps", messages, times)
		}
		for range 3 {
			for _, l := range all {
				_, err := w.nodes[2].Resolve(within(t), l.Pipe(), ResolveOptions{Fresh: true})
				wantCode(t, err, wire.Unbound)
			}
			pass(20 * time.Minute)
		}
	})
}

func TestAnOwnerThatStartsAgainIsInNobodysWay(t *testing.T) {
	for range 6 { // at one term chance would decide
		connected(t, 3, func(t *testing.T, w *sim) {
			owner, other := w.nodes[0], w.nodes[1]
			id := owner.create(t, CreateOptions{})
			owner.listen(t, id, ListenOptions{}).Close()
			capability := owner.letBind(t, id, other, 0)
			again := owner.listen(t, id, ListenOptions{})
			other.listen(t, id, ListenOptions{Capability: capability})
			<-again.Replaced()
			back := owner.listen(t, id, ListenOptions{})
			if back.Status().Binding.Term != again.Status().Binding.Term+2 {
				t.Errorf("terms %d and %d", again.Status().Binding.Term, back.Status().Binding.Term)
			}
		})
	}
}

func TestAResolveEndsTheListenerThatHasLost(t *testing.T) {
	connected(t, 6, func(t *testing.T, w *sim) {
		owner, other := w.nodes[0], w.nodes[1]
		id := owner.create(t, CreateOptions{})
		capability := owner.letBind(t, id, other, 7)
		first := owner.listen(t, id, ListenOptions{})
		w.mute(owner)
		other.listen(t, id, ListenOptions{Capability: capability})
		w.unmute(owner)
		if isClosed(first.Replaced()) {
			t.Fatal("it heard of the move through a dead network")
		}
		_, err := owner.Resolve(within(t), id, ResolveOptions{Fresh: true})
		must(t, err)
		pass(time.Second)
		if !isClosed(first.Replaced()) {
			t.Error("it serves on, though it has seen who has the pipe")
		}
	})
}
