package control

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

var update = flag.Bool("update", false, "write openapi.json anew")

// TestOpenAPIMatchesRoutesAndTypes makes the description from the table of
// routes, the types, and their comments, and compares it with the file that is
// served. After a change: go test ./node/control -run OpenAPI -update
func TestOpenAPIMatchesRoutesAndTypes(t *testing.T) {
	want := describe(t, (&Server{cfg: Config{Metrics: nil}}).routes())
	if *update {
		if err := os.WriteFile("openapi.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(want, openAPI) {
		t.Fatal("openapi.json is not what routes and types say; run: go test ./node/control -run OpenAPI -update")
	}
}

// object is JSON whose keys are written in sorted order.
type object = map[string]any

// describer builds an OpenAPI 3.1 document.
type describer struct {
	t       *testing.T
	docs    map[string]string // comments of the API's types: "Type" and "Type.Field"
	schemas object
}

func describe(t *testing.T, routes []route) []byte {
	d := &describer{t: t, docs: typeComments(t), schemas: object{}}
	paths := object{}
	for _, rt := range routes {
		p, ok := paths[rt.path].(object)
		if !ok {
			p = object{}
			paths[rt.path] = p
		}
		p[strings.ToLower(rt.method)] = d.operation(rt)
	}
	d.schema(reflect.TypeFor[api.Problem]())
	var codes []string
	for _, c := range wire.Codes()[1:] {
		codes = append(codes, c.String())
	}
	d.schemas["Problem"].(object)["properties"].(object)["code"].(object)["enum"] = codes
	doc := object{
		"openapi": "3.1.0",
		"info": object{
			"title": "Panpipe local API", "version": "v1", "license": object{"name": "MIT", "identifier": "MIT"},
			"description": d.docs["package"],
		},
		"servers": []object{{"url": "http://panpipe", "description": "The node's Unix socket; the host name means nothing there."}},
		"paths":   paths,
		"components": object{
			"schemas": d.schemas,
			"securitySchemes": object{"token": object{
				"type": "http", "scheme": "bearer", "description": "Needed on TCP only. A token has the scope read or write.",
			}},
		},
	}
	out, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(out, '\n')
}

func (d *describer) operation(rt route) object {
	op := object{"summary": rt.summary, "security": []object{{"token": []string{map[scope]string{scopeRead: "read", scopeWrite: "write"}[rt.needs]}}}}
	if params := d.parameters(rt); len(params) > 0 {
		op["parameters"] = params
	}
	if rt.body != nil {
		op["requestBody"] = object{"content": object{jsonMedia: object{"schema": d.schema(rt.body)}}}
	}
	success := object{"description": http.StatusText(rt.status)}
	switch {
	case rt.answer != nil:
		success["content"] = object{rt.media: object{"schema": d.schema(rt.answer)}}
	case rt.media != "":
		success["content"] = object{rt.media: object{}}
	}
	op["responses"] = object{
		strconv.Itoa(rt.status): success,
		"default":               object{"description": "A failure.", "content": object{api.ProblemType: object{"schema": d.schema(reflect.TypeFor[api.Problem]())}}},
	}
	return op
}

func (d *describer) parameters(rt route) []object {
	var params []object
	for part := range strings.SplitSeq(rt.path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			name = strings.TrimSuffix(name, "}")
			doc := map[string]string{"ref": "A local name or a pipe ID; for explain also a peer ID, a principal, or an account's ID.", "id": "The connection's ID.",
				"device":  "A device's peer ID, or its name if only one has it.",
				"rule":    "A rule's ID, the address where it listens, or the pipe that it exposes.",
				"buddy":   "An account's ID (acct:…), a petname, or the name that a buddy gives itself, if one alone has it.",
				"account": "An account's ID (acct:…), or the name in the request, if one alone has it."}[name]
			params = append(params, object{"name": name, "in": "path", "required": true, "description": doc, "schema": object{"type": "string"}})
		}
	}
	if rt.query == nil {
		return params
	}
	for i := range rt.query.NumField() {
		f := rt.query.Field(i)
		params = append(params, object{"name": jsonName(f), "in": "query", "description": d.doc(rt.query.Name(), f.Name), "schema": d.schema(f.Type)})
	}
	return params
}

// schema describes a type; structs by reference.
func (d *describer) schema(t reflect.Type) object {
	switch t {
	case reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case reflect.TypeFor[api.Duration]():
		return object{"type": "string", "examples": []string{"30s", "1h30m"}}
	case reflect.TypeFor[[]byte]():
		return object{"type": "string", "contentEncoding": "base64"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return d.schema(t.Elem())
	case reflect.Slice:
		return object{"type": "array", "items": d.schema(t.Elem())}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return object{"type": "integer"}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.Struct:
		return d.structSchema(t)
	case reflect.Interface: // a value of the configuration
		return object{"oneOf": []object{
			{"type": "string"}, {"type": "boolean"}, {"type": "integer"}, {"type": "array", "items": object{"type": "string"}},
			{"type": "object", "additionalProperties": object{"type": "string"}},
		}}
	}
	d.t.Fatalf("the API has a field of type %v, which has no schema", t)
	return nil
}

func (d *describer) structSchema(t reflect.Type) object {
	ref := object{"$ref": "#/components/schemas/" + t.Name()}
	if _, ok := d.schemas[t.Name()]; ok {
		return ref
	}
	properties, required := object{}, []string{}
	d.schemas[t.Name()] = object{
		"type": "object", "description": d.doc(t.Name(), ""), "properties": properties, "additionalProperties": false,
	}
	for i := range t.NumField() {
		f := t.Field(i)
		p := d.schema(f.Type)
		p["description"] = d.doc(t.Name(), f.Name)
		properties[jsonName(f)] = p
		if !strings.Contains(f.Tag.Get("json"), "omitempty") {
			required = append(required, jsonName(f))
		}
	}
	if len(required) > 0 {
		d.schemas[t.Name()].(object)["required"] = required
	}
	return ref
}

func (d *describer) doc(typ, field string) string {
	key := typ
	if field != "" {
		key += "." + field
	}
	if d.docs[key] == "" {
		d.t.Errorf("%s has no comment", key)
	}
	return d.docs[key]
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// typeComments reads the comments of package api.
func typeComments(t *testing.T) map[string]string {
	docs := map[string]string{}
	files, err := filepath.Glob("api/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if f.Doc != nil {
			docs["package"] = f.Doc.Text()
		}
		for _, decl := range f.Decls {
			g, ok := decl.(*ast.GenDecl)
			if !ok || g.Tok != token.TYPE {
				continue
			}
			typeComment(docs, g)
		}
	}
	return docs
}

func typeComment(docs map[string]string, g *ast.GenDecl) {
	spec := g.Specs[0].(*ast.TypeSpec)
	docs[spec.Name.Name] = oneLine(g.Doc.Text())
	s, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, f := range s.Fields.List {
		for _, n := range f.Names {
			docs[spec.Name.Name+"."+n.Name] = oneLine(f.Doc.Text())
		}
	}
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
