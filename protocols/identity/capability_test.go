package identity

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestCapabilityComesBackAsSigned(t *testing.T) {
	for name, key := range everyKey(t) {
		id, err := peer.IDFromPrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		want := testCapability(t)
		want.Issuer = PeerPrincipal(id)
		envelope := sign(t, want, key)
		if got, err := OpenCapability(envelope); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		again, got, err := ParseCapability(FormatCapability(envelope))
		if err != nil || !bytes.Equal(again, envelope) || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: by text: %+v, %v", name, got, err)
		}
	}
}

func TestCapabilityTimesHaveMillisecondsInUTC(t *testing.T) {
	c := testCapability(t)
	c.NotBefore = time.Time{}
	c.Expiry = testTime.Add(999 * time.Microsecond).In(time.FixedZone("", 3600))
	got, err := OpenCapability(sign(t, c, testKey(t, 1)))
	if err != nil || !got.NotBefore.IsZero() || !reflect.DeepEqual(got.Expiry, testTime) {
		t.Errorf("%v to %v, %v", got.NotBefore, got.Expiry, err)
	}
}

func TestCapabilitySharesNoMemoryWithItsEnvelope(t *testing.T) {
	envelope := sign(t, testCapability(t), testKey(t, 1))
	c, err := OpenCapability(envelope)
	if err != nil {
		t.Fatal(err)
	}
	clear(envelope)
	if !reflect.DeepEqual(c, testCapability(t)) {
		t.Error("capability changed with its envelope")
	}
}

func TestCapabilitySignedByAnotherIsRefused(t *testing.T) {
	c := testCapability(t)
	_, err := c.Sign(testKey(t, 2))
	wantCode(t, "signing for another", err, wire.BadRequest)
	_, err = c.Sign(nil)
	wantCode(t, "signing without a key", err, wire.BadRequest)
	forged, err := Sign(testKey(t, 2), DomainCapability, c.body())
	if err != nil {
		t.Fatal(err)
	}
	_, err = OpenCapability(forged)
	wantCode(t, "forged", err, wire.BadRequest)
	if !strings.Contains(err.Error(), "did not sign it") {
		t.Errorf("%v", err)
	}
}

func TestCapabilityOfAnAccountIsSignedByADeviceOfItsProof(t *testing.T) {
	l := extend(t, testLog(t, 2, 3), 2, revokes(t, 3))
	c := testCapability(t)
	c.Issuer, c.Proof = l.Account(), l.Bytes()
	_, got, err := ParseCapability(FormatCapability(sign(t, c, testKey(t, 2))))
	if err != nil || got.Device != testDevice(t, 2).ID || got.Log.Head() != l.Head() {
		t.Fatalf("signed by %s, %v", got.Device, err)
	}
	// Who knows a later log asks that.
	if winner, _ := Judge(extend(t, l, 2, revokes(t, 2)), got.Log); winner.Valid(got.Device) {
		t.Error("a device that has left is valid")
	}
	// What was opened may be signed again.
	if again := sign(t, got, testKey(t, 2)); !bytes.Equal(again, sign(t, c, testKey(t, 2))) {
		t.Errorf("%x", again)
	}
}

func TestCapabilityOfAnAccountNeedsItsProof(t *testing.T) {
	l := extend(t, testLog(t, 2, 3), 2, revokes(t, 3))
	for name, v := range map[string]struct {
		proof  []byte
		signer byte
		want   wire.Code
	}{
		"signed by the root":           {l.Bytes(), rootSeed, wire.BadRequest},
		"signed by a revoked device":   {l.Bytes(), 3, wire.BadRequest},
		"signed by a stranger":         {l.Bytes(), 4, wire.BadRequest},
		"without a proof":              {nil, 2, wire.BadRequest},
		"without a proof, by the root": {nil, rootSeed, wire.BadRequest},
		"the proof of another account": {otherAccount(t).Bytes(), 2, wire.BadRequest},
		"no log":                       {[]byte("log"), 2, wire.BadRequest},
		"a log of a later version":     {forge(t, l, testKey(t, 2), Entry{Op: 5}.body(l.Account(), l.Head())), 2, wire.Unsupported},
		"a long proof":                 {make([]byte, MaxProof+1), 2, wire.TooLarge},
	} {
		c := testCapability(t)
		c.Issuer, c.Proof = l.Account(), v.proof
		_, err := c.Sign(testKey(t, v.signer))
		wantCode(t, name+", signing", err, v.want)
		envelope, err := Sign(testKey(t, v.signer), DomainCapability, c.body())
		if err != nil {
			t.Fatal(err)
		}
		_, err = OpenCapability(envelope)
		wantCode(t, name+", opening", err, v.want)
	}
	c := testCapability(t)
	c.Proof = l.Bytes()
	_, err := parseCapability(c.body())
	wantCode(t, "a proof of a node", err, wire.BadRequest)
}

func TestImpossibleCapabilitiesAreNeitherSignedNorTaken(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Capability)
		want   wire.Code
	}{
		"no issuer":             {func(c *Capability) { c.Issuer = Principal{} }, wire.BadRequest},
		"no subject":            {func(c *Capability) { c.Subject = Principal{} }, wire.BadRequest},
		"no object":             {func(c *Capability) { c.Object = nil }, wire.BadRequest},
		"long object":           {func(c *Capability) { c.Object = make([]byte, MaxObject+1) }, wire.TooLarge},
		"no right":              {func(c *Capability) { c.Right = 0 }, wire.BadRequest},
		"no expiry":             {func(c *Capability) { c.Expiry = time.Time{} }, wire.BadRequest},
		"expiry before begin":   {func(c *Capability) { c.Expiry = c.NotBefore }, wire.BadRequest},
		"no nonce":              {func(c *Capability) { c.Nonce = Nonce{} }, wire.BadRequest},
		"long proof":            {func(c *Capability) { c.Proof = make([]byte, MaxProof+1) }, wire.TooLarge},
		"expiry past year 9999": {func(c *Capability) { c.Expiry = time.UnixMilli(maxMillis + 1) }, wire.BadRequest},
	} {
		bad := testCapability(t)
		c.change(&bad)
		_, err := bad.Sign(testKey(t, 1))
		wantCode(t, name+", signed", err, c.want)
		_, err = parseCapability(bad.body())
		wantCode(t, name+", read", err, c.want)
	}
	for name, c := range map[string]func(*Capability){
		"begin before 1970": func(c *Capability) { c.NotBefore = time.UnixMilli(-1) },
		"begin at 1970":     func(c *Capability) { c.NotBefore = time.UnixMilli(0) },
		"unknown right":     func(c *Capability) { c.Right = RightSubscribe + 1 },
	} {
		bad := testCapability(t)
		c(&bad)
		_, err := bad.Sign(testKey(t, 1))
		wantCode(t, name, err, wire.BadRequest)
	}
}

func TestWhatANewerVersionMayWriteIsUnsupported(t *testing.T) {
	c := testCapability(t)
	c.Right = RightSubscribe + 1
	_, err := parseCapability(c.body())
	wantCode(t, "unknown right", err, wire.Unsupported)

	var critical, other wire.Builder
	_, err = parseCapability(append(testCapability(t).body(), critical.Uint(10, 1).Build()...))
	wantCode(t, "unknown critical field", err, wire.Unsupported)
	_, err = parseCapability(append(testCapability(t).body(), other.Uint(wire.CriticalBelow, 1).Build()...))
	wantCode(t, "unknown uncritical field", err, wire.OK)
}

func TestPermitSaysWhichPartDoesNotFit(t *testing.T) {
	c := testCapability(t)
	me, other := testPeer(t, 2), testPeer(t, 3)
	object := []byte("object")
	for _, v := range []struct {
		name    string
		subject Principal
		right   Right
		object  []byte
		now     time.Time
		want    wire.Code
		says    string
	}{
		{"fits", me, RightBind, object, testTime, wire.OK, ""},
		{"ten minutes early", me, RightBind, object, testTime.Add(-ClockSkew), wire.OK, ""},
		{"just before its end", me, RightBind, object, c.Expiry.Add(-1), wire.OK, ""},
		{"at its end", me, RightBind, object, c.Expiry, wire.Expired, "2026-01-02T04:04:05Z"},
		{"more than ten minutes early", me, RightBind, object, testTime.Add(-ClockSkew - 1), wire.Forbidden, "before 2026-01-02T03:04:05Z"},
		{"another right", me, RightDial, object, testTime, wire.Forbidden, "to bind, not to dial"},
		{"another object", me, RightBind, []byte("x"), testTime, wire.Forbidden, "is for bn5rguzldoq, not for bpa"},
		{"no object", me, RightBind, nil, testTime, wire.Forbidden, "not for nothing"},
		{"another subject", other, RightBind, object, testTime, wire.Forbidden, other.String()},
		{"account of the subject's key", testAccount(t, 2), RightBind, object, testTime, wire.Forbidden, "acct:"},
		{"nobody", Principal{}, RightBind, object, testTime, wire.Forbidden, "unproven stranger"},
	} {
		err := c.Permit(v.subject, v.right, v.object, v.now)
		wantCode(t, v.name, err, v.want)
		if err != nil && !strings.Contains(err.Error(), v.says) {
			t.Errorf("%s: %q lacks %q", v.name, err, v.says)
		}
	}
	if err := (Capability{Expiry: testTime}).Permit(Principal{}, 0, nil, time.Time{}); err == nil {
		t.Error("an empty capability permits nobody something")
	}
}

func TestObjectIsShownAsAPipeID(t *testing.T) {
	cid := append([]byte{1, 0x55, 0x12, 32}, make([]byte, 32)...)
	if got := objectText(cid); !strings.HasPrefix(got, "bafkrei") {
		t.Errorf("got %s", got)
	}
}

func TestEveryTruncatedCapabilityIsRefused(t *testing.T) {
	envelope := sign(t, testCapability(t), testKey(t, 1))
	for n := range envelope {
		_, err := OpenCapability(envelope[:n])
		wantCode(t, "envelope", err, wire.BadRequest)
	}
	body := testCapability(t).body()
	for n := range body {
		_, err := parseCapability(body[:n])
		wantCode(t, "body", err, wire.BadRequest)
	}
}

func TestCapabilityAboveItsCapIsTooLarge(t *testing.T) {
	_, err := OpenCapability(make([]byte, MaxCapability+1))
	wantCode(t, "envelope", err, wire.TooLarge)
	_, _, err = ParseCapability(FormatCapability(make([]byte, MaxCapability+1)))
	wantCode(t, "text", err, wire.TooLarge)
}

func TestRightsAndNoncesComeBackFromText(t *testing.T) {
	for r := RightBind; r <= RightSubscribe; r++ {
		if got, err := ParseRight(r.String()); err != nil || got != r {
			t.Errorf("right %v: %v, %v", r, got, err)
		}
	}
	for _, text := range []string{"", "none", "Bind"} {
		_, err := ParseRight(text)
		wantCode(t, text, err, wire.BadRequest)
	}
	n := NewNonce()
	if n == NewNonce() || n == (Nonce{}) {
		t.Error("nonces repeat")
	}
	if got, err := ParseNonce(n.String()); err != nil || got != n {
		t.Errorf("nonce %v: %v, %v", n, got, err)
	}
	for _, text := range []string{"", n.String()[1:], n.String() + "00", "x" + n.String()[1:]} {
		_, err := ParseNonce(text)
		wantCode(t, text, err, wire.BadRequest)
	}
}

// FuzzParseCapability takes bodies, since no fuzzer finds a signature: what is
// read is written again the same, but for uncritical fields that it ignores.
func FuzzParseCapability(f *testing.F) {
	f.Add(testCapability(f).body())
	c := testCapability(f)
	c.Issuer, c.Proof, c.NotBefore, c.Term = testAccount(f, 1), []byte("log"), time.Time{}, 0
	f.Add(c.body())
	f.Add(append(c.body(), 0xe8, 7, 1, 1))
	f.Add([]byte{1, 1, 1})
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := parseCapability(raw)
		if err != nil {
			switch wire.CodeOf(err) {
			case wire.BadRequest, wire.TooLarge, wire.Unsupported:
			default:
				t.Fatalf("unexpected %v", err)
			}
			return
		}
		if !bytes.HasPrefix(raw, c.body()) {
			t.Fatalf("%x is written again as %x", raw, c.body())
		}
		if err := c.Permit(c.Subject, c.Right, c.Object, c.Expiry.Add(-1)); err != nil {
			t.Fatalf("%+v does not permit what it says: %v", c, err)
		}
	})
}

func FuzzOpenCapability(f *testing.F) {
	f.Add(sign(f, testCapability(f), testKey(f, 1)))
	c := testCapability(f)
	c.Issuer, c.Proof = testAccount(f, 1), testLog(f, 2).Bytes()
	f.Add(sign(f, c, testKey(f, 2)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := OpenCapability(raw)
		if err == nil && (c.Issuer.Kind() == KindAccount) != (c.Log != nil && c.Log.Valid(c.Device)) {
			t.Fatalf("opened %+v", c)
		}
	})
}
