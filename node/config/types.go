package config

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Size is a number of bytes. It is written as a number, or with KiB, MiB, GiB
// or TiB behind it.
type Size int64

// levels is log.levels.
type levels = map[string]slog.Level

var sizeUnits = []struct {
	name  string
	bytes int64
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

// String writes the size with the largest unit that divides it.
func (s Size) String() string {
	for _, u := range sizeUnits {
		if s != 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

func parseSize(text string) (Size, error) {
	number, unit := strings.TrimSpace(text), int64(1)
	for _, u := range sizeUnits {
		if n, ok := strings.CutSuffix(number, u.name); ok {
			number, unit = strings.TrimSpace(n), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/unit {
		return 0, fmt.Errorf("%q is not a size such as 1048576 or 16GiB", text)
	}
	return Size(n * unit), nil
}

// typeName is how the reference calls the type of a field.
func typeName(field any) string {
	switch field.(type) {
	case *string:
		return "text"
	case *[]string:
		return "list"
	case *bool:
		return "true or false"
	case *int:
		return "number"
	case *Size:
		return "size"
	case *time.Duration:
		return "duration"
	case *slog.Level:
		return "level"
	case *levels:
		return "levels"
	}
	panic(fmt.Sprintf("config: no type for %T", field))
}

// format writes a field's value as a person would.
func format(field any) string {
	switch f := field.(type) {
	case *[]string:
		return strings.Join(*f, ",")
	case *slog.Level:
		return strings.ToLower(f.String())
	case *levels:
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(*f)) {
			parts = append(parts, name+"="+strings.ToLower((*f)[name].String()))
		}
		return strings.Join(parts, ",")
	case *string:
		return *f
	case *bool:
		return strconv.FormatBool(*f)
	case *int:
		return strconv.Itoa(*f)
	case *Size:
		return f.String()
	case *time.Duration:
		return f.String()
	}
	panic(fmt.Sprintf("config: no format for %T", field))
}

// plain is a field's value as JSON has it. Durations and levels are text.
func plain(field any) any {
	switch f := field.(type) {
	case *[]string:
		return append([]string{}, *f...)
	case *levels:
		named := make(map[string]string, len(*f))
		for name, l := range *f {
			named[name] = strings.ToLower(l.String())
		}
		return named
	case *bool:
		return *f
	case *int:
		return *f
	case *Size:
		return int64(*f)
	}
	return format(field)
}

// assign puts a value of a layer into a field. Values come as TOML gives them,
// as the flags' own types, or as text.
func assign(field, value any) error {
	switch f := field.(type) {
	case *string:
		return into(f, value, func(s string) (string, error) { return s, nil })
	case *[]string:
		return assignList(f, value)
	case *bool:
		return into(f, value, func(s string) (bool, error) {
			b, err := strconv.ParseBool(s)
			if err != nil {
				return false, fmt.Errorf("%q is neither true nor false", s)
			}
			return b, nil
		})
	case *int:
		if n, ok := value.(int64); ok {
			return assign(field, strconv.FormatInt(n, 10))
		}
		return into(f, value, func(s string) (int, error) {
			n, err := strconv.Atoi(s)
			if err != nil || n < 0 {
				return 0, fmt.Errorf("%q is not a number from 0 on", s)
			}
			return n, nil
		})
	case *Size:
		if n, ok := value.(int64); ok {
			return assign(field, strconv.FormatInt(n, 10))
		}
		return into(f, value, parseSize)
	case *time.Duration:
		return into(f, value, func(s string) (time.Duration, error) {
			d, err := time.ParseDuration(s)
			if err != nil || d < 0 {
				return 0, fmt.Errorf("%q is not a duration such as 90s, 10m or 24h", s)
			}
			return d, nil
		})
	case *slog.Level:
		return into(f, value, parseLevel)
	}
	return errors.ErrUnsupported
}

// into takes a value of the field's type, or parses text.
func into[T any](field *T, value any, parse func(string) (T, error)) error {
	switch v := value.(type) {
	case T:
		if text, ok := value.(string); ok {
			parsed, err := parse(text)
			if err != nil {
				return err
			}
			v, _ = any(parsed).(T)
		}
		*field = v
		return nil
	case string:
		parsed, err := parse(v)
		if err != nil {
			return err
		}
		*field = parsed
		return nil
	}
	return fmt.Errorf("want %s, got %s", typeName(field), kindOf(value))
}

// assignList takes a list of texts, or one text with commas.
func assignList(field *[]string, value any) error {
	switch v := value.(type) {
	case []string:
		*field = slices.Clone(v)
		return nil
	case string:
		*field = []string{}
		for part := range strings.SplitSeq(v, ",") {
			if part = strings.TrimSpace(part); part != "" {
				*field = append(*field, part)
			}
		}
		return nil
	case []any:
		list := make([]string, len(v))
		for i, item := range v {
			text, ok := item.(string)
			if !ok {
				return fmt.Errorf("item %d: want text, got %s", i+1, kindOf(item))
			}
			list[i] = text
		}
		*field = list
		return nil
	}
	return fmt.Errorf("want list, got %s", kindOf(value))
}

// assignLevels adds one level by name, or several from "name=level,…".
func assignLevels(field *levels, name string, value any) error {
	text, ok := value.(string)
	if !ok {
		return fmt.Errorf("want level, got %s", kindOf(value))
	}
	all := maps.Clone(*field)
	if all == nil {
		all = levels{}
	}
	pairs := []string{name + "=" + text}
	if name == "" {
		pairs = strings.Split(text, ",")
	}
	for _, pair := range pairs {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		n, word, ok := strings.Cut(pair, "=")
		if n = strings.TrimSpace(n); !ok || n == "" {
			return fmt.Errorf("%q is not subsystem=level", pair)
		}
		l, err := parseLevel(strings.TrimSpace(word))
		if err != nil {
			return err
		}
		all[n] = l
	}
	*field = all
	return nil
}

func parseLevel(s string) (slog.Level, error) {
	for _, l := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if strings.EqualFold(s, l.String()) {
			return l, nil
		}
	}
	return 0, fmt.Errorf("%q is not debug, info, warn or error", s)
}

// kindOf names what a value is, in the words of the file's format.
func kindOf(value any) string {
	switch value.(type) {
	case string:
		return "text"
	case bool:
		return "true or false"
	case int, int64:
		return "a number"
	case float64:
		return "a number with a fraction"
	case []any, []string:
		return "a list"
	case map[string]any:
		return "a table"
	}
	return fmt.Sprintf("%T", value)
}
