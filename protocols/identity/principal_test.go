package identity

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestPrincipalsComeBackFromTextAndBytes(t *testing.T) {
	for name, key := range everyKey(t) {
		id, err := peer.IDFromPrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		account, err := AccountPrincipal(key.GetPublic())
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []Principal{PeerPrincipal(id), account} {
			if got, err := ParsePrincipal(" " + p.String() + "\n"); err != nil || got != p {
				t.Errorf("%s: text %s: %v, %v", name, p, got, err)
			}
			if got, err := PrincipalFromBytes(p.Bytes()); err != nil || got != p {
				t.Errorf("%s: bytes %x: %v, %v", name, p.Bytes(), got, err)
			}
			if !p.Matches(key.GetPublic()) || p.Matches(testKey(t, 9).GetPublic()) || p.Matches(nil) {
				t.Errorf("%s: %s matches wrongly", name, p)
			}
		}
	}
}

func TestNodeAndAccountOfOneKeyDiffer(t *testing.T) {
	node, account := testPeer(t, 1), testAccount(t, 1)
	if node == account || node.Kind() != KindPeer || account.Kind() != KindAccount {
		t.Errorf("%v and %v", node, account)
	}
	if id, ok := node.Peer(); !ok || "peer:"+id.String() != node.String() {
		t.Errorf("node %v has peer ID %v", node, id)
	}
	if id, ok := account.Peer(); ok || id != "" {
		t.Errorf("account has peer ID %v", id)
	}
}

func TestBarePeerIDIsANode(t *testing.T) {
	want := testPeer(t, 1)
	id, _ := want.Peer()
	for _, text := range []string{id.String(), peer.ToCid(id).String(), "peer:" + peer.ToCid(id).String()} {
		if got, err := ParsePrincipal(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

func TestZeroPrincipalIsNobody(t *testing.T) {
	var p Principal
	if !p.IsZero() || p.String() != "" || p.Bytes() != nil || p.Kind() != 0 || p.Kind().String() != "none" ||
		p.Matches(testKey(t, 1).GetPublic()) || PeerPrincipal("") != p {
		t.Error("nobody is somebody")
	}
	if _, err := AccountPrincipal(nil); wire.CodeOf(err) != wire.BadRequest {
		t.Errorf("account without a key: %v", err)
	}
}

func TestPrincipalsAreTextInJSON(t *testing.T) {
	type doc struct {
		P Principal
		M map[Principal]int
	}
	want := doc{P: testAccount(t, 1), M: map[Principal]int{testPeer(t, 2): 7}}
	raw, err := json.Marshal(want)
	if err != nil || !strings.Contains(string(raw), `"P":"acct:12D3Koo`) {
		t.Fatalf("%s, %v", raw, err)
	}
	var got doc
	if err := json.Unmarshal(raw, &got); err != nil || got.P != want.P || got.M[testPeer(t, 2)] != 7 {
		t.Errorf("%+v, %v", got, err)
	}
	if err := json.Unmarshal([]byte(`{"P":""}`), &got); err != nil || !got.P.IsZero() {
		t.Errorf("empty text gives %v, %v", got.P, err)
	}
	if err := json.Unmarshal([]byte(`{"P":"x"}`), &got); wire.CodeOf(err) != wire.BadRequest {
		t.Errorf("got %v", err)
	}
}

func TestWrongPrincipalTextsSayWhatIsWrong(t *testing.T) {
	id, _ := testPeer(t, 1).Peer()
	good := id.String()
	for text, want := range map[string]string{
		"":                          "expected \"peer:…\", \"acct:…\" or a bare peer ID",
		"peer:":                     "expected \"peer:…\"",
		"pipe:" + good:              "this begins with \"pipe:\"",
		"Peer:" + good:              "this begins with \"Peer:\"",
		"peer:" + good[:20]:         "mistyped or cut off",
		"acct:" + good[1:]:          "mistyped or cut off",
		good + "x":                  "mistyped or cut off",
		good[:30] + "0" + good[31:]: "mistyped or cut off",
		"peer:" + "bafkreieq5jui4j25lacwomsqgjeswwl3y5zcdrresptwgmfylxo2depppq": "mistyped or cut off",
		strings.Repeat("1", 1_000_000):                                          "1000000 characters, at most 128",
	} {
		_, err := ParsePrincipal(text)
		if wire.CodeOf(err) != wire.BadRequest || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %q", text, err, want)
		}
	}
}

func TestEveryTruncatedPrincipalIsRefused(t *testing.T) {
	raw, text := testPeer(t, 1).Bytes(), testPeer(t, 1).String()
	for n := range raw {
		if _, err := PrincipalFromBytes(raw[:n]); wire.CodeOf(err) != wire.BadRequest {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	for n := range text {
		if _, err := ParsePrincipal(text[:n]); wire.CodeOf(err) != wire.BadRequest {
			t.Errorf("%d characters: %v", n, err)
		}
	}
}

func TestKeyHasOneSpelling(t *testing.T) {
	good := testPeer(t, 1).Bytes()
	key := good[3:] // behind kind, hash function and length: 08 01 12 20 and 32 bytes
	spelled := func(key ...byte) []byte {
		return append([]byte{1, 0, byte(len(key))}, key...)
	}
	swapped := append(append([]byte{}, key[2:]...), key[:2]...)
	for name, raw := range map[string][]byte{
		"fields of the key swapped":  spelled(swapped...),
		"unknown field in the key":   spelled(append(key[:len(key):len(key)], 0x18, 1)...),
		"no key at all":              spelled(),
		"hash function in two bytes": append([]byte{1, 0x80, 0, byte(len(key))}, key...),
		"SHA-256 cut short":          append([]byte{1, 0x12, 16}, make([]byte, 16)...),
		"SHA-512":                    append([]byte{1, 0x13, 32}, make([]byte, 32)...),
		"unknown kind":               append([]byte{3}, good[1:]...),
		"kind zero":                  append([]byte{0}, good[1:]...),
		"byte behind":                append(good[:len(good):len(good)], 0),
		"too long":                   make([]byte, MaxPrincipal+1),
	} {
		_, err := PrincipalFromBytes(raw)
		wantCode(t, name, err, wire.BadRequest)
	}
}

func FuzzPrincipalFromBytes(f *testing.F) {
	f.Add(testPeer(f, 1).Bytes())
	f.Add(testAccount(f, 2).Bytes())
	f.Add(append([]byte{1, 0x12, 32}, make([]byte, 32)...))
	f.Add([]byte{1, 0, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := PrincipalFromBytes(raw)
		if err != nil {
			wantCode(t, "principal", err, wire.BadRequest)
			return
		}
		if string(p.Bytes()) != string(raw) {
			t.Fatalf("%x is written again as %x", raw, p.Bytes())
		}
		if q, err := ParsePrincipal(p.String()); err != nil || q != p {
			t.Fatalf("%s is read as %v, %v", p, q, err)
		}
	})
}

func FuzzParsePrincipal(f *testing.F) {
	f.Add(testPeer(f, 1).String())
	f.Add(testAccount(f, 2).String())
	f.Add("12D3KooW")
	f.Add("bafzaajaiaejcaitwtpxe7ltltnnvaf4p3y4n3qp3ydx3uzy3ou4")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePrincipal(text)
		if err != nil {
			wantCode(t, "principal", err, wire.BadRequest)
			return
		}
		if q, err := ParsePrincipal(p.String()); err != nil || q != p || p.IsZero() {
			t.Fatalf("%q: %v is read again as %v, %v", text, p, q, err)
		}
		if q, err := PrincipalFromBytes(p.Bytes()); err != nil || q != p {
			t.Fatalf("%q: %v, %v", text, q, err)
		}
	})
}
