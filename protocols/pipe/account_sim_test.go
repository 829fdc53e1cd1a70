package pipe

import (
	"context"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

func (n *node) actor() actor { return actor{key: n.key, id: n.id(), who: n.principal()} }

// shared is a device log that devices of an account read and replace.
type shared struct {
	p atomic.Pointer[identity.DeviceLog]
}

func sharing(l *identity.DeviceLog) *shared {
	s := new(shared)
	s.p.Store(l)
	return s
}

func (s *shared) log() *identity.DeviceLog { return s.p.Load() }

// accountOf makes an account of nodes, the most senior first.
func accountOf(t testing.TB, root byte, devices ...*node) *shared {
	t.Helper()
	actors := make([]actor, len(devices))
	for i, n := range devices {
		actors[i] = n.actor()
	}
	return sharing(testLog(t, root, actors...))
}

// binders are who serves a pipe, as a node finds anew.
func (n *node) binders(t testing.TB, id ID) map[identity.Principal]bool {
	t.Helper()
	_, err := n.Resolve(within(t), id, ResolveOptions{Fresh: true})
	if wire.CodeOf(err) == wire.Unbound {
		return nil
	}
	must(t, err)
	pass(time.Second) // the search goes on behind the first answer
	r, err := n.Resolve(within(t), id, ResolveOptions{})
	must(t, err)
	out := make(map[identity.Principal]bool)
	for _, f := range r.Bindings {
		out[f.Binding.Binder] = true
	}
	return out
}

func TestRevokedDeviceIsGoneFromItsAccountsPipe(t *testing.T) {
	connected(t, 7, func(t *testing.T, w *sim) {
		laptop, phone, stranger := w.nodes[0], w.nodes[1], w.nodes[2]
		both := accountOf(t, 9, laptop, phone)
		adv := ContactPipe(both.log().Account())
		bind := func(n *node, as func() *identity.DeviceLog) *Listener {
			l := n.listen(t, adv.ID(), ListenOptions{Advertisement: &adv, As: as})
			echo(l)
			return l
		}
		bind(laptop, both.log)
		lost := bind(phone, sharing(both.log()).log)
		if got := stranger.binders(t, adv.ID()); !got[laptop.principal()] || !got[phone.principal()] || len(got) != 2 {
			t.Fatalf("bound by %v", got)
		}
		stranger.say(t, adv.ID(), DialOptions{Binders: []peer.ID{phone.id()}})

		both.p.Store(revoking(t, both.log(), laptop.key, phone.id()))
		begun := time.Now()
		laptop.ShowLog(both.log())
		<-lost.over
		if took := time.Since(begun); took > 3*rtt {
			t.Errorf("the phone heard of it after %s", took)
		}
		_, err := lost.Accept()
		wantCode(t, err, wire.Forbidden)
		pass(time.Second)
		if got := stranger.binders(t, adv.ID()); !got[laptop.principal()] || len(got) != 1 {
			t.Errorf("bound after the revocation by %v", got)
		}
		err = stranger.opened(t, adv.ID(), DialOptions{Binders: []peer.ID{phone.id()}})
		wantCode(t, err, wire.Unbound)
		_, err = phone.Listen(within(t), adv.ID(), ListenOptions{Advertisement: &adv, As: both.log})
		wantCode(t, err, wire.Forbidden)
		stranger.say(t, adv.ID(), DialOptions{})
	})
}

// A device that was revoked does not heed it, and signs on from the log in
// which it was none.
func TestRevokedDeviceThatSignsOnIsForbiddenByHolders(t *testing.T) {
	connected(t, 6, func(t *testing.T, w *sim) {
		laptop, thief, stranger := w.nodes[0], w.nodes[1], w.nodes[2]
		both := accountOf(t, 9, laptop, thief)
		adv := ContactPipe(both.log().Account())
		old := both.log()
		both.p.Store(revoking(t, old, laptop.key, thief.id()))
		laptop.listen(t, adv.ID(), ListenOptions{Advertisement: &adv, As: both.log})
		for name, l := range map[string]*identity.DeviceLog{
			"the old log": old, "a fork of its own": revoking(t, old, thief.key, laptop.id()),
		} {
			b := bindingBy(t, thief.actor(), adv, uint64(time.Now().UnixMilli()), 0)
			b.Proof, b.Issued = l.Bytes(), time.Now()
			r := record(t, thief.actor(), b)
			for _, holder := range []*node{w.nodes[2], w.nodes[3], w.nodes[4], w.nodes[5]} {
				a, err := thief.store(within(t), holder.info(), adv.ID().Key(), []Record{r})
				must(t, err)
				if code := a.Results[0].Code; code != wire.Forbidden || string(a.Results[0].Standing) != string(both.log().Bytes()) {
					t.Errorf("%s: %s with %d bytes", name, code, len(a.Results[0].Standing))
				}
			}
		}
		if got := stranger.binders(t, adv.ID()); len(got) != 1 || !got[laptop.principal()] {
			t.Errorf("bound by %v", got)
		}
	})
}

// Of two records the one whose log loses does not count, though nobody has
// refused it.
func TestReaderLeavesOutWhomTheBestLogAmongTheAnswersHasRevoked(t *testing.T) {
	connected(t, 6, func(t *testing.T, w *sim) {
		laptop, thief, reader := w.nodes[0], w.nodes[1], w.nodes[2]
		both := accountOf(t, 9, laptop, thief)
		adv := ContactPipe(both.log().Account())
		found := func(by *node, l *identity.DeviceLog) AnswerRecord {
			b := bindingBy(t, by.actor(), adv, uint64(time.Now().UnixMilli()), 0)
			b.Proof, b.Issued = l.Bytes(), time.Now()
			return AnswerRecord{Envelope: record(t, by.actor(), b).Envelope, Origin: OriginHeld}
		}
		stolen := found(thief, revoking(t, both.log(), thief.key, laptop.id()))
		honest := found(laptop, revoking(t, both.log(), laptop.key, thief.id()))
		for name, order := range map[string][]AnswerRecord{"thief first": {stolen, honest}, "thief last": {honest, stolen}} {
			x := reader.start(within(t), adv.ID(), wants(adv.ID(), "", nil), plan{})
			for _, r := range order {
				x.read(w.nodes[3].id(), Answer{Records: []AnswerRecord{r}})
			}
			if live := x.live(); len(live) != 1 || live[0].Binding.Binder != laptop.principal() {
				t.Errorf("%s: %d live", name, len(live))
			}
			<-x.done
		}
		if r := reader.cache.resolution(adv.ID(), time.Now()); r == nil || len(r.Bindings) != 1 {
			t.Errorf("cached: %+v", r)
		}
	})
}

func TestNewLogOfADeviceIsShownToHoldersAtOnce(t *testing.T) {
	connected(t, 5, func(t *testing.T, w *sim) {
		laptop, phone := w.nodes[0], w.nodes[1]
		own := accountOf(t, 9, laptop)
		adv := ContactPipe(own.log().Account())
		l := laptop.listen(t, adv.ID(), ListenOptions{Advertisement: &adv, As: own.log})
		first := l.Status().Binding
		own.p.Store(adding(t, own.log(), laptop.key, phone.id()))
		laptop.ShowLog(own.log())
		laptop.ShowLog(own.log())
		pass(2 * rtt)
		second := l.Status().Binding
		if second.Seq <= first.Seq || second.log.Head() != own.log().Head() {
			t.Error("the record still shows the old log")
		}
		pass(time.Minute)
		if third := l.Status().Binding; third.Seq != second.Seq {
			t.Error("signed again for nothing")
		}
		phone.listen(t, adv.ID(), ListenOptions{Advertisement: &adv, As: own.log})
	})
}

func TestAccountsExclusivePipeMovesBetweenItsDevices(t *testing.T) {
	connected(t, 6, func(t *testing.T, w *sim) {
		laptop, phone, dialer := w.nodes[0], w.nodes[1], w.nodes[2]
		own := accountOf(t, 9, laptop, phone)
		p, err := laptop.Create(within(t), "mine", CreateOptions{As: own.log()})
		must(t, err)
		if p.Advertisement.Owner != own.log().Account() {
			t.Fatalf("owned by %s", p.Advertisement.Owner)
		}
		first := laptop.listen(t, p.ID, ListenOptions{As: own.log})
		echo(phone.listen(t, p.ID, ListenOptions{As: own.log}))
		<-first.Replaced()
		dialer.say(t, p.ID, DialOptions{})
		_, err = dialer.Create(within(t), "not mine", CreateOptions{As: own.log()})
		wantCode(t, err, wire.Forbidden)
	})
}

func TestListHasAccountsAndARevokedDeviceIsNoneAnyMore(t *testing.T) {
	connected(t, 5, func(t *testing.T, w *sim) {
		owner, laptop, phone := w.nodes[0], w.nodes[1], w.nodes[2]
		guest := accountOf(t, 9, laptop, phone)
		id := owner.create(t, CreateOptions{DialPolicy: DialListed})
		l := owner.listen(t, id, ListenOptions{Allow: []identity.Principal{guest.log().Account()}})
		accepted := make(chan *Conn, 3)
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					close(accepted)
					return
				}
				accepted <- c.(*Conn)
			}
		}()
		old := DialOptions{As: guest.log()}
		for _, n := range []*node{laptop, phone} {
			must(t, n.opened(t, id, old))
			c := <-accepted
			if c.RemotePrincipal() != guest.log().Account() || c.RemotePeer() != n.id() {
				t.Errorf("%s of %s", c.RemotePeer(), c.RemotePrincipal())
			}
			c.Reset()
		}
		wantCode(t, laptop.opened(t, id, DialOptions{}), wire.Forbidden)
		wantCode(t, w.nodes[3].opened(t, id, old), wire.Forbidden) // is no device

		guest.p.Store(revoking(t, guest.log(), laptop.key, phone.id()))
		must(t, laptop.opened(t, id, DialOptions{As: guest.log()})) // which shows it the new log
		wantCode(t, phone.opened(t, id, old), wire.Forbidden)
		must(t, laptop.opened(t, id, old)) // who shows an older log is none the worse
	})
}

func TestSecurePipeProvesAccounts(t *testing.T) {
	connected(t, 5, func(t *testing.T, w *sim) {
		server, client := w.nodes[0], w.nodes[1]
		host, guest := accountOf(t, 8, server), accountOf(t, 9, client)
		p, err := server.Create(within(t), "secure", CreateOptions{Type: TypeSecure, As: host.log()})
		must(t, err)
		l := server.listen(t, p.ID, ListenOptions{As: host.log})
		heard := make(chan net.Conn, 2)
		go func() {
			for range 2 {
				c, err := l.Accept()
				if err != nil {
					return
				}
				heard <- c
			}
		}()
		for _, as := range []*identity.DeviceLog{guest.log(), nil} {
			c, err := client.Dial(within(t), p.ID, DialOptions{As: as})
			must(t, err)
			far := (<-heard).(*Conn)
			want := client.principal()
			if as != nil {
				want = as.Account()
			}
			if c.RemotePrincipal() != host.log().Account() || c.LocalPrincipal() != want || far.RemotePrincipal() != want || far.LocalPrincipal() != host.log().Account() {
				t.Errorf("%s with %s, %s with %s", c.LocalPrincipal(), c.RemotePrincipal(), far.LocalPrincipal(), far.RemotePrincipal())
			}
			if c.RemotePeer() != server.id() || far.RemotePeer() != client.id() {
				t.Error("the nodes are others")
			}
			c.Reset()
			far.Reset()
		}
	})
}

func TestDevicesGrantAndRevokeForTheirAccount(t *testing.T) {
	connected(t, 6, func(t *testing.T, w *sim) {
		laptop, phone, dialer := w.nodes[0], w.nodes[1], w.nodes[2]
		own, guest := accountOf(t, 8, laptop, phone), accountOf(t, 9, dialer)
		p, err := laptop.Create(within(t), "mine", CreateOptions{As: own.log(), DialPolicy: DialCapability})
		must(t, err)
		must(t, phone.memory.SavePipe(t.Context(), p))
		echo(laptop.listen(t, p.ID, ListenOptions{As: own.log}))
		o := GrantOptions{Right: identity.RightDial, To: guest.log().Account(), As: own.log()}
		text, _, err := phone.Grant(within(t), p.ID, o)
		must(t, err)
		envelope, _, err := identity.ParseCapability(text)
		must(t, err)
		dialer.say(t, p.ID, DialOptions{Capability: envelope, As: guest.log()})
		wantCode(t, dialer.opened(t, p.ID, DialOptions{Capability: envelope}), wire.Forbidden)
		must(t, laptop.Revoke(within(t), text))
		wantCode(t, dialer.opened(t, p.ID, DialOptions{Capability: envelope, As: guest.log()}), wire.Forbidden)

		again, _, err := phone.Grant(within(t), p.ID, o)
		must(t, err)
		envelope, _, err = identity.ParseCapability(again)
		must(t, err)
		dialer.say(t, p.ID, DialOptions{Capability: envelope, As: guest.log()})
		laptop.ShowLog(revoking(t, own.log(), laptop.key, phone.id()))
		wantCode(t, dialer.opened(t, p.ID, DialOptions{Capability: envelope, As: guest.log()}), wire.Forbidden)

		_, _, err = dialer.Grant(within(t), p.ID, o)
		wantCode(t, err, wire.Unknown)
		o.Right = identity.RightBind
		_, _, err = laptop.Grant(within(t), p.ID, o)
		wantCode(t, err, wire.Unsupported)
	})
}

// The right to bind an account's pipe goes to a node that knows nothing of it.
func TestGuestBindsAnAccountsPipeByADevicesGrant(t *testing.T) {
	connected(t, 6, func(t *testing.T, w *sim) {
		laptop, phone, guest, dialer := w.nodes[0], w.nodes[1], w.nodes[2], w.nodes[3]
		own := accountOf(t, 8, laptop, phone)
		p, err := laptop.Create(within(t), "mine", CreateOptions{As: own.log()})
		must(t, err)
		right := laptop.grant(t, p.ID, GrantOptions{Right: identity.RightBind, To: guest.principal(), As: own.log()})
		l := guest.listen(t, p.ID, ListenOptions{Capability: right})
		echo(l)
		dialer.say(t, p.ID, DialOptions{})
		guest.ShowLog(revoking(t, own.log(), phone.key, phone.id())) // which leaves, and takes nothing along
		dialer.say(t, p.ID, DialOptions{})
		guest.ShowLog(revoking(t, testLog(t, 8, laptop.actor(), phone.actor()), laptop.key, laptop.id()))
		_, err = l.Accept()
		wantCode(t, err, wire.Forbidden)
		_, err = guest.Listen(within(t), p.ID, ListenOptions{Capability: right})
		wantCode(t, err, wire.Forbidden)
	})
}

func TestStoreOfLongLogsIsBoundedByTheRate(t *testing.T) {
	connected(t, 2, func(t *testing.T, w *sim) {
		holder, flooder := w.nodes[0], w.nodes[1]
		by := flooder.actor()
		record := func(root byte) Record {
			l := fullLog(t, root, by)
			adv := ContactPipe(l.Account())
			b := bindingBy(t, by, adv, 1, 0)
			b.Proof, b.Issued = l.Bytes(), time.Now()
			return record(t, by, b)
		}
		records := make([]Record, 5)
		for i := range records {
			records[i] = record(byte(40 + i))
		}
		store := func() (codes []wire.Code) {
			a, err := flooder.store(within(t), holder.info(), records[0].Pipe().Key(), records)
			must(t, err)
			for _, r := range a.Results {
				codes = append(codes, r.Code)
			}
			return codes
		}
		if got := store(); !slices.Equal(got, []wire.Code{wire.OK, wire.OK, wire.OK, wire.Busy, wire.Busy}) {
			t.Errorf("at once: %v", got)
		}
		pass(4 * time.Second)
		if got := store(); !slices.Equal(got, make([]wire.Code, 5)) {
			t.Errorf("4 s later: %v", got)
		}
	})
}

func TestRecordWithoutEndpointsLeadsToItsBinderAllTheSame(t *testing.T) {
	virtual(t, 6, func(t *testing.T, w *sim) {
		binder, dialer := w.nodes[0], w.nodes[1]
		own := accountOf(t, 9, binder)
		adv := ContactPipe(own.log().Account())
		l := binder.listen(t, adv.ID(), ListenOptions{Advertisement: &adv, As: own.log, RelayedOnly: true})
		echo(l)
		if got := l.Status().Binding.Endpoints; len(got) != 0 {
			t.Fatalf("endpoints %v", got)
		}
		dialer.host.Peerstore().ClearAddrs(binder.id())
		dialer.say(t, adv.ID(), DialOptions{})
		relayed := addrsFor(t, "/ip4/1.2.3.4/udp/1/quic-v1", "/ip4/5.6.7.8/udp/1/quic-v1/p2p/"+dialer.id().String()+"/p2p-circuit")
		binder.move(relayed...)
		pass(5 * time.Second)
		if got := l.Status().Binding.Endpoints; len(got) != 1 || !got[0].Equal(relayed[1]) {
			t.Errorf("endpoints %v", got)
		}
	})
}

// Whoever watches a pipe hears when its device is none of the listed account
// any more.
func TestWatchOfARevokedDeviceEnds(t *testing.T) {
	connected(t, 4, func(t *testing.T, w *sim) {
		owner, laptop, phone := w.nodes[0], w.nodes[1], w.nodes[2]
		guest := accountOf(t, 9, laptop, phone)
		id := owner.create(t, CreateOptions{DialPolicy: DialListed})
		owner.listen(t, id, ListenOptions{Allow: []identity.Principal{guest.log().Account()}})
		o := DialOptions{As: guest.log(), probe: true, watch: true}
		d := newDialing(phone.Service, id, o)
		defer d.release()
		must(t, d.resolve(within(t), 0, false))
		call, err := d.established(within(t))
		must(t, err)
		owner.ShowLog(revoking(t, guest.log(), laptop.key, phone.id()))
		_, err = call.carrier.Read(make([]byte, 1))
		wantCode(t, err, wire.Forbidden)
		call.carrier.drop()
		synctest.Wait()
	})
}

func TestLogsThatWereNotReadBeforeCountAgainstTheRate(t *testing.T) {
	connected(t, 3, func(t *testing.T, w *sim) {
		binder, flooder := w.nodes[0], w.nodes[1]
		id := binder.create(t, CreateOptions{})
		echo(binder.listen(t, id, ListenOptions{}))
		dial := func(l *identity.DeviceLog) error { return flooder.opened(t, id, DialOptions{As: l}) }
		full := make([]*identity.DeviceLog, 5)
		for i := range full {
			full[i] = fullLog(t, byte(20+i), flooder.actor())
		}
		for range 20 { // the same one is read once
			must(t, dial(full[0]))
		}
		for i, want := range []wire.Code{wire.OK, wire.OK, wire.OK, wire.Busy} {
			if err := dial(full[1+i]); wire.CodeOf(err) != want {
				t.Errorf("log %d: %v, expected %s", i, err, want)
			}
		}
		pass(10 * time.Second)
		must(t, dial(full[4]))
	})
}

// What is written behind a large Open must not wait for the listener's reader,
// or the reply would wait for it too.
func TestOpenWithALongLogLeavesRoomForWhatIsWrittenAtOnce(t *testing.T) {
	connected(t, 3, func(t *testing.T, w *sim) {
		binder, dialer := w.nodes[0], w.nodes[1]
		id := binder.create(t, CreateOptions{})
		l := binder.listen(t, id, ListenOptions{})
		c, err := dialer.Dial(within(t), id, DialOptions{As: fullLog(t, 9, dialer.actor())})
		must(t, err)
		defer c.Reset()
		wrote := make(chan error, 1)
		go func() {
			_, err := c.Write(make([]byte, 2*maxEarly))
			wrote <- err
		}()
		must(t, c.Opened(within(t))) // though nobody reads
		far, err := l.Accept()
		must(t, err)
		_, err = io.ReadFull(far, make([]byte, 2*maxEarly))
		must(t, err)
		must(t, <-wrote)
		far.Close()
	})
}

func TestDialAsAnAccountOfOthersFailsAtOnce(t *testing.T) {
	_, n := loopback(t, 2)
	id := n[0].create(t, CreateOptions{})
	n[0].listen(t, id, ListenOptions{})
	foreign := testLog(t, 9, newActor(t, 1))
	_, err := n[1].Dial(within(t), id, DialOptions{As: foreign})
	wantCode(t, err, wire.Forbidden)
	_, err = n[1].Listen(context.Background(), id, ListenOptions{As: func() *identity.DeviceLog { return nil }})
	wantCode(t, err, wire.Forbidden)
}
