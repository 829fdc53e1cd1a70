package store

import (
	"reflect"
	"strings"
	"testing"

	"github.com/panpipe-net/panpipe/protocols/gateway"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// someRules have every field set in one of them.
func someRules() []gateway.Rule {
	return []gateway.Rule{
		{
			ID: "z", Kind: gateway.Expose, Target: "127.0.0.1:80", Pipe: "web", Allow: []string{gateway.Anyone}, ProxyProtocol: gateway.ProxyV2,
			Exclusive: true, Capability: []byte{1, 2}, MaxChannels: 3, MaxPerClient: 4,
		},
		{ID: "a", Kind: gateway.Forward, Listen: "127.0.0.1:0", Pipe: "x", Transport: "tcp", Spread: true},
	}
}

func TestRulesComeBackInOrder(t *testing.T) {
	path := tempPath(t)
	s, want := mustOpen(t, path), someRules()
	for _, r := range want {
		if err := s.PutRule(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	want[0].Target = "127.0.0.1:81"
	if err := s.PutRule(ctx, want[0]); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, path)
	if got, err := s.Rules(ctx); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, id := range []string{"z", "z", "nobody"} {
		if err := s.DeleteRule(ctx, id); err != nil {
			t.Error(err)
		}
	}
	if got, err := s.Rules(ctx); err != nil || !reflect.DeepEqual(got, want[1:]) {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestEveryFieldOfARuleIsKept: what a rule says must survive a restart, so each
// field has a name in JSON.
func TestEveryFieldOfARuleIsKept(t *testing.T) {
	typ, set := reflect.TypeFor[gateway.Rule](), map[string]bool{}
	for _, r := range someRules() {
		for i := range typ.NumField() {
			if !reflect.ValueOf(r).Field(i).IsZero() {
				set[typ.Field(i).Name] = true
			}
		}
	}
	for i := range typ.NumField() {
		f := typ.Field(i)
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); !set[f.Name] || name == "" || name == "-" {
			t.Errorf("field %s is not tested, or has no name", f.Name)
		}
	}
}

func TestRuleThatDoesNotParseIsDamage(t *testing.T) {
	s := mustOpen(t, "")
	if err := s.PutRule(ctx, someRules()[0]); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"{", `{"id":"other"}`} {
		if err := s.exec(ctx, "test", "UPDATE gateway_rules SET rule = ?", text); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Rules(ctx); wire.CodeOf(err) != wire.Internal || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%s: error %v", text, err)
		}
	}
}
