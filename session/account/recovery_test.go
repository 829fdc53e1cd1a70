package account

import (
	"bytes"
	"strings"
	"testing"

	"filippo.io/age/armor"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

const (
	testPassphrase = "correct horse"
	testWork       = 2 // scrypt that takes no time
)

func exported(t *testing.T, r Recovery) []byte {
	t.Helper()
	file, err := r.export(testPassphrase, testWork)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func testRecovery(t *testing.T) (Account, Recovery) {
	t.Helper()
	a, root := newAccount(t)
	r, err := a.Recovery(root, testTime)
	if err != nil {
		t.Fatal(err)
	}
	return a, r
}

func TestRecoveryFilesComeBack(t *testing.T) {
	_, r := testRecovery(t)
	file := exported(t, r)
	crlf := bytes.ReplaceAll(file, []byte("\n"), []byte("\r\n"))
	_, bare, _ := bytes.Cut(file, []byte(armor.Header))
	for name, f := range map[string][]byte{
		"as written": file, "with the line ends of Windows": crlf, "with words behind": append(bytes.Clone(file), "\nkeep safe\n"...),
		"age's part alone": append([]byte(armor.Header), bare...),
	} {
		got, err := Import(f, testPassphrase)
		if err != nil || !got.Root.Equals(r.Root) || got.Log.Head() != r.Log.Head() || !got.Profile.Equal(r.Profile) || !got.At.Equal(testTime) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if _, err := r.Export("short"); wire.CodeOf(err) != wire.BadRequest {
		t.Errorf("short passphrase: %v", err)
	}
}

// TestDamageAndAWrongPassphraseAreToldApart, in words.
func TestDamageAndAWrongPassphraseAreToldApart(t *testing.T) {
	_, r := testRecovery(t)
	file := exported(t, r)
	start := bytes.Index(file, []byte(armor.Header))
	for _, c := range []struct {
		name, passphrase string
		file             []byte
		want             wire.Code
		says             string
	}{
		{"wrong passphrase", "wrong horse", file, wire.Forbidden, "wrong passphrase"},
		{"no passphrase", "", file, wire.Forbidden, "wrong passphrase"},
		{"wrong, and no checksum", "wrong horse", file[start:], wire.Forbidden, "either it is wrong"},
		{"another file", testPassphrase, []byte("shopping list"), wire.BadRequest, "not a recovery file"},
		{"empty", testPassphrase, nil, wire.BadRequest, "not a recovery file"},
		{"cut off", testPassphrase, file[:len(file)-60], wire.BadRequest, "end is missing"},
		{"huge", testPassphrase, make([]byte, MaxRecoveryFile+1), wire.TooLarge, "at most"},
	} {
		_, err := Import(c.file, c.passphrase)
		if wire.CodeOf(err) != c.want || err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v (%v), want %v and %q", c.name, err, wire.CodeOf(err), c.want, c.says)
		}
	}
	for i := start + len(armor.Header) + 1; i < len(file)-len(armor.Footer)-2; i++ {
		bad := bytes.Clone(file)
		if bad[i] == '\n' {
			continue
		}
		bad[i] ^= 1
		for _, passphrase := range []string{testPassphrase, "wrong horse"} {
			if _, err := Import(bad, passphrase); wire.CodeOf(err) != wire.BadRequest || !strings.Contains(err.Error(), "damaged") {
				t.Fatalf("byte %d: %v", i, err)
			}
		}
	}
}

func TestRecoveryBeatsAThief(t *testing.T) {
	a, r := testRecovery(t)
	laptop, thief := linked(t, a, 1, 2)
	// The thief throws the owner out, and takes friends in.
	thief, err := thief.Revoke(testAct(t, 2), laptop.Me())
	if err != nil {
		t.Fatal(err)
	}
	thief, _ = linked(t, thief, 2, 3)
	back, err := r.Restore(Restored{Act: testAct(t, 4), Box: testBox(t), Latest: thief.Log(), Alone: true, Name: "new laptop"})
	if err != nil {
		t.Fatal(err)
	}
	if !back.Current() || len(back.Log().Devices()) != 1 || back.Profile().DeviceName(back.Me()) != "new laptop" || back.Profile().Name() != "Alice" {
		t.Errorf("%v, %+v", back.Log().Devices(), back.Profile())
	}
	for _, known := range []*identity.DeviceLog{a.Log(), laptop.Log(), thief.Log()} {
		if winner, _ := identity.Judge(known, back.Log()); winner.Head() != back.Log().Head() {
			t.Error("somebody keeps another log")
		}
		if winner, _ := identity.Judge(back.Log(), known); winner.Head() != back.Log().Head() {
			t.Error("the owner takes another log")
		}
	}
	out, _, err := thief.Adopt(testAct(t, 2), back.Log())
	if err != nil || !out.Revoked() {
		t.Errorf("the thief is in: %v", err)
	}
}

func TestRestoreKeepsTheOtherDevices(t *testing.T) {
	a, r := testRecovery(t)
	laptop, phone := linked(t, a, 1, 2)
	back, err := r.Restore(Restored{Act: testAct(t, 4), Box: testBox(t), Latest: laptop.Log()})
	if err != nil || !back.Log().Valid(phone.Me()) || !back.Log().Valid(laptop.Me()) {
		t.Fatal(err)
	}
	bundle, err := back.Bundle(testAct(t, 4))
	if err != nil {
		t.Fatal(err)
	}
	if phone, err = phone.Take(testAct(t, 2), bundle, 0); err != nil || !phone.Current() || phone.Profile().DeviceName(phone.Me()) != "phone" {
		t.Errorf("the phone: %v", err)
	}
	foreign, err := New(testKey(t, 98), testAct(t, 1), testBox(t))
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.Restore(Restored{Act: testAct(t, 4), Box: testBox(t), Latest: foreign.Log()})
	wantCode(t, "another account's log", err, wire.Forbidden)
	_, err = a.Recovery(testKey(t, 98), testTime)
	wantCode(t, "another account's root", err, wire.Forbidden)
}

// FuzzRecovery: neither the text round age's part nor what was in it crashes.
func FuzzRecovery(f *testing.F) {
	_, root := newAccount(f)
	a, _ := newAccount(f)
	r, err := a.Recovery(root, testTime)
	if err != nil {
		f.Fatal(err)
	}
	plain, err := r.bytes()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(plain)
	f.Add([]byte(recoveryWords + checksumWord + "00\n" + armor.Header + "\nYWdl\n" + armor.Footer))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if got, err := parseRecovery(raw); err == nil {
			if again, err := got.bytes(); err != nil || len(again) == 0 {
				t.Fatalf("%v", err)
			}
		}
		if body, _, err := recoveryBody(raw); err == nil && (!bytes.HasPrefix(body, []byte(armor.Header)) || !bytes.HasSuffix(body, []byte(armor.Footer))) {
			t.Fatalf("%q", body)
		}
	})
}

func TestAnOldRecoveryFileTakesNobodyAlong(t *testing.T) {
	a, _ := newAccount(t)
	laptop, phone := linked(t, a, 1, 2)
	r, err := laptop.Recovery(testKey(t, 99), testTime)
	if err != nil {
		t.Fatal(err)
	}
	// The phone was stolen, and revoked, after the export.
	back, err := r.Restore(Restored{Act: testAct(t, 4), Box: testBox(t)})
	if err != nil || back.Log().Valid(phone.Me()) || back.Log().Valid(laptop.Me()) {
		t.Errorf("%v: %v", err, back.Log().Devices())
	}
	r.Root = testKey(t, 98)
	_, err = Import(exported(t, r), testPassphrase)
	wantCode(t, "another account's root key in the file", err, wire.BadRequest)
}
