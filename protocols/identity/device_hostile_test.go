package identity

import (
	"bytes"
	"slices"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// hostileLog is what no reader may take, and the word it says.
type hostileLog struct {
	name string
	log  []byte
	want wire.Code
}

// hostileLogs are well signed, each by whoever could have signed it.
func hostileLogs(t testing.TB) []hostileLog {
	t.Helper()
	l := testLog(t, 2, 3)
	account, other := l.account, testAccount(t, 9)
	plain := func(e Entry) []byte { return e.body(account, l.Head()) }
	begin := func(e Entry) []byte { e.Epoch = 7; return e.body(account, Hash{}) }
	field := func(body []byte, num uint64, v []byte) []byte {
		var b wire.Builder
		return append(bytes.Clone(body), b.Bytes(num, v).Build()...)
	}
	timeless := plain(Entry{Op: OpRevoke, Device: Device{ID: testDevice(t, 3).ID}})
	root, two := testKey(t, rootSeed), testKey(t, 2)
	box31 := new(wire.Builder).Bytes(devAccount, account.Bytes()).Uint(devOp, uint64(OpAdd)).Bytes(devPrev, unlessZero(l.Head())).
		Bytes(devDevice, testPeer(t, 4).Bytes()).Bytes(devBox, bytes.Repeat([]byte{1}, 31)).Build()
	listOf := func(item []byte) []byte {
		return new(wire.Builder).Bytes(devAccount, account.Bytes()).Uint(devOp, uint64(OpBegin)).
			List(devDevices, [][]byte{item}).Uint(devEpoch, 7).Build()
	}
	boxed := new(wire.Builder).Bytes(itemDevice, account.Bytes()).Bytes(itemBox, bytes.Repeat([]byte{1}, 32)).Build()
	gone := extend(t, l, 2, revokes(t, 3))
	return []hostileLog{
		{"signed by a stranger", forge(t, l, testKey(t, 4), plain(adds(t, 4))), wire.BadRequest},
		{"signed by a revoked device", forge(t, gone, testKey(t, 3), adds(t, 4).body(account, gone.Head())), wire.BadRequest},
		{"revoked by a device it has revoked", forge(t, gone, testKey(t, 3), revokes(t, 2).body(account, gone.Head())), wire.BadRequest},
		{"signed by the root, not a begin", forge(t, l, root, plain(adds(t, 4))), wire.BadRequest},
		{"a begin in the middle", forge(t, l, root, begins(t, 2).withEpoch(1<<40).body(account, l.Head())), wire.BadRequest},
		{"no begin first", forge(t, nil, two, adds(t, 4).body(account, Hash{})), wire.BadRequest},
		{"a begin signed by a device", forge(t, nil, two, begin(begins(t, 2))), wire.BadRequest},
		{"a begin without an epoch", forge(t, nil, root, begins(t, 2).body(account, Hash{})), wire.BadRequest},
		{"a begin with a device", forge(t, nil, root, begin(Entry{Op: OpBegin, Device: testDevice(t, 4)})), wire.BadRequest},
		{"a device named twice", forge(t, nil, root, begin(begins(t, 2, 3, 2))), wire.BadRequest},
		{"an account named as a device", forge(t, nil, root, listOf(boxed)), wire.BadRequest},
		{"a device named without a box key", forge(t, nil, root, listOf(new(wire.Builder).Bytes(itemDevice, testPeer(t, 2).Bytes()).Build())), wire.BadRequest},
		{"a device named with an unknown field", forge(t, nil, root, listOf(field(listed(begins(t, 2).Devices)[0], 3, []byte{1}))), wire.Unsupported},
		{"33 devices named", forge(t, nil, root, begin(manyDevices(t, MaxDevices+1))), wire.TooLarge},
		{"the root as a device", forge(t, l, two, plain(adds(t, rootSeed))), wire.BadRequest},
		{"of another account", forge(t, l, two, adds(t, 4).body(other, l.Head())), wire.BadRequest},
		{"of a node", forge(t, l, two, adds(t, 4).body(testPeer(t, rootSeed), l.Head())), wire.BadRequest},
		{"not on the entry before", forge(t, l, two, adds(t, 4).body(account, l.begin().Hash)), wire.BadRequest},
		{"on nothing", forge(t, l, two, adds(t, 4).body(account, Hash{})), wire.BadRequest},
		{"a box key of 31 bytes", forge(t, l, two, box31), wire.BadRequest},
		{"a box key of zeros", forge(t, l, two, field(timeless, devBox, make([]byte, 32))), wire.BadRequest},
		{"a valid device added", forge(t, l, two, plain(adds(t, 3))), wire.BadRequest},
		{"a stranger revoked", forge(t, l, two, plain(revokes(t, 4))), wire.BadRequest},
		{"generation 2 first", forge(t, l, two, plain(testRotation(2))), wire.BadRequest},
		{"unknown operation", forge(t, l, two, plain(Entry{Op: 5})), wire.Unsupported},
		{"unknown critical field", forge(t, l, two, field(plain(adds(t, 4)), 11, []byte{1})), wire.Unsupported},
		{"a field twice", forge(t, l, two, field(timeless, devDevice, testPeer(t, 3).Bytes())), wire.BadRequest},
		{"bytes after an entry", forge(t, l, two, append(plain(adds(t, 4)), 0)), wire.BadRequest},
		{"bytes after the log", append(l.Bytes(), 0), wire.BadRequest},
		{"an unsigned field of the log", field(l.Bytes(), 2, []byte{1}), wire.BadRequest},
		{"an unsigned uncritical field of the log", field(l.Bytes(), wire.CriticalBelow, []byte{1}), wire.BadRequest},
		{"nothing", nil, wire.BadRequest},
	}
}

func (e Entry) withEpoch(n uint64) Entry {
	e.Epoch = n
	return e
}

func manyDevices(t testing.TB, n int) Entry {
	t.Helper()
	var seeds []byte
	for i := range n {
		seeds = append(seeds, byte(10+i))
	}
	return begins(t, seeds...)
}

func TestHostileLogsAreRefused(t *testing.T) {
	for _, v := range hostileLogs(t) {
		_, err := ParseLog(v.log)
		wantCode(t, v.name, err, v.want)
	}
}

func TestLogsOfUnusualSizeAreRefused(t *testing.T) {
	_, err := ParseLog(make([]byte, MaxDeviceLog+1))
	wantCode(t, "a byte too many", err, wire.TooLarge)
	l := fill(t, testLog(t, 2), 2, rotating)
	_, err = ParseLog(forge(t, l, testKey(t, 2), adds(t, 3).body(l.account, l.Head())))
	wantCode(t, "an add in the room of revocations", err, wire.TooLarge)
	_, err = ParseLog(forge(t, l, testKey(t, 2), revokes(t, 2).body(l.account, l.Head())))
	wantCode(t, "a revocation there", err, wire.OK)
}

func TestEveryTruncatedLogIsRefused(t *testing.T) {
	log := testLog(t, 2, 3).Bytes()
	for n := range log {
		_, err := ParseLog(log[:n])
		wantCode(t, "log", err, wire.BadRequest)
	}
	body := adds(t, 3).body(testAccount(t, rootSeed), Hash{1})
	for n := range len(body) - 8 { // the last field, its time, may be missing
		if _, _, _, err := parseEntry(body[:n]); wire.CodeOf(err) != wire.BadRequest {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestEntriesCannotBeLeftOutOrMoved(t *testing.T) {
	l := extend(t, testLog(t, 2, 3), 2, adds(t, 4), revokes(t, 3), testRotation(1))
	for i := range l.entries {
		for name, order := range map[string][]logEntry{
			"left out": slices.Delete(slices.Clone(l.entries), i, i+1),
			"moved":    append(slices.Delete(slices.Clone(l.entries), i, i+1), l.entries[i]),
			"doubled":  slices.Insert(slices.Clone(l.entries), i, l.entries[i]),
		} {
			bad := &DeviceLog{entries: order}
			if slices.EqualFunc(order, l.entries[:len(order)], func(a, b logEntry) bool { return a.Hash == b.Hash }) && len(order) <= l.Len() {
				continue // only the end is missing, or nothing has moved
			}
			_, err := ParseLog(bad.Bytes())
			wantCode(t, name, err, wire.BadRequest)
		}
	}
}

// The same body signed by two devices is two entries: who signed decides forks.
func TestEntriesOfTwoSignersDiffer(t *testing.T) {
	l := testLog(t, 2, 3, 4)
	a, b := extend(t, l, 2, revokes(t, 4)), extend(t, l, 3, revokes(t, 4))
	if a.Head() == b.Head() {
		t.Fatal("one hash")
	}
	wantJudge(t, "the senior's", b, a, LogBeats)
}

// A scheme whose signatures differ each time does not make another entry.
func TestSignatureIsNoPartOfAnEntrysName(t *testing.T) {
	l := testLog(t, 2)
	key := everyKey(t)["ecdsa"]
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	l = extend(t, l, 2, Entry{Op: OpAdd, Device: Device{ID: id, Box: BoxKey{1}}})
	a, err := l.Append(key, revokes(t, 2))
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Append(key, revokes(t, 2))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Fatal("signatures are the same")
	}
	wantJudge(t, "signed twice", a, b, LogSame)
}

func FuzzParseLog(f *testing.F) {
	f.Add(testLog(f, 2, 3).Bytes())
	f.Add(extend(f, testLog(f, 2, 3), 3, testRotation(1), revokes(f, 2)).Bytes())
	for _, v := range hostileLogs(f) {
		f.Add(v.log)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		l, err := ParseLog(raw)
		if err != nil {
			wantRefusal(t, err)
			return
		}
		if !bytes.Equal(l.Bytes(), raw) {
			t.Fatalf("%x is written again as %x", raw, l.Bytes())
		}
	})
}

// FuzzParseEntry takes bodies, since no fuzzer finds a signature: what is read
// is written again the same, but for uncritical fields that it ignores.
func FuzzParseEntry(f *testing.F) {
	for _, e := range []Entry{adds(f, 3), revokes(f, 3), testRotation(1), begins(f, 2, 3).withEpoch(5)} {
		f.Add(e.body(testAccount(f, rootSeed), Hash{1}))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, account, prev, err := parseEntry(raw)
		if err != nil {
			wantRefusal(t, err)
			return
		}
		if !bytes.HasPrefix(raw, e.body(account, prev)) {
			t.Fatalf("%x is written again as %x", raw, e.body(account, prev))
		}
	})
}

func wantRefusal(t *testing.T, err error) {
	t.Helper()
	switch wire.CodeOf(err) {
	case wire.BadRequest, wire.TooLarge, wire.Unsupported:
	default:
		t.Fatalf("unexpected %v", err)
	}
}
