package cpace

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	ristretto "github.com/bwesterb/go-ristretto"
	"pgregory.net/rapid"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// octets is hexadecimal in JSON.
type octets []byte

func (o *octets) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	*o = b
	return err
}

type vectors struct {
	Source                   string `json:"source"`
	Secret, Channel, Session octets
	GeneratorString          octets   `json:"generator_string"`
	Generator                octets   `json:"generator"`
	AData                    octets   `json:"a_data"`
	AScalar                  octets   `json:"a_scalar"`
	AShare                   octets   `json:"a_share"`
	BData                    octets   `json:"b_data"`
	BScalar                  octets   `json:"b_scalar"`
	BShare                   octets   `json:"b_share"`
	Key                      octets   `json:"key"`
	BadShares                []octets `json:"bad_shares"`
}

func readVectors(t *testing.T) vectors {
	t.Helper()
	raw, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	var v vectors
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func (v vectors) input() Input {
	return Input{Secret: v.Secret, Channel: v.Channel, Session: v.Session}
}

func (v vectors) run(scalar octets) *Run {
	var s ristretto.Scalar
	s.SetBytes((*[32]byte)(scalar))
	return start(v.input(), s)
}

func TestRunsAreThoseOfTheDraft(t *testing.T) {
	v := readVectors(t)
	if got := generatorString(v.input()); !bytes.Equal(got, v.GeneratorString) {
		t.Errorf("generator string %x", got)
	}
	var g ristretto.Point
	if got := g.DeriveDalek(v.GeneratorString).Bytes(); !bytes.Equal(got, v.Generator) {
		t.Errorf("generator %x", got)
	}
	a, b := v.run(v.AScalar), v.run(v.BScalar)
	ya, yb := a.Share(), b.Share()
	if !bytes.Equal(ya[:], v.AShare) || !bytes.Equal(yb[:], v.BShare) {
		t.Errorf("shares %x %x", ya, yb)
	}
	ka, errA := a.Initiator(v.AData, yb, v.BData)
	kb, errB := b.Responder(v.BData, ya, v.AData)
	if errA != nil || errB != nil || !bytes.Equal(ka[:], v.Key) || ka != kb {
		t.Errorf("keys %x %x, %v %v", ka, kb, errA, errB)
	}
}

func TestBadSharesEndTheRun(t *testing.T) {
	v := readVectors(t)
	for _, share := range v.BadShares {
		if _, err := v.run(v.AScalar).Initiator(nil, [ShareSize]byte(share), nil); wire.CodeOf(err) != wire.BadRequest {
			t.Errorf("%x: %v", []byte(share), err)
		}
	}
}

// TestKeysAreEqualOnlyIfEverythingIs: the secret, the channel, the session and
// what was said in clear.
func TestKeysAreEqualOnlyIfEverythingIs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) []byte { return rapid.SliceOfN(rapid.ByteRange(0, 1), 0, 3).Draw(t, label) }
		in := func(label string) Input {
			return Input{Secret: draw(label + "secret"), Channel: draw(label + "channel"), Session: draw(label + "session")}
		}
		inA, inB := in("a"), in("b")
		seed := func(label string) *bytes.Reader {
			return bytes.NewReader(rapid.SliceOfN(rapid.Byte(), scalarSize, scalarSize).Draw(t, label))
		}
		a, errA := Start(inA, seed("scalar a"))
		b, errB := Start(inB, seed("scalar b"))
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		sentA, sentB, heardA := draw("said by a"), draw("said by b"), draw("heard of a")
		ka, errA := a.Initiator(sentA, b.Share(), sentB)
		kb, errB := b.Responder(sentB, a.Share(), heardA)
		if errA != nil || errB != nil {
			return // the scalar zero, which rapid finds
		}
		alike := bytes.Equal(inA.Secret, inB.Secret) && bytes.Equal(inA.Channel, inB.Channel) &&
			bytes.Equal(inA.Session, inB.Session) && bytes.Equal(sentA, heardA)
		if alike != (ka == kb) {
			t.Fatalf("alike %v, equal keys %v", alike, ka == kb)
		}
	})
}

func TestStartNeedsRandomness(t *testing.T) {
	if _, err := Start(Input{}, bytes.NewReader(nil)); wire.CodeOf(err) != wire.Internal {
		t.Errorf("got %v", err)
	}
}
