//go:build full

package integration

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/panpipe-net/panpipe/node/control/api"
)

// TestJavaScriptAgreesWithTheVectors: all but those of the device logs of
// accounts, which that client has not. So it reads what they have signed, and
// answers `unsupported`.
func TestJavaScriptAgreesWithTheVectors(t *testing.T) {
	got := js(t, "vectors").next("vectors").Checked
	for _, pkg := range []string{"wire", "identity", "pipe"} {
		raw, err := os.ReadFile(filepath.Join("../protocols", pkg, "testdata/vectors.json"))
		if err != nil {
			t.Fatal(err)
		}
		var kinds map[string][]json.RawMessage
		if err := json.Unmarshal(raw, &kinds); err != nil {
			t.Fatal(err)
		}
		delete(kinds, "device_logs")
		delete(kinds, "forks")
		for kind, vectors := range kinds {
			vectors = slices.DeleteFunc(vectors, func(v json.RawMessage) bool { return bytes.Contains(v, []byte(`"what": "device-log"`)) })
			if len(vectors) == 0 || got[pkg+"/"+kind] != len(vectors) {
				t.Errorf("%s/%s: checked %d vectors of %d", pkg, kind, got[pkg+"/"+kind], len(vectors))
			}
		}
	}
}

func TestJavaScriptJoinsAsAClient(t *testing.T) {
	nodes, ticket := overlayOfThree(t)
	var servers []string
	for _, n := range nodes {
		servers = append(servers, peerOf(n))
	}
	slices.Sort(servers)

	joined := js(t, "join", "--join", ticket).next("joined")

	if joined.Mode != "client" || !slices.Equal(joined.Servers, []string{peerOf(nodes[0])}) {
		t.Errorf("joined as %s through %v, want a client through %s", joined.Mode, joined.Servers, peerOf(nodes[0]))
	}
	if slices.Sort(joined.Walked); !slices.Equal(joined.Walked, servers) {
		t.Errorf("a walk to its own place finds %v, want %v", joined.Walked, servers)
	}
	// How many a plain lookup finds depends on how far the nodes' own tables are.
	stranger := func(peer string) bool { return !slices.Contains(servers, peer) }
	if len(joined.Kad) == 0 || slices.ContainsFunc(joined.Kad, stranger) {
		t.Errorf("a lookup by js-libp2p's own kad-dht finds %v, want some of %v", joined.Kad, servers)
	}
}

func TestJavaScriptReachesAPipeOfPanpipe(t *testing.T) {
	nodes, ticket := overlayOfThree(t)
	binder := nodes[1]
	mebibyte := make([]byte, 1<<20)
	rand.NewChaCha8([32]byte{'s', 'a', 'y'}).Read(mebibyte)
	file := filepath.Join(t.TempDir(), "mebibyte")
	if err := os.WriteFile(file, mebibyte, 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(mebibyte)

	for _, c := range []struct{ kind, transport string }{{"unicast", "tcp"}, {"unicast", "ws"}, {"secure", "tcp"}, {"secure", "ws"}} {
		name := c.kind + "-" + c.transport
		id := strings.TrimPrefix(binder.run("pipe", "create", name, "--type", c.kind), "pipe:")
		heard := binder.serves(mebibyte, name)

		dial := js(t, "dial", id, "--join", ticket, "--transport", c.transport, "--send", file)
		found := dial.next("resolved")
		if len(found.Binders) != 1 || found.Asked != 3 || len(found.Refused) != 0 || !found.Advertised {
			t.Fatalf("%s: resolved %+v, want one binder from 3 nodes asked", name, found)
		}
		if b := found.Binders[0]; b.Binder != "peer:"+peerOf(binder) || b.Term != "1" || b.Life != "1800" || !b.Authoritative || len(b.Proven) != 2 {
			t.Errorf("%s: the binder is %+v, want %s with two proven endpoints at term 1", name, b, peerOf(binder))
		}
		if got := dial.next("connected"); got.Binder != "peer:"+peerOf(binder) || got.Transport != c.transport {
			t.Errorf("%s: connected %+v, want %s over %s", name, got, peerOf(binder), c.transport)
		}
		if got := dial.next("heard"); got.Length != len(mebibyte) || got.SHA256 != hex.EncodeToString(sum[:]) {
			t.Errorf("%s: JavaScript heard %d bytes %s, want %d %x", name, got.Length, got.SHA256, len(mebibyte), sum)
		}
		if got := heard(); !bytes.Equal(got, mebibyte) {
			t.Errorf("%s: Panpipe heard %d bytes, want the %d that were sent", name, len(got), len(mebibyte))
		}
	}
}

// jsSeed is that of a JavaScript node whose peer ID others must know before.
const jsSeed = "0909090909090909090909090909090909090909090909090909090909090909"

func TestJavaScriptTakesARefusal(t *testing.T) {
	nodes, ticket := overlayOfThree(t)
	me := js(t, "join", "--seed", jsSeed, "--join", ticket).next("joined").Peer
	var status api.Status
	if err := json.Unmarshal([]byte(nodes[0].run("status", "--json")), &status); err != nil {
		t.Fatal(err)
	}
	addr := status.Addresses[0] + "/p2p/" + status.Peer
	nobodys := nodes[2].run("pipe", "create", "nobodys")
	guarded := nodes[1].run("pipe", "create", "guarded", "--dial", "capability", "--type", "secure")
	capability := nodes[1].run("pipe", "grant", "guarded", "--dial", "--to", me, "--for", "1h")
	heard := nodes[1].serves([]byte("for you alone"), "guarded")

	for _, c := range []struct {
		what, code string
		args       []string
	}{
		{"a ticket of another overlay", "bad-request", []string{"resolve", nobodys, "--overlay", "other", "--join", ticket}},
		{"a node of another overlay", "not-ready", []string{"resolve", nobodys, "--overlay", "other", "--join", addr}},
		{"a pipe that nobody serves", "unbound", []string{"dial", nobodys, "--join", ticket}},
		{"the binder of another pipe", "unbound", []string{"ask", nobodys, "--join", addr}},
		{"a dial policy without a capability", "forbidden", []string{"dial", guarded, "--seed", jsSeed, "--join", ticket}},
		{"somebody else's capability", "forbidden", []string{"dial", guarded, "--cap", capability, "--join", ticket}},
	} {
		if got := js(t, c.args...).last(); got.Event != "failed" || got.Code != c.code {
			t.Errorf("%s: JavaScript ends with %s, want %s", c.what, got.raw, c.code)
		}
	}

	// A probe asks whether it would be accepted, and takes nothing from the listener.
	if got := js(t, "dial", guarded, "--probe", "--seed", jsSeed, "--cap", capability, "--join", ticket).last(); got.Event != "connected" {
		t.Errorf("a probe with its capability ends with %s", got.raw)
	}
	dial := js(t, "dial", guarded, "--seed", jsSeed, "--cap", capability, "--say", "it is me", "--join", ticket)
	dial.next("resolved")
	dial.next("connected")
	if got := dial.next("heard").Begins; got != "for you alone" {
		t.Errorf("with its capability JavaScript heard %q", got)
	}
	if got := heard(); string(got) != "it is me" {
		t.Errorf("with its capability Panpipe heard %q", got)
	}
}

func TestPanpipeReachesAPipeOfJavaScript(t *testing.T) {
	nodes, ticket := overlayOfThree(t)
	for _, kind := range []string{"unicast", "secure"} {
		listener := js(t, "listen", "--join", ticket, "--type", kind, "--life", "10", "--say", "JavaScript says hello")
		bound := listener.next("bound")
		if got := bound.heldBy(t); got != 3 {
			t.Errorf("%s: held by %d nodes, want all 3", kind, got)
		}
		for i, n := range nodes {
			cmd := n.command(context.Background(), "pipe", "dial", bound.ID)
			cmd.Stdin = strings.NewReader(fmt.Sprintf("node %d says hello", i))
			if out, err := cmd.CombinedOutput(); err != nil || string(out) != "JavaScript says hello" {
				t.Errorf("%s: node %d heard %q %v", kind, i, out, err)
			}
			if got := listener.next("accepted"); got.From != "peer:"+peerOf(n) || got.Transport != "tcp" {
				t.Errorf("%s: JavaScript accepted %+v, want node %d over tcp", kind, got, i)
			}
			if got := listener.next("heard").Begins; got != fmt.Sprintf("node %d says hello", i) {
				t.Errorf("%s: JavaScript heard %q from node %d", kind, got, i)
			}
		}
		renewedAndWithdrawn(t, nodes[2], listener, bound)
	}
}

// renewedAndWithdrawn follows a binding of JavaScript to its end.
func renewedAndWithdrawn(t *testing.T, n *process, listener *program, bound said) {
	t.Helper()
	renewed := listener.next("renewed")
	var now api.Resolution
	if err := json.Unmarshal([]byte(n.run("pipe", "resolve", bound.ID, "--no-cache", "--json")), &now); err != nil {
		t.Fatal(err)
	}
	if len(now.Bindings) != 1 || now.Bindings[0].Origin != "authoritative" || !slices.Equal(now.Bindings[0].Endpoints, bound.Endpoints) {
		t.Fatalf("JavaScript itself says %+v, want its binding at %v", now.Bindings, bound.Endpoints)
	}
	if got := fmt.Sprint(now.Bindings[0].Seq); got < renewed.Seq {
		t.Errorf("seq %s, want at least that of the renewal, %s", got, renewed.Seq)
	}
	listener.end()
	if got := listener.next("withdrawn").heldBy(t); got != 3 {
		t.Errorf("the tombstone is held by %d nodes, want all 3", got)
	}
	for _, args := range [][]string{{"pipe", "resolve", bound.ID, "--fresh"}, {"pipe", "dial", bound.ID}} {
		if said := n.refused(args...); !strings.Contains(said, "(unbound)") {
			t.Errorf("after the tombstone %v says %q", args, said)
		}
	}
}

func TestJavaScriptRefusesADialer(t *testing.T) {
	nodes, ticket := overlayOfThree(t)
	listener := js(t, "listen", "--join", ticket, "--policy", "listed", "--allow", "peer:"+peerOf(nodes[1]), "--say", "for you alone")
	id := listener.next("bound").ID
	if said := nodes[0].refused("pipe", "dial", id); !strings.Contains(said, "(forbidden)") {
		t.Errorf("who is not listed hears %q", said)
	}
	if got := nodes[1].run("pipe", "dial", id); got != "for you alone" {
		t.Errorf("who is listed hears %q", got)
	}
}

func TestPipesMoveFromPanpipeToJavaScript(t *testing.T) {
	nodes, ticket := overlayOfThree(t)
	me := js(t, "join", "--seed", jsSeed, "--join", ticket).next("joined").Peer
	id := nodes[1].run("pipe", "create", "outgoing")
	heard := nodes[1].serves(nil, "outgoing")
	capability := nodes[1].run("pipe", "grant", "outgoing", "--bind", "--to", me)
	late := js(t, "dial", id, "--hold", "--say", "I knew the old binder", "--join", ticket)
	late.next("resolved")
	late.next("holding")

	there := js(t, "listen", id, "--seed", jsSeed, "--cap", capability, "--join", ticket, "--say", "JavaScript serves it")
	if got := there.next("bound"); got.Term != "2" {
		t.Errorf("bound with term %s, want the capability's, 2", got.Term)
	}
	heard() // the old binder was told, and has stopped

	for i, n := range nodes {
		if got := n.run("pipe", "dial", id); got != "JavaScript serves it" {
			t.Errorf("after the move node %d heard %q", i, got)
		}
		there.next("accepted")
		there.next("heard")
	}
	late.say("go on")
	if got := late.next("connected"); got.Binder != "peer:"+me || got.Term != "2" {
		t.Errorf("with the old record JavaScript comes to %s at term %s, want to be sent on to %s at 2", got.Binder, got.Term, me)
	}
}

func TestPipesMoveFromJavaScriptToPanpipe(t *testing.T) {
	nodes, ticket := overlayOfThree(t)
	old := js(t, "listen", "--join", ticket)
	id := old.next("bound").ID
	nodes[0].run("pipe", "resolve", id) // it will remember the old binder
	old.say("grant " + peerOf(nodes[2]))
	capability := old.next("granted").Cap

	heard := nodes[2].serves([]byte("Panpipe serves it"), id, "--cap", capability)
	if got := old.next("replaced"); got.By != "peer:"+peerOf(nodes[2]) || got.Term != "2" {
		t.Errorf("JavaScript was replaced by %s at term %s, want %s at 2", got.By, got.Term, peerOf(nodes[2]))
	}
	if got := nodes[0].run("pipe", "dial", id); got != "Panpipe serves it" {
		t.Errorf("with the old record node 0 heard %q", got)
	}
	heard()

	old.say("revoke")
	if got := old.next("revoked").heldBy(t); got != 3 {
		t.Errorf("the revocation is held by %d nodes, want all 3", got)
	}
	if said := nodes[2].refused("pipe", "listen", id, "--cap", capability); !strings.Contains(said, "(forbidden)") {
		t.Errorf("with the revoked capability panpipe says %q", said)
	}
}
