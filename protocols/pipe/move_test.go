package pipe

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestGrantMovesAPipeToAnotherNodeWithoutItsKey(t *testing.T) {
	_, n := loopback(t, 5)
	owner, other, dialer := n[0], n[1], n[2]
	id := owner.create(t, CreateOptions{})
	first := owner.listen(t, id, ListenOptions{})
	echo(first)
	dialer.say(t, id, DialOptions{})

	capability := owner.letBind(t, id, other, 0)
	second := other.listen(t, id, ListenOptions{Capability: capability})
	echo(second)

	select {
	case <-first.Replaced():
	default:
		t.Error("the bind is done, but the old binder has not heard of it")
	}
	_, err := first.Accept()
	wantCode(t, err, wire.Replaced)
	// The dialer has the old record in its cache: the old binder sends it on.
	c := dialer.say(t, id, DialOptions{})
	if c.RemotePeer() != other.id() {
		t.Errorf("reached %s", c.RemotePeer())
	}
	if c := n[3].say(t, id, DialOptions{}); c.RemotePeer() != other.id() {
		t.Errorf("reached %s", c.RemotePeer())
	}
	// What the old binder stored lets it answer after a restart too.
	st, err := owner.memory.State(within(t), id)
	must(t, err)
	if b, err := OpenBinding(st.Successor); err != nil || b.Binder != other.principal() {
		t.Errorf("stored successor %v, %v", b.Binder, err)
	}
}

func TestPipeNeverBoundByItsOwnerIsBoundByGrant(t *testing.T) {
	_, n := loopback(t, 4)
	id := n[0].create(t, CreateOptions{PublicName: "for others"})
	capability := n[0].letBind(t, id, n[1], 0)
	n[0].stop() // the owner need not be there
	l := n[1].listen(t, id, ListenOptions{Capability: capability})
	echo(l)
	if l.Advertisement().Name != "for others" {
		t.Errorf("advertisement %+v", l.Advertisement())
	}
	n[2].say(t, id, DialOptions{})
}

func TestOwnerTakesItsPipeBack(t *testing.T) {
	_, n := loopback(t, 4)
	id := n[0].create(t, CreateOptions{})
	capability := n[0].letBind(t, id, n[1], 0)
	moved := n[1].listen(t, id, ListenOptions{Capability: capability})
	back := n[0].listen(t, id, ListenOptions{})
	echo(back)
	if <-moved.Replaced(); back.Status().Binding.Term <= moved.Status().Binding.Term {
		t.Errorf("terms %d and %d", back.Status().Binding.Term, moved.Status().Binding.Term)
	}
	if c := n[2].say(t, id, DialOptions{}); c.RemotePeer() != n[0].id() {
		t.Errorf("reached %s", c.RemotePeer())
	}
	_, err := n[1].Listen(within(t), id, ListenOptions{Capability: capability})
	wantCode(t, err, wire.Taken)
	if wire.NextOf(err) == "" {
		t.Error("the error does not say what to do next")
	}
	if c := n[3].say(t, id, DialOptions{}); c.RemotePeer() != n[0].id() {
		t.Errorf("reached %s after the refused bind", c.RemotePeer())
	}
}

func TestAGrantIsOvertakenOnceAHigherTermIsUsed(t *testing.T) {
	_, n := loopback(t, 4)
	owner, other := n[0], n[1]
	id := owner.create(t, CreateOptions{})
	capability := owner.letBind(t, id, other, 0)
	overtaken := func() bool {
		g, err := owner.Grants(within(t), id)
		must(t, err)
		return g[0].Overtaken
	}
	owner.letBind(t, id, n[2], 0)
	if overtaken() {
		t.Error("overtaken by a term that nobody has used")
	}
	other.listen(t, id, ListenOptions{Capability: capability})
	if overtaken() {
		t.Error("overtaken by its own use")
	}
	back := owner.listen(t, id, ListenOptions{})
	if !overtaken() {
		t.Error("not overtaken by the owner's take-back")
	}
	back.Close()
	if !overtaken() {
		t.Error("not overtaken after the take-back has ended")
	}
	_, err := other.Listen(within(t), id, ListenOptions{Capability: capability})
	wantCode(t, err, wire.Taken)
	if !strings.Contains(err.Error(), "was used by "+owner.principal().String()) {
		t.Errorf("got %v", err)
	}
}

func TestOwnerWithALostStoreBindsAboveWhatHoldersShow(t *testing.T) {
	w, n := loopback(t, 4)
	id := n[0].create(t, CreateOptions{})
	capability := n[0].letBind(t, id, n[1], 40)
	moved := n[1].listen(t, id, ListenOptions{Capability: capability})
	adv := moved.Advertisement()
	key := n[0].key
	n[0].stop()
	again := w.start(key, newMemory())
	l := again.listen(t, id, ListenOptions{Advertisement: &adv})
	if got := l.Status().Binding.Term; got <= 40 {
		t.Errorf("bound under term %d", got)
	}
	<-moved.Replaced()
}

func TestExplicitTermIsNotRaised(t *testing.T) {
	_, n := loopback(t, 3)
	id := n[0].create(t, CreateOptions{})
	capability := n[0].letBind(t, id, n[1], 9)
	n[1].listen(t, id, ListenOptions{Capability: capability})
	_, err := n[0].Listen(within(t), id, ListenOptions{Term: 5})
	wantCode(t, err, wire.Taken)
}

func TestEarlyDataFollowsThePipe(t *testing.T) {
	_, n := loopback(t, 4)
	owner, other, dialer := n[0], n[1], n[2]
	id := owner.create(t, CreateOptions{})
	owner.listen(t, id, ListenOptions{})
	_, err := dialer.Resolve(within(t), id, ResolveOptions{})
	must(t, err)
	capability := owner.letBind(t, id, other, 0)
	l := other.listen(t, id, ListenOptions{Capability: capability})

	c, err := dialer.Dial(within(t), id, DialOptions{}) // by the cached record of the old binder
	must(t, err)
	defer c.Reset()
	_, err = io.WriteString(c, "written before anybody has accepted")
	must(t, err)
	must(t, c.CloseWrite())
	far, err := l.Accept()
	must(t, err)
	defer far.Close()
	far.SetDeadline(time.Now().Add(time.Minute))
	if got, err := io.ReadAll(far); err != nil || string(got) != "written before anybody has accepted" {
		t.Errorf("the new binder reads %q, %v", got, err)
	}
	must(t, c.Opened(within(t)))
	if c.RemotePeer() != other.id() {
		t.Errorf("reached %s", c.RemotePeer())
	}
}

func TestDeadBinderOfACachedRecordIsLookedUpAfresh(t *testing.T) {
	_, n := loopback(t, 5, "/ip4/127.0.0.1/tcp/0")
	owner, other, dialer := n[0], n[1], n[2]
	id := owner.create(t, CreateOptions{})
	owner.listen(t, id, ListenOptions{})
	_, err := dialer.Resolve(within(t), id, ResolveOptions{})
	must(t, err)
	capability := owner.letBind(t, id, other, 0)
	owner.crash()
	echo(other.listen(t, id, ListenOptions{Capability: capability}))
	if c := dialer.say(t, id, DialOptions{}); c.RemotePeer() != other.id() {
		t.Errorf("reached %s", c.RemotePeer())
	}
}

func TestUnreachableBinderIsToldWithEveryAttempt(t *testing.T) {
	_, n := loopback(t, 3, "/ip4/127.0.0.1/tcp/0")
	id := n[0].create(t, CreateOptions{})
	n[0].listen(t, id, ListenOptions{})
	n[0].crash()
	_, err := n[1].Dial(within(t), id, DialOptions{accepted: true})
	wantCode(t, err, wire.Unreachable)
	var d *DialError
	if !errors.As(err, &d) || len(d.Attempts) == 0 {
		t.Fatalf("error %#v lists no attempts", err)
	}
	for _, a := range d.Attempts {
		if a.Err == nil || a.Binder != n[0].principal() {
			t.Errorf("attempt %+v", a)
		}
	}
}

func TestExplainTellsRecordEndpointsAndEachDial(t *testing.T) {
	_, n := loopback(t, 3, "/ip4/127.0.0.1/tcp/0")
	id := n[0].create(t, CreateOptions{PublicName: "tune"})
	l := n[0].listen(t, id, ListenOptions{})
	echo(l)
	e := n[1].Explain(within(t), id, DialOptions{})
	if !e.Found || !e.Accepted || e.Code != "ok" || e.Name != "tune" || len(e.Records) != 1 || len(e.Dials) == 0 {
		t.Fatalf("explanation %+v", e)
	}
	if r := e.Records[0]; r.Binder != n[0].principal().String() || len(r.Endpoints) == 0 || r.From == "" {
		t.Errorf("record %+v", r)
	}
	n[0].crash()
	e = n[1].Explain(within(t), id, DialOptions{})
	if !e.Found || e.Accepted || e.Suggestion == "" || len(e.Dials) == 0 || e.Dials[0].Error == "" {
		t.Errorf("explanation of a dead binder %+v", e)
	}
	e = n[1].Explain(within(t), n[1].create(t, CreateOptions{}), DialOptions{})
	if e.Found || e.Code != "unbound" || e.Suggestion == "" {
		t.Errorf("explanation of an unbound pipe %+v", e)
	}
}
