package api

import (
	"encoding"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// EncodeQuery writes the fields of a struct as query parameters, under their
// JSON names. Zero fields are left out.
func EncodeQuery(v any) url.Values {
	q := url.Values{}
	for name, f := range queryFields(reflect.ValueOf(v)) {
		switch {
		case f.IsZero():
		case f.Kind() == reflect.Slice:
			for i := range f.Len() {
				q.Add(name, f.Index(i).String())
			}
		default:
			q.Set(name, queryText(f))
		}
	}
	return q
}

func queryText(f reflect.Value) string {
	if m, ok := f.Interface().(encoding.TextMarshaler); ok {
		text, _ := m.MarshalText() // the package's own types cannot fail
		return string(text)
	}
	switch f.Kind() {
	case reflect.Bool:
		return strconv.FormatBool(f.Bool())
	case reflect.Uint64:
		return strconv.FormatUint(f.Uint(), 10)
	default:
		return f.String()
	}
}

// DecodeQuery reads query parameters into the struct that v points to. What
// the struct does not know, what is given twice without being a list, and what
// cannot be read is wire.BadRequest and names the parameter. A bool given
// without a value is true.
func DecodeQuery(q url.Values, v any) error {
	fields := queryFields(reflect.ValueOf(v).Elem())
	for _, name := range sortedKeys(q) {
		f, ok := fields[name]
		if !ok {
			return wire.Errorf(wire.BadRequest, "unknown query parameter %q", name).
				WithNext("use one of: %s", strings.Join(sortedKeys(fields), ", "))
		}
		if f.Kind() == reflect.Slice {
			f.Set(reflect.ValueOf(slices.Clone(q[name])))
			continue
		}
		if len(q[name]) > 1 {
			return wire.Errorf(wire.BadRequest, "query parameter %q is given %d times", name, len(q[name]))
		}
		if err := setQuery(f, q.Get(name)); err != nil {
			return wire.Errorf(wire.CodeOf(err), "query parameter %q: %w", name, err)
		}
	}
	return nil
}

func setQuery(f reflect.Value, text string) error {
	if u, ok := f.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch f.Kind() {
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if text == "" {
			b, err = true, nil
		}
		if err != nil {
			return wire.Errorf(wire.BadRequest, "%q is neither true nor false", text)
		}
		f.SetBool(b)
	case reflect.Uint64:
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return wire.Errorf(wire.BadRequest, "%q is not a whole number", text)
		}
		f.SetUint(n)
	default:
		f.SetString(text)
	}
	return nil
}

// queryFields maps the JSON names of a struct's fields to the fields.
func queryFields(s reflect.Value) map[string]reflect.Value {
	fields := map[string]reflect.Value{}
	for i := range s.NumField() {
		name, _, _ := strings.Cut(s.Type().Field(i).Tag.Get("json"), ",")
		fields[name] = s.Field(i)
	}
	return fields
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
