package control

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/panpipe-net/panpipe/node/control/api"
)

// httpClient speaks plain HTTP to a socket.
func httpClient(socket string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}
}

// do sends one request and returns status, media type and body.
func do(t testing.TB, c *http.Client, r *http.Request) (int, string, []byte) {
	t.Helper()
	answer, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, answer.Header.Get("Content-Type"), body
}

func request(t testing.TB, method, url, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func problem(t testing.TB, media string, body []byte) api.Problem {
	t.Helper()
	var p api.Problem
	if media != api.ProblemType {
		t.Fatalf("media type %q instead of a problem: %s", media, body)
	}
	if err := json.Unmarshal(body, &p); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return p
}

// TestEveryRouteNeedsItsScope walks the table: no route is without a scope, a
// caller without a token is refused by all, one with a read token by those
// that write.
func TestEveryRouteNeedsItsScope(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens")
	_, s, _ := serve(t, func(c *Config) { c.TCP, c.TokenFile = "127.0.0.1:0", file })
	read, _ := readTokens(t, file)
	base := "http://" + tcpOf(s)
	for _, rt := range s.routes() {
		if rt.needs != scopeRead && rt.needs != scopeWrite {
			t.Errorf("%s %s is wrapped neither read nor write", rt.method, rt.path)
		}
		if rt.method != http.MethodGet && rt.needs != scopeWrite {
			t.Errorf("%s %s changes something and needs no write scope", rt.method, rt.path)
		}
		path := strings.NewReplacer("{ref}", "x", "{id}", "x", "{rule}", "x", "{device}", "x", "{buddy}", "x", "{account}", "x").Replace(rt.path)
		r := request(t, rt.method, base+path, "")
		status, media, body := do(t, tcpClient(), r)
		if status != http.StatusForbidden || problem(t, media, body).Code != "forbidden" {
			t.Errorf("%s %s without a token: %d %s", rt.method, rt.path, status, body)
		}
		if rt.needs != scopeWrite {
			continue
		}
		r = request(t, rt.method, base+path, "")
		r.Header.Set("Authorization", "Bearer "+read)
		if status, _, body := do(t, tcpClient(), r); status != http.StatusForbidden || !bytes.Contains(body, []byte("reading only")) {
			t.Errorf("%s %s with a read token: %d %s", rt.method, rt.path, status, body)
		}
	}
}

// TestAnswersHaveTheFieldsOfTheirTypes calls each route that answers JSON and
// holds the answer against the schema in openapi.json, field by field.
func TestAnswersHaveTheFieldsOfTheirTypes(t *testing.T) {
	ro := newFakeRoster(t)
	n, s, c := serve(t, withFakeRoster(ro))
	ro.add("hello", false)
	p := createPipe(t, c, "x")
	l, err := n.ListenPipe(t.Context(), p.ID, pipeListenOptions())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var doc struct {
		Paths      map[string]map[string]operation
		Components struct{ Schemas map[string]schema }
	}
	if err := json.Unmarshal(openAPI, &doc); err != nil {
		t.Fatal(err)
	}
	bodies := map[string]string{
		"POST /v1/pipes":                   `{"name":"another"}`,
		"POST /v1/account/drafts":          `{"name":"Alice","device":"laptop","passphrase":"correct horse"}`,
		"POST /v1/account":                 `{"account":"` + fakeDraftID(t) + `"}`,
		"POST /v1/account/import":          `{"recovery":"x","passphrase":"correct horse"}`,
		"POST /v1/account/export":          `{"recovery":"x","passphrase":"correct horse"}`,
		"PUT /v1/account/profile":          `{"name":"Alice","contact":"direct"}`,
		"PUT /v1/account/devices/{device}": `{"name":"phone"}`,
		"POST /v1/account/join":            `{"invitation":"x"}`,
		"POST /v1/pipes/{ref}/grants":      `{"right":"dial","to":"` + n.id.String() + `","for":"1h"}`,
		"POST /v1/revocations":             `{"capability":"00"}`,
		"POST /v1/gateway/rules":           `{"kind":"socks","listen":"127.0.0.1:1"}`,
		"PUT /v1/gateway/rules":            `{"rules":[{"kind":"expose","target":"1","allow":["anyone"]},{"id":"bad","kind":"socks"}]}`,
		"POST /v1/buddies":                 `{"account":"` + newAccount(t).String() + `"}`,
		"POST /v1/chats/{buddy}/messages":  `{"text":"hi"}`,
	}
	called := 0
	for _, rt := range s.routes() {
		op, ok := doc.Paths[rt.path][strings.ToLower(rt.method)]
		if !ok {
			t.Errorf("openapi.json lacks %s %s", rt.method, rt.path)
		}
		if rt.media != jsonMedia || rt.answer == nil || strings.Contains(rt.path, "connections/") {
			continue
		}
		r := request(t, rt.method, "http://panpipe"+strings.NewReplacer("{ref}", p.ID, "{rule}", "full", "{device}", "phone", "{buddy}", "bobby", "{account}", "carol").Replace(rt.path), bodies[rt.method+" "+rt.path])
		status, media, body := do(t, httpClient(socketOf(s)), r)
		if status != rt.status || media != jsonMedia {
			t.Errorf("%s %s: %d %s %s", rt.method, rt.path, status, media, body)
			continue
		}
		called++
		var v any
		if err := json.Unmarshal(body, &v); err != nil {
			t.Fatal(err)
		}
		for code, answer := range op.Responses {
			if code == "default" {
				continue
			}
			checkSchema(t, rt.path, v, answer.Content[jsonMedia].Schema, doc.Components.Schemas)
		}
	}
	if called < 18 {
		t.Errorf("only %d routes were called", called)
	}
}

type (
	operation struct {
		Responses map[string]struct {
			Content map[string]struct{ Schema schema }
		}
	}
	schema struct {
		Ref        string `json:"$ref"`
		Type       string
		Items      *schema
		Properties map[string]schema
		Required   []string
		OneOf      []schema
	}
)

func checkSchema(t *testing.T, at string, v any, s schema, all map[string]schema) {
	t.Helper()
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		s = all[name]
	}
	if len(s.OneOf) > 0 {
		if !slices.ContainsFunc(s.OneOf, func(one schema) bool {
			return one.Type == jsonKind(v) || one.Type == "integer" && jsonKind(v) == "number"
		}) {
			t.Errorf("%s is %v, described as %+v", at, v, s.OneOf)
		}
		return
	}
	switch v := v.(type) {
	case map[string]any:
		for _, name := range s.Required {
			if _, ok := v[name]; !ok {
				t.Errorf("%s: the answer lacks %q", at, name)
			}
		}
		for name, field := range v {
			p, ok := s.Properties[name]
			if !ok {
				t.Errorf("%s: the answer has %q, which is not described", at, name)
			}
			checkSchema(t, at+"."+name, field, p, all)
		}
	case []any:
		if s.Type != "array" || s.Items == nil {
			t.Errorf("%s is an array, described as %q", at, s.Type)
			return
		}
		for _, item := range v {
			checkSchema(t, at+"[]", item, *s.Items, all)
		}
	default:
		want := map[string]bool{"string": s.Type == "string", "number": s.Type == "number" || s.Type == "integer", "boolean": s.Type == "boolean", "null": false}[jsonKind(v)]
		if !want {
			t.Errorf("%s is %v, described as %q", at, v, s.Type)
		}
	}
}

func jsonKind(v any) string {
	switch v.(type) {
	case string:
		return "string"
	case float64:
		return "number"
	case bool:
		return "boolean"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	}
	return "null"
}

func TestBadRequestsAreProblems(t *testing.T) {
	_, s, c := serve(t)
	createPipe(t, c, "x")
	for _, tc := range []struct {
		name, method, path, body string
		status                   int
		code, says               string
	}{
		{"unknown route", "GET", "/v1/nothing", "", 404, "unknown", "no route"},
		{"wrong method", "POST", "/v1/status", "", 501, "unsupported", "does not take POST"},
		{"unknown parameter", "GET", "/v1/status?colour=red", "", 400, "bad-request", "colour"},
		{"parameter twice", "GET", "/v1/pipes/x/resolve?wait=1s&wait=2s", "", 400, "bad-request", "2 times"},
		{"bad duration", "GET", "/v1/pipes/x/resolve?wait=soon", "", 400, "bad-request", "soon"},
		{"negative duration", "GET", "/v1/pipes/x/resolve?wait=-1s", "", 400, "bad-request", "-1s"},
		{"bad bool", "GET", "/v1/pipes/x/resolve?no_cache=perhaps", "", 400, "bad-request", "perhaps"},
		{"bad transport", "GET", "/v1/pipes/x/resolve?transport=pigeon", "", 400, "bad-request", "pigeon"},
		{"bad peer", "GET", "/v1/pipes/x/resolve?ask=nobody", "", 400, "bad-request", "nobody"},
		{"bad path policy", "GET", "/v1/explain/x?path=scenic", "", 400, "bad-request", "scenic"},
		{"bad capability", "GET", "/v1/explain/x?capability=cap:zz", "", 400, "bad-request", ""},
		{"explain nothing known", "GET", "/v1/explain/nobody", "", 404, "unknown", "nobody"},
		{"explain a mistyped peer", "GET", "/v1/explain/peer:12D3Koo", "", 400, "bad-request", "mistyped"},
		{"explain an empty peer", "GET", "/v1/explain/peer:", "", 400, "bad-request", "principal"},
		{"explain a mistyped account", "GET", "/v1/explain/acct:zz", "", 400, "bad-request", "mistyped"},
		{"explain a peer as a pipe", "GET", "/v1/explain/" + somePeer + "?spread", "", 400, "bad-request", "is a peer"},
		{"doctor with a parameter", "GET", "/v1/doctor?loud", "", 400, "bad-request", "loud"},
		{"unknown pipe", "GET", "/v1/pipes/nobody", "", 404, "unknown", "nobody"},
		{"unbound pipe", "GET", "/v1/pipes/x/resolve", "", 404, "unbound", "nobody serves"},
		{"dial without upgrade", "GET", "/v1/pipes/x/dial", "", 400, "bad-request", "upgrade"},
		{"body where none is taken", "GET", "/v1/status", "{}", 400, "bad-request", "no body"},
		{"unknown field", "POST", "/v1/pipes", `{"name":"y","colour":"red"}`, 400, "bad-request", "colour"},
		{"two values", "POST", "/v1/pipes", `{"name":"y"}{"name":"z"}`, 400, "bad-request", "goes on"},
		{"wrong type", "POST", "/v1/pipes", `{"name":7}`, 400, "bad-request", "name"},
		{"not JSON", "POST", "/v1/pipes", `name=y`, 400, "bad-request", ""},
		{"too large", "POST", "/v1/pipes", `{"name":"` + strings.Repeat("y", api.MaxBody) + `"}`, 413, "too-large", "larger"},
		{"name taken", "POST", "/v1/pipes", `{"name":"x"}`, 409, "taken", "already"},
		{"bad type", "POST", "/v1/pipes", `{"name":"y","type":"round"}`, 400, "bad-request", "round"},
		{"bad backlog", "POST", "/v1/pipes/x/listen", `{"backlog":1000000}`, 400, "bad-request", "backlog"},
		{"bad principal", "POST", "/v1/pipes/x/listen", `{"allow":["me"]}`, 400, "bad-request", "me"},
		{"empty item", "POST", "/v1/pipes/x/listen", `{"allow":[""]}`, 400, "bad-request", "empty"},
		{"grant without right", "POST", "/v1/pipes/x/grants", `{"to":"me"}`, 400, "bad-request", ""},
		{"empty grant", "POST", "/v1/pipes/x/grants", ``, 400, "bad-request", "right"},
		{"empty revocation", "POST", "/v1/revocations", `{}`, 400, "bad-request", "capability"},
		{"rule with a bad transport", "POST", "/v1/gateway/rules", `{"kind":"socks","transport":"pigeon"}`, 400, "bad-request", "pigeon"},
		{"rules with a bad capability", "PUT", "/v1/gateway/rules", `{"rules":[{"kind":"socks"},{"kind":"expose","capability":"cap:zz"}]}`, 400, "bad-request", "rule 2"},
		{"unknown rule", "DELETE", "/v1/gateway/rules/x?drain", "", 404, "unknown", "x"},
		{"channels of an unknown rule", "GET", "/v1/gateway/rules/x/channels", "", 404, "unknown", "x"},
		{"unknown device", "DELETE", "/v1/account/devices/x", "", 404, "unknown", "no device"},
		{"draft without name", "POST", "/v1/account/drafts", `{"passphrase":"correct horse"}`, 400, "bad-request", "name"},
		{"no draft", "POST", "/v1/account", `{"account":"acct:x"}`, 404, "unknown", "no draft"},
		{"profile without change", "PUT", "/v1/account/profile", `{}`, 400, "bad-request", "nothing"},
		{"profile without name", "PUT", "/v1/account/profile", `{"name":""}`, 400, "bad-request", "name"},
		{"bad contact", "PUT", "/v1/account/profile", `{"contact":"perhaps"}`, 400, "bad-request", "perhaps"},
		{"name with an escape", "PUT", "/v1/account/profile", `{"name":"\u001b[2J"}`, 400, "bad-request", "control"},
		{"unknown connection", "GET", "/v1/connections/x", "", 404, "unknown", "no connection"},
		{"bad event ID", "GET", "/v1/events?since=now", "", 400, "bad-request", "now"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status, media, body := do(t, httpClient(socketOf(s)), request(t, tc.method, "http://panpipe"+tc.path, tc.body))
			p := problem(t, media, body)
			if status != tc.status || p.Status != tc.status || p.Code != tc.code || !strings.Contains(p.Detail, tc.says) {
				t.Errorf("got %d %s", status, body)
			}
			if p.Type != "urn:panpipe:problem:"+tc.code || p.Title == "" {
				t.Errorf("got %s", body)
			}
		})
	}
}

func TestMetricsAndProfilesAreServed(t *testing.T) {
	_, s, _ := serve(t)
	for path, says := range map[string]string{"/metrics": "", "/debug/pprof/": "goroutine", "/debug/pprof/cmdline": "test", "/debug/pprof/heap?debug=1": "heap profile"} {
		status, _, body := do(t, httpClient(socketOf(s)), request(t, "GET", "http://panpipe"+path, ""))
		if status != http.StatusOK || !bytes.Contains(body, []byte(says)) {
			t.Errorf("%s: %d %.200s", path, status, body)
		}
	}
}
