package buddy

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multihash"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/protocols/wire/vectorfile"
)

var update = flag.Bool("update", false, "write testdata/vectors.json anew")

// principal is made up, of a name.
func principal(t testing.TB, kind identity.Kind, name string) identity.Principal {
	t.Helper()
	sum, err := multihash.Sum([]byte(name), multihash.SHA2_256, -1)
	if err != nil {
		t.Fatal(err)
	}
	b := identity.PeerPrincipal(peer.ID(sum)).Bytes()
	b[0] = byte(kind)
	p, err := identity.PrincipalFromBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func secretOf(t testing.TB) []byte {
	return PresencePipe(principal(t, identity.KindPeer, "presence"), [pipe.SaltSize]byte{1, 2, 3}).Bytes()
}

// said is a message of each kind, and how it is read.
type said struct {
	name  string
	value any
	write func(io.Writer) error
	read  func(io.Reader) (any, error)
}

func all(t testing.TB) []said {
	var list []said
	hello := Hello{Purpose: PurposeRoster, Log: []byte("a log"), Run: Run{1, 2, 3}}
	list = append(list, said{"hello", hello, func(w io.Writer) error { return WriteHello(w, hello) },
		func(r io.Reader) (any, error) { return ReadHello(r) }})
	ask := Ask{Name: "Alice", Note: "it is me", Secret: secretOf(t)}
	list = append(list, said{"ask", ask, func(w io.Writer) error { return WriteAsk(w, ask) },
		func(r io.Reader) (any, error) { return ReadAsk(r) }})
	for name, a := range map[string]Answer{"answer accepted": {Accepted: true, Name: "Bob", Secret: secretOf(t)}, "answer pending": {}} {
		list = append(list, said{name, a, func(w io.Writer) error { return WriteAnswer(w, a) },
			func(r io.Reader) (any, error) { return ReadAnswer(r) }})
	}
	at := time.UnixMilli(1767225600000)
	for name, f := range map[string]Frame{
		"status": Status{Name: "Alice", Text: "at work", Attends: true}, "secret": Secret(secretOf(t)), "log": Log("a log"),
		"ping": Ping{}, "pong": Pong{}, "leave": Leave{},
		"digest":   Digest{Head: identity.Hash{1}, Profile: [32]byte{2}, Current: true},
		"bundle":   Profile{Bundle: []byte("a bundle")},
		"delta":    Profile{Delta: []byte("a delta")},
		"request":  Request{Account: principal(t, identity.KindAccount, "carol"), Ask: ask, Log: []byte("a log"), At: at},
		"declined": Request{Account: principal(t, identity.KindAccount, "carol"), At: at, Declined: true},
	} {
		list = append(list, said{name, f, func(w io.Writer) error { return WriteFrame(w, f) },
			func(r io.Reader) (any, error) { return ReadFrame(r, true) }})
	}
	slices.SortFunc(list, func(a, b said) int { return strings.Compare(a.name, b.name) })
	return list
}

func bytesOf(t testing.TB, s said) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := s.write(&b); err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	return b.Bytes()
}

func TestWhatIsSaidIsReadAsItWas(t *testing.T) {
	for _, s := range all(t) {
		b := bytesOf(t, s)
		got, err := s.read(bytes.NewReader(b))
		if err != nil || !reflect.DeepEqual(got, s.value) {
			t.Errorf("%s came as %+v, %v", s.name, got, err)
		}
		for n := range len(b) {
			if _, err := s.read(bytes.NewReader(b[:n])); err == nil {
				t.Errorf("%s: %d of %d bytes are taken", s.name, n, len(b))
			}
		}
	}
}

// TestMessagesAreThoseOfTheVectors pins the bytes of every message.
func TestMessagesAreThoseOfTheVectors(t *testing.T) {
	is := make(map[string]string)
	for _, s := range all(t) {
		is[s.name] = hex.EncodeToString(bytesOf(t, s))
	}
	if *update {
		raw, err := json.MarshalIndent(is, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("testdata/vectors.json", append(raw, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want := vectorfile.Read[map[string]string](t)
	if !reflect.DeepEqual(is, want) {
		t.Errorf("messages differ from testdata/vectors.json (-update writes them anew): %v", is)
	}
}

func TestWhatNoHonestDeviceSaysIsRefused(t *testing.T) {
	long := strings.Repeat("x", 1000)
	frame := func(f Frame) func() error {
		return func() error {
			var b bytes.Buffer
			if err := WriteFrame(&b, f); err != nil {
				return err
			}
			_, err := ReadFrame(&b, false)
			return err
		}
	}
	foreign := pipe.Advertisement{Type: pipe.TypeUnicast, Owner: principal(t, identity.KindAccount, "a"), Binders: pipe.Many, DialPolicy: pipe.DialOpen, Reliable: true}
	named := PresencePipe(principal(t, identity.KindPeer, "p"), [pipe.SaltSize]byte{1})
	named.Name = "Alice's presence"
	for name, row := range map[string]struct {
		say  func() error
		word wire.Code
	}{
		"a name that clears the screen":  {frame(Status{Name: "\x1b[2J"}), wire.BadRequest},
		"a status that turns text round": {frame(Status{Text: "\u202eabc"}), wire.BadRequest},
		"a status that is not UTF-8": {func() error {
			_, err := ReadFrame(bytes.NewReader([]byte{5, 1<<3 | 2, 3, 2<<3 | 2, 1, 0xff}), false)
			return err
		}, wire.BadRequest},
		"a status of two lines":      {frame(Status{Text: "a\nb"}), wire.BadRequest},
		"a long status":              {frame(Status{Text: long}), wire.TooLarge},
		"a secret of a contact pipe": {frame(Secret(foreign.Bytes())), wire.BadRequest},
		"a secret with a name":       {frame(Secret(named.Bytes())), wire.BadRequest},
		"a secret of nothing":        {frame(Secret(nil)), wire.BadRequest},
		"a secret of 1000 bytes":     {frame(Secret(long)), wire.TooLarge},
		"no log":                     {frame(Log(nil)), wire.TooLarge},
		"a log of 20 KiB":            {frame(Log(strings.Repeat(long, 20))), wire.TooLarge},
		"10 MB":                      {frame(Log(make([]byte, 10<<20))), wire.TooLarge},
		"another account's profile":  {frame(Profile{Delta: []byte("x")}), wire.Forbidden},
		"another account's digest":   {frame(Digest{}), wire.Forbidden},
		"another account's request":  {frame(Request{Account: principal(t, identity.KindAccount, "c")}), wire.Forbidden},
		"an ask with a long note":    {func() error { return Ask{Note: long, Secret: secretOf(t)}.Check() }, wire.TooLarge},
		"an ask without a secret":    {func() error { return Ask{}.Check() }, wire.BadRequest},
		"an answer without a secret": {func() error {
			var b bytes.Buffer
			if err := WriteAnswer(&b, Answer{Accepted: true}); err != nil {
				return err
			}
			_, err := ReadAnswer(&b)
			return err
		}, wire.BadRequest},
		"a hello without a log": {func() error { return helloOf(Hello{Purpose: PurposeChat}) }, wire.BadRequest},
		"a hello for nothing":   {func() error { return helloOf(Hello{Log: []byte("x")}) }, wire.BadRequest},
		"a hello for later":     {func() error { return helloOf(Hello{Log: []byte("x"), Purpose: 5}) }, wire.Unsupported},
		"a hello with a log of 20 KiB": {func() error {
			return helloOf(Hello{Log: make([]byte, 20<<10), Purpose: PurposeChat})
		}, wire.TooLarge},
	} {
		if err := row.say(); wire.CodeOf(err) != row.word {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func helloOf(h Hello) error {
	var b bytes.Buffer
	if err := WriteHello(&b, h); err != nil {
		return err
	}
	_, err := ReadHello(&b)
	return err
}

func TestFrameOfALaterVersionIsSkipped(t *testing.T) {
	// field 9, length-delimited, empty; behind it a ping
	r := bytes.NewReader([]byte{2, 9<<3 | 2, 0, 2, 4<<3 | 2, 0})
	if f, err := ReadFrame(r, false); err != nil || f != nil {
		t.Errorf("%v, %v", f, err)
	}
	if f, err := ReadFrame(r, false); err != nil || f != (Ping{}) {
		t.Errorf("%v, %v", f, err)
	}
}

// FuzzRead has every reader read anything: what it takes is written again and
// read as the same.
func FuzzRead(f *testing.F) {
	for i, s := range all(f) {
		f.Add(uint8(i), bytesOf(f, s))
	}
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		readers := all(t)
		got, err := readers[int(kind)%len(readers)].read(bytes.NewReader(b))
		if err != nil || got == nil {
			return
		}
		var again bytes.Buffer
		switch got := got.(type) {
		case Hello:
			err = WriteHello(&again, got)
		case Ask:
			err = WriteAsk(&again, got)
		case Answer:
			err = WriteAnswer(&again, got)
		case Frame:
			err = WriteFrame(&again, got)
		}
		if err != nil {
			t.Fatalf("%+v was read and cannot be written: %v", got, err)
		}
	})
}
