package identity

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire/vectorfile"
)

var update = flag.Bool("update", false, "write what testdata/vectors.json has of device logs anew")

type logVector struct {
	Name       string         `json:"name"`
	Account    Principal      `json:"account"`
	Entries    []entryVector  `json:"entries"`
	Log        string         `json:"log"`
	Head       string         `json:"head"`
	Devices    []deviceVector `json:"devices"`
	Generation uint64         `json:"generation"`
	Commitment string         `json:"commitment"`
}

type entryVector struct {
	Seed       string         `json:"seed"` // of the signer
	Op         Op             `json:"op"`
	Prev       string         `json:"prev"`
	Device     Principal      `json:"device"`
	Box        string         `json:"box"`
	Devices    []deviceVector `json:"devices,omitempty"`
	Epoch      uint64         `json:"epoch"`
	Generation uint64         `json:"generation"`
	Commitment string         `json:"commitment"`
	At         int64          `json:"at"` // Unix ms
	Body       string         `json:"body"`
	Hash       string         `json:"hash"`
}

type deviceVector struct {
	Device Principal `json:"device"`
	Box    string    `json:"box"`
}

type forkVector struct {
	Name    string `json:"name"`
	Known   string `json:"known"`
	Shown   string `json:"shown"`
	Outcome string `json:"outcome"`
}

// entry reads a vector as it is signed.
func (v entryVector) entry(t *testing.T) (e Entry, prev Hash) {
	t.Helper()
	e = Entry{Op: v.Op, Epoch: v.Epoch, Generation: v.Generation, At: time.UnixMilli(v.At).UTC()}
	e.Device.ID, _ = v.Device.Peer()
	copy(e.Device.Box[:], vectorfile.Bytes(t, v.Box))
	for _, d := range v.Devices {
		id, _ := d.Device.Peer()
		e.Devices = append(e.Devices, Device{ID: id, Box: BoxKey(vectorfile.Bytes(t, d.Box))})
	}
	copy(e.Commitment[:], vectorfile.Bytes(t, v.Commitment))
	copy(prev[:], vectorfile.Bytes(t, v.Prev))
	return e, prev
}

func TestDeviceLogsAreThoseOfTheVectors(t *testing.T) {
	for _, v := range vectorfile.Read[vectors](t).DeviceLogs {
		l := &DeviceLog{}
		for _, step := range v.Entries {
			e, prev := step.entry(t)
			body := e.body(v.Account, prev)
			if hex.EncodeToString(body) != step.Body {
				t.Errorf("%s: body %x", v.Name, body)
			}
			envelope, err := Sign(keyOfSeed(t, step.Seed), DomainDeviceLog, body)
			if err != nil {
				t.Fatal(err)
			}
			if err := l.add(envelope); err != nil || l.Head().String() != step.Hash {
				t.Fatalf("%s: entry %s, %v", v.Name, l.Head(), err)
			}
		}
		if hex.EncodeToString(l.Bytes()) != v.Log {
			t.Errorf("%s: log %x", v.Name, l.Bytes())
		}
		read, err := ParseLog(vectorfile.Bytes(t, v.Log))
		if err != nil {
			t.Fatalf("%s: %v", v.Name, err)
		}
		generation, commitment := read.Generation()
		if read.Account() != v.Account || read.Head().String() != v.Head || !reflect.DeepEqual(deviceVectors(read.Devices()), v.Devices) ||
			generation != v.Generation || hexOf(commitment) != v.Commitment {
			t.Errorf("%s: %s of %s with %v", v.Name, read.Head(), read.Account(), read.Devices())
		}
	}
}

func TestForksAreJudgedAsTheVectorsSay(t *testing.T) {
	for _, v := range vectorfile.Read[vectors](t).Forks {
		known, err := ParseLog(vectorfile.Bytes(t, v.Known))
		if err != nil {
			t.Fatal(err)
		}
		shown, err := ParseLog(vectorfile.Bytes(t, v.Shown))
		if err != nil {
			t.Fatal(err)
		}
		if _, got := Judge(known, shown); got.String() != v.Outcome {
			t.Errorf("%s: %s, want %s", v.Name, got, v.Outcome)
		}
	}
}

// The vectors of device logs come from the keys and entries of these tests, so
// that they are the same in every run.
func TestVectorsOfDeviceLogsAreComplete(t *testing.T) {
	v := vectorfile.Read[vectors](t)
	v.DeviceLogs, v.Forks = nil, nil
	v.Refused = slices.DeleteFunc(v.Refused, func(r refusedVector) bool { return r.What == "device-log" })
	one := extend(t, testLog(t, 2), 2, adds(t, 3))
	one = extend(t, one, 3, testRotation(1), revokes(t, 2), testRotation(2))
	v.DeviceLogs = []logVector{
		logVectorOf(t, "begun", testLog(t, 2)),
		logVectorOf(t, "every operation", one),
		logVectorOf(t, "begun anew by the root", extend(t, one, rootSeed, adds(t, 4))),
	}
	for _, f := range forks(t) {
		v.Forks = append(v.Forks, forkVector{f.name, hex.EncodeToString(f.known.Bytes()), hex.EncodeToString(f.shown.Bytes()), f.want.String()})
	}
	for _, h := range hostileLogs(t) {
		v.Refused = append(v.Refused, refusedVector{h.name, "device-log", hex.EncodeToString(h.log), h.want.String()})
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("testdata/vectors.json", b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(vectorfile.Read[vectors](t), v) {
		t.Error("testdata/vectors.json is not what these tests make: go test -run Vectors -update")
	}
}

func logVectorOf(t *testing.T, name string, l *DeviceLog) logVector {
	t.Helper()
	generation, commitment := l.Generation()
	v := logVector{
		Name: name, Account: l.Account(), Log: hex.EncodeToString(l.Bytes()), Head: l.Head().String(),
		Devices: deviceVectors(l.Devices()), Generation: generation, Commitment: hexOf(commitment),
	}
	for _, e := range l.entries {
		seed := byte(rootSeed)
		for n := byte(2); n < 9; n++ {
			if e.Author == testPeer(t, n) {
				seed = n
			}
		}
		v.Entries = append(v.Entries, entryVector{
			Seed: hex.EncodeToString(bytes.Repeat([]byte{seed}, 32)), Op: e.Op, Prev: hexOf(e.prev), Device: PeerPrincipal(e.Device.ID),
			Box: hexOf(e.Device.Box), Devices: deviceVectors(e.Devices), Epoch: e.Epoch, Generation: e.Generation,
			Commitment: hexOf(e.Commitment), At: e.At.UnixMilli(), Body: hex.EncodeToString(e.body(l.account, e.prev)), Hash: e.Hash.String(),
		})
	}
	return v
}

func deviceVectors(devices []Device) []deviceVector {
	var out []deviceVector
	for _, d := range devices {
		out = append(out, deviceVector{PeerPrincipal(d.ID), hexOf(d.Box)})
	}
	return out
}

// hexOf returns "" for zeros, which stand for an absent field.
func hexOf[T ~[32]byte](v T) string { return hex.EncodeToString(unlessZero(v)) }
