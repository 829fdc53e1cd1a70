package identity

import (
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// rootSeed is the root key of the account of these tests; other seeds are
// devices.
const rootSeed = 1

func testDevice(t testing.TB, n byte) Device {
	t.Helper()
	id, err := peer.IDFromPrivateKey(testKey(t, n))
	if err != nil {
		t.Fatal(err)
	}
	return Device{ID: id, Box: BoxKey{n, n}}
}

func testRotation(n uint64) Entry {
	return Entry{Op: OpRotate, Generation: n, Commitment: Hash{byte(n), 1}, At: testTime}
}

func adds(t testing.TB, n byte) Entry {
	t.Helper()
	return Entry{Op: OpAdd, Device: testDevice(t, n), At: testTime}
}

func revokes(t testing.TB, n byte) Entry {
	t.Helper()
	return Entry{Op: OpRevoke, Device: Device{ID: testDevice(t, n).ID}, At: testTime}
}

func begins(t testing.TB, devices ...byte) Entry {
	t.Helper()
	e := Entry{Op: OpBegin, At: testTime}
	for _, n := range devices {
		e.Devices = append(e.Devices, testDevice(t, n))
	}
	return e
}

// testLog returns a log of these devices, the most senior first.
func testLog(t testing.TB, devices ...byte) *DeviceLog {
	t.Helper()
	l, err := NewLog(testKey(t, rootSeed), testDevice(t, devices[0]), testTime)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range devices[1:] {
		l = extend(t, l, devices[0], adds(t, n))
	}
	return l
}

// extend appends what the key of a seed signs.
func extend(t testing.TB, l *DeviceLog, signer byte, entries ...Entry) *DeviceLog {
	t.Helper()
	for _, e := range entries {
		next, err := l.Append(testKey(t, signer), e)
		if err != nil {
			t.Fatalf("%s by %d: %v", e.Op, signer, err)
		}
		l = next
	}
	return l
}

// forge returns the bytes of l and one more entry of whatever content.
func forge(t testing.TB, l *DeviceLog, key crypto.PrivKey, body []byte) []byte {
	t.Helper()
	envelope, err := Sign(key, DomainDeviceLog, body)
	if err != nil {
		t.Fatal(err)
	}
	var envelopes [][]byte
	if l != nil {
		for _, e := range l.entries {
			envelopes = append(envelopes, e.envelope)
		}
	}
	var b wire.Builder
	return b.List(logEntries, append(envelopes, envelope)).Build()
}
