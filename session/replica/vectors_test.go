package replica

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/protocols/wire/vectorfile"
)

var rewrite = flag.Bool("rewrite", false, "write the hex of testdata/vectors.json anew")

// vectors is testdata/vectors.json, whose bytes are hexadecimal.
type vectors struct {
	Frames  []frameVector
	Refused []refusedVector
	Marks   []markVector
}

// frameVector is a frame; fields that its type does not have are left out.
type frameVector struct {
	Name     string
	Type     uint8
	Version  uint8  `json:",omitempty"`
	Features uint64 `json:",omitempty"`
	Log      string `json:",omitempty"`
	Account  string `json:",omitempty"`
	Number   uint64 `json:",omitempty"`
	Device   string `json:",omitempty"`
	Epoch    uint64 `json:",omitempty"`
	Low      uint64 `json:",omitempty"`
	High     uint64 `json:",omitempty"`
	Tag      string `json:",omitempty"`
	Counter  uint64 `json:",omitempty"`
	ID       string `json:",omitempty"`
	Kind     uint8  `json:",omitempty"`
	Sent     uint64 `json:",omitempty"`
	Body     string `json:",omitempty"`
	Code     string `json:",omitempty"`
	Reason   string `json:",omitempty"`
	Hex      string
}

type refusedVector struct{ Name, Word, Hex string }

type markVector struct {
	Name, Device   string
	Epoch, Counter uint64
	Hex            string
}

func principal(t testing.TB, text string) (p identity.Principal) {
	t.Helper()
	if err := p.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return p
}

func (v *frameVector) frame(t testing.TB) frame {
	f := frame{
		typ: frameType(v.Type), version: v.Version, features: v.Features, log: vectorfile.Bytes(t, v.Log), with: principal(t, v.Account), number: v.Number,
		author: Author{Device: principal(t, v.Device), Epoch: v.Epoch}, run: Run{Low: v.Low, High: v.High}, reason: v.Reason,
		entry: Entry{Counter: v.Counter, Kind: Kind(v.Kind), Sent: v.Sent, Body: vectorfile.Bytes(t, v.Body)},
	}
	copy(f.run.Tag[:], vectorfile.Bytes(t, v.Tag))
	copy(f.entry.ID[:], vectorfile.Bytes(t, v.ID))
	if v.Code != "" {
		f.code, _ = wire.ParseCode(v.Code)
	}
	return f
}

func TestVectors(t *testing.T) {
	all := vectorfile.Read[vectors](t)
	for i := range all.Frames {
		v := &all.Frames[i]
		f := v.frame(t)
		got := f.append(nil)
		if *rewrite {
			v.Hex = hex.EncodeToString(got)
		}
		if want := vectorfile.Bytes(t, v.Hex); !bytes.Equal(got, want) {
			t.Errorf("%s: %x, want %x", v.Name, got, want)
		}
		parsed, n, err := parseFrame(append(got, 0xff))
		if err != nil || n != len(got) || !bytes.Equal(parsed.append(nil), got) {
			t.Errorf("%s: parsed %+v, %d of %d bytes, %v", v.Name, parsed, n, len(got), err)
		}
		for cut := range got {
			if _, n, err := parseFrame(got[:cut]); n != 0 && err == nil {
				t.Errorf("%s: %d of %d bytes are taken for a frame", v.Name, cut, len(got))
			}
		}
	}
	for _, v := range all.Refused {
		if _, _, err := parseFrame(vectorfile.Bytes(t, v.Hex)); wire.CodeOf(err).String() != v.Word {
			t.Errorf("%s: %v, want %s", v.Name, err, v.Word)
		}
	}
	for i := range all.Marks {
		v := &all.Marks[i]
		m := Mark{Author: Author{Device: principal(t, v.Device), Epoch: v.Epoch}, Counter: v.Counter}
		b := AppendMarks(nil, []Mark{m})
		if *rewrite {
			v.Hex = hex.EncodeToString(b)
		}
		if got, err := ParseMarks(vectorfile.Bytes(t, v.Hex)); err != nil || len(got) != 1 || got[0] != m {
			t.Errorf("%s: %+v, %v", v.Name, got, err)
		}
		for cut := range b {
			if _, err := ParseMarks(b[:cut]); err == nil {
				t.Errorf("%s: %d of %d bytes are taken for marks", v.Name, cut, len(b))
			}
		}
	}
	if *rewrite {
		raw, err := json.MarshalIndent(all, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("testdata/vectors.json", append(raw, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func FuzzFrame(f *testing.F) {
	for _, v := range vectorfile.Read[vectors](f).Frames {
		f.Add(vectorfile.Bytes(f, v.Hex))
	}
	for _, v := range vectorfile.Read[vectors](f).Refused {
		f.Add(vectorfile.Bytes(f, v.Hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		parsed, n, err := parseFrame(b)
		if err != nil || n == 0 || parsed.typ >= skipFrom || parsed.typ == frameHello || parsed.typ == frameReady || parsed.typ == frameBye {
			return // with what may come later
		}
		if again := parsed.append(nil); !bytes.Equal(again, b[:n]) {
			t.Errorf("%x is read as what is written %x", b[:n], again)
		}
	})
}

// FuzzMachine: nothing that arrives makes the machine panic, or hold what is not
// in order.
func FuzzMachine(f *testing.F) {
	var all []byte
	for _, v := range vectorfile.Read[vectors](f).Frames {
		all = append(all, vectorfile.Bytes(f, v.Hex)...)
	}
	f.Add(all, true)
	f.Add(all, false)
	f.Fuzz(func(t *testing.T, b []byte, own bool) {
		j := newJournal(device(t, "self"), 1)
		bob := account(t, "bob")
		j.write(bob, Text, "hello")
		yes := func(identity.Principal) bool { return true }
		x, _ := join(j, newJournal(device(t, "far"), 2), Config{Self: j.self, Own: own, With: bob, Ours: yes, Theirs: yes}, Config{Own: true})
		x.in = b
		for range 100 {
			taken, err := x.take(func(k Key) { x.Mine(k, j.logs[k].Run()) })
			if x.send(); err != nil || !taken {
				break
			}
		}
		for key, l := range j.logs {
			if n := uint64(len(j.entries[key])); n != l.High+1-l.Low {
				t.Errorf("%d entries in %d to %d", n, l.Low, l.High)
			}
		}
	})
}
