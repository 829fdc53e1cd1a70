package pipe

import (
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"pgregory.net/rapid"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// testCast is a few nodes; they are made once, since keys cost time.
func testCast(t testing.TB, n int) []actor {
	var cast []actor
	for i := range n {
		cast = append(cast, newActor(t, byte(i+1)))
	}
	return cast
}

// drawDeposit is a put of any of the cast to any of its pipes, in a clock that
// goes on.
func drawDeposit(t *rapid.T, cast []actor, now time.Time) (Deposit, Record) {
	by := rapid.SampledFrom(cast).Draw(t, "binder")
	owner := rapid.SampledFrom(cast).Draw(t, "owner")
	adv := ownPipe(owner, rapid.IntRange(0, 3).Draw(t, "pipe"))
	if rapid.Bool().Draw(t, "many") {
		adv.Binders = Many
	}
	group := rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "group")
	if rapid.IntRange(0, 5).Draw(t, "kind") == 0 {
		r := Revocation{
			Pipe: adv.ID(), Advertisement: adv, Issuer: owner.who, Issued: now,
			Nonce:  identity.Nonce{rapid.ByteRange(1, 6).Draw(t, "nonce")},
			Expiry: now.Add(time.Duration(rapid.IntRange(1, 100).Draw(t, "expiry")) * time.Hour),
		}
		return Deposit{From: by.id, Group: group}, Record{Revocation: &r, Envelope: r.Bytes()}
	}
	r := quick(by, adv, rapid.Uint64Range(1, 20).Draw(t, "seq"), rapid.Uint64Range(1, 4).Draw(t, "term"), now)
	r.Binding.Withdrawn = rapid.IntRange(0, 3).Draw(t, "withdrawn") == 0
	if by.id != owner.id {
		r.Binding.grant = &identity.Capability{Nonce: identity.Nonce{rapid.ByteRange(1, 6).Draw(t, "grant")}, Expiry: now.Add(time.Hour)}
	}
	r.Envelope = unsigned(r.Binding.Bytes(), rapid.IntRange(1, 400).Draw(t, "bulk"))
	return Deposit{From: by.id, Group: group}, r
}

// checkLogs wants each account's log borne by one of its records, and nothing
// held of a device that it has revoked.
func checkLogs(t *rapid.T, h *Holder) {
	entries := 0
	for _, s := range h.shelves {
		for _, e := range append(slices.Clone(s.bindings), s.revocations...) {
			if e.log == nil {
				continue
			}
			entries++
			held := h.logs[e.account()]
			if _, ok := held.entries[e]; !ok || e.log != held.log || (e.bears > 0) != (held.bearer == e) {
				t.Fatal("a record and the log of its account do not know of each other")
			}
			if e.revocation == nil && !held.log.Valid(e.device) {
				t.Fatal("something is held of a device that was revoked")
			}
		}
	}
	for account, held := range h.logs {
		entries -= len(held.entries)
		if held.log.Account() != account || held.bearer == nil || held.bearer.bears != len(held.log.Bytes()) {
			t.Fatal("a log that is borne by none")
		}
	}
	if entries != 0 {
		t.Fatalf("%d records are lost, or held twice", entries)
	}
}

// testLogs are logs of two accounts that contradict each other in part, with
// the devices that each has.
func testLogs(t testing.TB, cast []actor) [][]*identity.DeviceLog {
	var all [][]*identity.DeviceLog
	for root := byte(30); root < 32; root++ {
		base := testLog(t, root, cast[0], cast[1], cast[2])
		less := revoking(t, base, cast[0].key, cast[1].id)
		all = append(all, []*identity.DeviceLog{
			base, less, adding(t, less, cast[2].key, cast[3].id), revoking(t, base, cast[1].key, cast[0].id),
			revoking(t, base, cast[2].key, cast[1].id), adding(t, less, cast[0].key, cast[1].id),
		})
	}
	return all
}

// drawAccountRecord is a record for one of the accounts, by one of its devices.
func drawAccountRecord(t *rapid.T, cast []actor, all [][]*identity.DeviceLog, now time.Time) (Deposit, Record) {
	logs := all[rapid.IntRange(0, len(all)-1).Draw(t, "account")]
	l := logs[rapid.IntRange(0, len(logs)-1).Draw(t, "log")]
	by := cast[rapid.IntRange(0, 3).Filter(func(i int) bool { return l.Valid(cast[i].id) }).Draw(t, "device")]
	binders := rapid.SampledFrom([]Binders{Exclusive, Many}).Draw(t, "binders")
	adv := accountPipe(l, binders, rapid.ByteRange(0, 2).Draw(t, "pipe"))
	d := Deposit{From: by.id, Group: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "group")}
	said := speaker{by.id, l}
	if rapid.IntRange(0, 5).Draw(t, "kind") == 0 {
		r := Revocation{
			Pipe: adv.ID(), Advertisement: adv, Issuer: adv.Owner, Issued: now, Nonce: identity.Nonce{rapid.ByteRange(1, 6).Draw(t, "nonce")},
			Expiry: now.Add(time.Hour), speaker: said,
		}
		return d, Record{Revocation: &r, Envelope: r.Bytes()}
	}
	r := quick(by, adv, rapid.Uint64Range(1, 20).Draw(t, "seq"), rapid.Uint64Range(1, 4).Draw(t, "term"), now)
	r.Binding.speaker = said
	if rapid.Bool().Draw(t, "granted") {
		guest := cast[rapid.IntRange(4, len(cast)-1).Draw(t, "guest")]
		d.From, r.Binding.Binder = guest.id, guest.who
		r.Binding.grant = &identity.Capability{Nonce: identity.Nonce{rapid.ByteRange(1, 6).Draw(t, "grant")}, Expiry: now.Add(time.Hour)}
	}
	return d, r
}

func TestLogsOfAccountsAreHeldByTheirRecords(t *testing.T) {
	cast := testCast(t, 7)
	all := testLogs(t, cast)
	rapid.Check(t, func(t *rapid.T) {
		h := NewHolder(cast[0].id, HolderLimits{
			Bytes: rapid.IntRange(2, 20).Draw(t, "records in all") * 2000, PipeBinders: rapid.IntRange(1, 4).Draw(t, "binders"),
			PipeRevocations: rapid.IntRange(1, 3).Draw(t, "revocations"),
		})
		now := recordEpoch
		for range rapid.IntRange(1, 60).Draw(t, "puts") {
			now = now.Add(time.Duration(rapid.SampledFrom([]int{0, 1, 20, 600}).Draw(t, "minutes")) * time.Minute)
			draw := func() (Deposit, Record) { return drawAccountRecord(t, cast, all, now) }
			if rapid.IntRange(0, 3).Draw(t, "whose") == 0 {
				draw = func() (Deposit, Record) { return drawDeposit(t, cast, now) }
			}
			d, r := draw()
			h.Sweep(now)
			before, by := h.logOf(r.speaker().account()), r.speaker()
			_, err := h.Put(d, r, now)
			switch wire.CodeOf(err) {
			case wire.OK, wire.Taken, wire.Expired, wire.Forbidden, wire.Limit:
			default:
				t.Fatal(err)
			}
			if winner, _ := identity.Judge(before, by.log); err == nil && by.log != nil && h.logOf(by.account()) != winner {
				t.Fatal("the log that is held is not the winner")
			}
			checkBooks(t, h, now)
			checkLogs(t, h)
		}
		h.Sweep(now.Add(MaxRevocationLife + HighWater + MaxLife))
		if n, size := h.Size(); n != 0 || size != 0 || len(h.shelves) != 0 || len(h.logs) != 0 {
			t.Fatalf("%d records of %d bytes and %d logs for ever", n, size, len(h.logs))
		}
	})
}

// checkBooks counts everything anew and compares it with ledger and quotas.
func checkBooks(t *rapid.T, h *Holder, now time.Time) {
	var total use
	peers, groups := map[peer.ID]*use{}, map[string]*use{}
	add := func(e *entry) {
		if peers[e.deposit.From] == nil {
			peers[e.deposit.From] = &use{}
		}
		if groups[groupName(e.deposit)] == nil {
			groups[groupName(e.deposit)] = &use{}
		}
		for _, u := range []*use{&total, peers[e.deposit.From], groups[groupName(e.deposit)]} {
			u.add(1, e.size())
		}
		if !e.due().After(now) {
			t.Fatal("an entry is held beyond its time")
		}
	}
	for key, s := range h.shelves {
		if key != s.pipe.Key() || len(s.bindings)+len(s.revocations) == 0 {
			t.Fatal("a shelf is empty or misplaced")
		}
		if len(s.bindings) > h.limits.PipeBinders || len(s.revocations) > h.limits.PipeRevocations {
			t.Fatal("a pipe is above its quota")
		}
		serving := 0
		for _, e := range s.bindings {
			add(e)
			if e.serves() {
				serving++
			}
			if e.live && e.envelope == nil || !e.live && e.envelope != nil && e != s.top() {
				t.Fatal("an envelope is kept for nothing, or lost")
			}
			if e.grant != (identity.Nonce{}) && s.revoked(e.grant) != nil {
				t.Fatal("a revoked binding is held")
			}
		}
		if s.exclusive() && serving > 1 {
			t.Fatal("an exclusive pipe is served by two")
		}
		for _, e := range s.revocations {
			add(e)
		}
	}
	if total != h.ledger.total || len(peers) != len(h.ledger.peers) || len(groups) != len(h.ledger.groups) {
		t.Fatalf("counted %+v, the ledger says %+v", total, h.ledger.total)
	}
	l := h.limits
	for id, u := range peers {
		if *u != h.ledger.peers[id].use || u.records > l.DepositorRecords || u.bytes > l.DepositorBytes {
			t.Fatalf("depositor: counted %+v, the ledger says %+v", *u, h.ledger.peers[id].use)
		}
	}
	for name, u := range groups {
		exempt := name != "a" && name != "b"
		if *u != h.ledger.groups[name].use || !exempt && (u.records > l.GroupRecords || u.bytes > l.GroupBytes) {
			t.Fatalf("group %q: counted %+v, the ledger says %+v", name, *u, h.ledger.groups[name].use)
		}
		if u.bytes > h.ledger.heavy.first().bytes {
			t.Fatal("the first group is not the heaviest")
		}
	}
	if total.bytes > l.Bytes {
		t.Fatalf("%d bytes held, at most %d", total.bytes, l.Bytes)
	}
}

func TestQuotasAreNeverExceeded(t *testing.T) {
	cast := testCast(t, 6)
	rapid.Check(t, func(t *rapid.T) {
		h := NewHolder(cast[0].id, HolderLimits{
			Bytes:            rapid.IntRange(1, 20).Draw(t, "records in all") * 1400,
			DepositorRecords: rapid.IntRange(1, 10).Draw(t, "depositor records"),
			DepositorBytes:   rapid.IntRange(1, 10).Draw(t, "depositor bytes") * 1400,
			GroupRecords:     rapid.IntRange(1, 15).Draw(t, "group records"),
			GroupBytes:       rapid.IntRange(1, 15).Draw(t, "group bytes") * 1400,
			PipeBinders:      rapid.IntRange(1, 4).Draw(t, "binders"),
			PipeRevocations:  rapid.IntRange(1, 3).Draw(t, "revocations"),
		})
		now := recordEpoch
		for range rapid.IntRange(1, 60).Draw(t, "puts") {
			now = now.Add(time.Duration(rapid.SampledFrom([]int{0, 1, 20, 600}).Draw(t, "minutes")) * time.Minute)
			d, r := drawDeposit(t, cast, now)
			_, err := h.Put(d, r, now)
			switch wire.CodeOf(err) {
			case wire.OK, wire.Taken, wire.Expired, wire.Forbidden, wire.Limit:
			default:
				t.Fatal(err)
			}
			checkBooks(t, h, now)
		}
		h.Sweep(now.Add(MaxRevocationLife + HighWater + MaxLife))
		if n, size := h.Size(); n != 0 || size != 0 || len(h.shelves) != 0 {
			t.Fatalf("%d records of %d bytes for ever", n, size)
		}
	})
}

func TestHighestTermAndSeqAreNeverLostWhileRemembered(t *testing.T) {
	cast := testCast(t, 3)
	type mark struct {
		number uint64
		until  time.Time
	}
	rapid.Check(t, func(t *rapid.T) {
		h := NewHolder(cast[0].id, HolderLimits{})
		adv := exclusivePipe(cast[0])
		var term mark
		seqs := map[peer.ID]mark{}
		now := recordEpoch
		for range rapid.IntRange(1, 40).Draw(t, "puts") {
			now = now.Add(time.Duration(rapid.SampledFrom([]int{0, 5, 40, 900}).Draw(t, "minutes")) * time.Minute)
			by := rapid.SampledFrom(cast).Draw(t, "binder")
			r := quick(by, adv, rapid.Uint64Range(1, 30).Draw(t, "seq"), rapid.Uint64Range(1, 5).Draw(t, "term"), now)
			r.Binding.Withdrawn = rapid.Bool().Draw(t, "withdrawn")
			r.Envelope = unsigned(r.Binding.Bytes(), 1)
			b := r.Binding
			_, err := h.Put(from(by), r, now)
			if err == nil && now.Before(term.until) && b.Term < term.number {
				t.Fatalf("term %d is taken while %d is remembered", b.Term, term.number)
			}
			if m := seqs[by.id]; err == nil && now.Before(m.until) && b.Seq < m.number {
				t.Fatalf("seq %d is taken while %d is remembered", b.Seq, m.number)
			}
			if err != nil {
				continue
			}
			until := now.Add(b.Life + HighWater)
			seqs[by.id] = mark{b.Seq, until}
			if b.Term > term.number || !now.Before(term.until) || b.Term == term.number && until.After(term.until) {
				term = mark{b.Term, until}
			}
		}
	})
}

func TestTrueBindingOutlivesFloodsForOtherKeys(t *testing.T) {
	cast := testCast(t, 5)
	owner, flooders := cast[0], cast[1:]
	rapid.Check(t, func(t *rapid.T) {
		h := NewHolder(peer.ID(rapid.StringN(1, 8, 8).Draw(t, "self")), HolderLimits{Bytes: 30 * 1400})
		_, err := h.Put(Deposit{From: owner.id, Group: "honest"}, quick(owner, exclusivePipe(owner), 1, 1, recordEpoch), recordEpoch)
		if err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(30, 200).Draw(t, "flood") {
			by := rapid.SampledFrom(flooders).Draw(t, "flooder")
			adv := ownPipe(by, rapid.IntRange(0, 1<<20).Draw(t, "pipe"))
			group := rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "group")
			_, err := h.Put(Deposit{From: by.id, Group: group}, quick(by, adv, 1, 1, recordEpoch), recordEpoch)
			if err != nil && wire.CodeOf(err) != wire.Limit {
				t.Fatal(err)
			}
		}
		if got := holds(h, exclusivePipe(owner), recordEpoch); len(got) != 1 || got[0] != owner.who {
			t.Fatal("the flood has washed the true binding away")
		}
	})
}
