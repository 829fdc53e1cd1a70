package api

import (
	"bytes"
	"encoding/json"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestQueryIsReadAsItWasWritten(t *testing.T) {
	in := DialQuery{Transport: "tcp", Binder: []string{"a", "b"}, Wait: Duration(90 * time.Second), Capability: "cap:x", NoCache: true, Spread: true, Path: "direct-only"}
	var out DialQuery
	if err := DecodeQuery(EncodeQuery(in), &out); err != nil || !reflect.DeepEqual(in, out) {
		t.Errorf("%+v, %v", out, err)
	}
	if q := EncodeQuery(DialQuery{}); len(q) != 0 {
		t.Errorf("zero fields are written: %v", q)
	}
	if q := EncodeQuery(EventsQuery{Since: 7}); q.Get("since") != "7" {
		t.Errorf("%v", q)
	}
}

func TestBoolWithoutValueIsTrue(t *testing.T) {
	var q DialQuery
	if err := DecodeQuery(url.Values{"spread": {""}, "no_cache": {"false"}}, &q); err != nil || !q.Spread || q.NoCache {
		t.Errorf("%+v, %v", q, err)
	}
}

func TestProblemKeepsCodeWordsAndAdvice(t *testing.T) {
	for _, code := range wire.Codes()[1:] {
		in := wire.Errorf(code, "it failed").WithNext("do this")
		p := ProblemOf(in)
		out := p.Err()
		if wire.CodeOf(out) != code || out.Error() != "it failed" || wire.NextOf(out) != "do this" || p.Status < 400 || p.Title == "" {
			t.Errorf("%v became %+v and %v", code, p, out)
		}
	}
	if ProblemOf(nil) != nil || (*Problem)(nil).Err() != nil {
		t.Error("no error is a problem")
	}
	if err := (&Problem{Code: "something new", Detail: "x"}).Err(); wire.CodeOf(err) != wire.Internal {
		t.Errorf("an unknown code became %v", wire.CodeOf(err))
	}
}

func TestTruncatedBodiesAreRefused(t *testing.T) {
	whole, err := json.Marshal(ListenRequest{Capability: "cap:x", Allow: []string{"a", "b"}, Term: 3, Life: Duration(time.Minute), Backlog: 5})
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n < len(whole); n++ {
		var q ListenRequest
		if err := Decode(bytes.NewReader(whole[:n]), &q); wire.CodeOf(err) != wire.BadRequest {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
	var q ListenRequest
	if err := Decode(bytes.NewReader(whole), &q); err != nil || q.Backlog != 5 {
		t.Errorf("%+v, %v", q, err)
	}
}

func FuzzDecodeBody(f *testing.F) {
	for _, s := range []string{
		``, `{}`, `null`, `[]`, `{"name":"x"}`, `{"name":"x","transports":["tcp"]}`, `{"colour":1}`, `{"name":7}`, `{} {}`, `{"name":"` + strings.Repeat("x", 300) + `"}`,
		`{"right":"bind","to":"peer:x","for":"24h","term":18446744073709551615}`, `{"life":"-1s"}`, `{"life":"9999999999h"}`, `{"backlog":1e400}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, v := range []any{new(CreateRequest), new(ListenRequest), new(GrantRequest), new(RevokeRequest)} {
			err := Decode(bytes.NewReader(b), v)
			switch wire.CodeOf(err) {
			case wire.OK, wire.BadRequest, wire.TooLarge:
			default:
				t.Errorf("%v", err)
			}
		}
	})
}

func FuzzDecodeQuery(f *testing.F) {
	for _, s := range []string{"", "wait=30s", "wait=-1s", "transport=tcp&transport=ws", "binder=a&binder=b", "no_cache", "no_cache=maybe", "since=1", "since=-1", "%zz=1", "path=%00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q, err := url.ParseQuery(s)
		if err != nil {
			return
		}
		for _, v := range []any{new(DialQuery), new(ResolveQuery), new(EventsQuery)} {
			err := DecodeQuery(q, v)
			if err != nil && wire.CodeOf(err) != wire.BadRequest {
				t.Errorf("%v", err)
			}
			if err != nil {
				continue
			}
			again := reflect.New(reflect.TypeOf(v).Elem())
			if err := DecodeQuery(EncodeQuery(reflect.ValueOf(v).Elem().Interface()), again.Interface()); err != nil {
				t.Errorf("%+v cannot be read again: %v", v, err)
			}
		}
	})
}
