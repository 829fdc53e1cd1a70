package gateway

import (
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

const somebody = "peer:12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"

func TestRulesThatCannotBeMeantAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		r    Rule
		code wire.Code
	}{
		"expose":            {Rule{Kind: Expose, Target: "80", Allow: []string{Anyone}}, wire.OK},
		"one and anyone":    {Rule{Kind: Expose, Target: "80", Allow: []string{somebody, Anyone, somebody}}, wire.OK},
		"forward":           {Rule{Kind: Forward, Listen: ":0", Pipe: "web"}, wire.OK},
		"socks":             {Rule{Kind: Socks, Listen: "1080"}, wire.OK},
		"no kind":           {Rule{Target: "80"}, wire.BadRequest},
		"nobody":            {Rule{Kind: Expose, Target: "80"}, wire.BadRequest},
		"not a principal":   {Rule{Kind: Expose, Target: "80", Allow: []string{"bob"}}, wire.BadRequest},
		"too many":          {Rule{Kind: Expose, Target: "80", Allow: make([]string, maxAllow+1)}, wire.TooLarge},
		"no target":         {Rule{Kind: Expose, Allow: []string{Anyone}}, wire.BadRequest},
		"expose listens":    {Rule{Kind: Expose, Target: "80", Listen: "81", Allow: []string{Anyone}}, wire.BadRequest},
		"PROXY v1":          {Rule{Kind: Expose, Target: "80", ProxyProtocol: "v1", Allow: []string{Anyone}}, wire.BadRequest},
		"forward to nobody": {Rule{Kind: Forward, Listen: "80"}, wire.BadRequest},
		"forward allows":    {Rule{Kind: Forward, Listen: "80", Pipe: "web", Allow: []string{Anyone}}, wire.BadRequest},
		"socks with pipe":   {Rule{Kind: Socks, Listen: "80", Pipe: "web"}, wire.BadRequest},
		"negative":          {Rule{Kind: Socks, Listen: "80", MaxChannels: -1}, wire.BadRequest},
		"long ID":           {Rule{ID: strings.Repeat("x", 65), Kind: Socks, Listen: "80"}, wire.BadRequest},
		"ID with a space":   {Rule{ID: "a b", Kind: Socks, Listen: "80"}, wire.BadRequest},
	} {
		r, err := c.r.normalize()
		if wire.CodeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && wire.CodeOf(err) == wire.BadRequest && !strings.Contains(name, "negative") && err.Error() == "" {
			t.Errorf("%s: refused without a word", name)
		}
		if again, err := r.normalize(); c.code == wire.OK && (err != nil || !again.equal(r)) {
			t.Errorf("%s: normalised twice it is %+v, once %+v", name, again, r)
		}
	}
}

func TestWhoCannotBeAllowedIsToldInFull(t *testing.T) {
	for _, text := range []string{"bob", "bob@example.org", "user:bob", somebody[:40], "peer:", "12D3KooW"} {
		_, err := Rule{Kind: Expose, Target: "80", Allow: []string{text}}.normalize()
		if err == nil {
			t.Fatalf("%q is allowed", text)
		}
		for _, want := range []string{strconv.Quote(text), "peer:12D3KooW", Anyone} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v", text, err)
			}
		}
		if !strings.Contains(wire.NextOf(err), "panpipe id") {
			t.Errorf("%q: next %s", text, wire.NextOf(err))
		}
	}
}

func TestRulesDifferInEveryField(t *testing.T) {
	fields := reflect.TypeFor[Rule]()
	for i := range fields.NumField() {
		var r Rule
		switch f := reflect.ValueOf(&r).Elem().Field(i); f.Kind() {
		case reflect.String:
			f.SetString("x")
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Int:
			f.SetInt(1)
		case reflect.Slice:
			f.Set(reflect.MakeSlice(f.Type(), 1, 1))
		default:
			t.Fatalf("field %s is of a kind that this test does not know", fields.Field(i).Name)
		}
		if r.equal(Rule{}) {
			t.Errorf("field %s makes no difference", fields.Field(i).Name)
		}
	}
}

func TestPipesAreNamedAfterTheirTargets(t *testing.T) {
	for target, want := range map[string]string{
		"80": "127.0.0.1-80", "[::1]:80": "1--80", "db.example:5432": "db.example-5432",
		"unix:/run/my app/x.sock": "run-my-app-x.sock",
	} {
		r, err := Rule{Kind: Expose, Target: target, Allow: []string{Anyone}}.normalize()
		if err != nil || r.Pipe != want {
			t.Errorf("%s: %q, %v", target, r.Pipe, err)
		}
	}
}

func TestTwoRulesForOneThingAreFound(t *testing.T) {
	expose := Rule{Kind: Expose, Target: "80", Pipe: "web", Allow: []string{Anyone}}
	forward := Rule{Kind: Forward, Listen: "80", Pipe: "web"}
	socks := Rule{Kind: Socks, Listen: "127.0.0.1:80"}
	free := Rule{Kind: Socks, Listen: "0"}
	for _, c := range []struct {
		rules []Rule
		ok    bool
	}{
		{[]Rule{expose, forward, free, free}, true},
		{[]Rule{expose, expose}, false},
		{[]Rule{forward, socks}, false},
		{[]Rule{{ID: "a", Kind: Socks, Listen: "0"}, {ID: "a", Kind: Socks, Listen: "0"}}, false},
	} {
		if _, err := normalizeAll(c.rules, 10); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c.rules, err)
		}
	}
	if _, err := normalizeAll([]Rule{free, free}, 1); wire.CodeOf(err) != wire.Limit {
		t.Errorf("one rule too many: %v", err)
	}
}
