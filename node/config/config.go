// Package config reads the settings of a profile: defaults, then the profile's
// TOML file, then the environment, then flags, each over the one before. It
// knows where each value came from, refuses what it does not know, and
// describes every key.
package config

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/adrg/xdg"
	"github.com/knadh/koanf/v2"
	"github.com/pelletier/go-toml/v2"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// DefaultProfile is the profile of who names none.
const DefaultProfile = "default"

// maxFile caps what is read of a file, in bytes.
const maxFile = 1 << 20

// Options say where settings come from.
type Options struct {
	Profile string         // empty: DefaultProfile
	File    string         // a file that must be there; empty: the profile's, if it is there
	Env     []string       // "NAME=value"; nil: the process's
	Flags   map[string]any // by key, as text or as the key's own type
}

// Config is what Load has read.
type Config struct {
	Values  Values
	File    string            // the file that was read, or would be
	origins map[string]string // by key
}

// Setting is one value and where it comes from.
type Setting struct {
	Key    string
	Text   string // as it would be written
	Value  any    // as JSON has it: true, a number (of bytes, for a size), text, a list, or levels by name
	Origin string // "default", "file PATH", "env NAME", "flag"
}

const originDefault = "default"

// Path is the file of a profile, under the XDG config directory.
func Path(profile string) (string, error) {
	if err := checkProfile(profile); err != nil {
		return "", err
	}
	return filepath.Join(xdg.ConfigHome, "panpipe", profile+".toml"), nil
}

// StateDir is the state directory of a profile, under the XDG state directory.
func StateDir(profile string) (string, error) {
	if err := checkProfile(profile); err != nil {
		return "", err
	}
	return filepath.Join(xdg.StateHome, "panpipe", profile), nil
}

// checkProfile takes what is safe as part of a path.
func checkProfile(profile string) error {
	bad := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	}
	if profile == "" || len(profile) > 63 || strings.ContainsFunc(profile, bad) {
		return wire.Errorf(wire.BadRequest, "profile %q is not 1 to 63 letters, digits, '-' or '_'", profile)
	}
	return nil
}

// Load reads the settings. Everything that is wrong is told at once, as
// wire.BadRequest.
func Load(o Options) (*Config, error) {
	if o.Profile == "" {
		o.Profile = DefaultProfile
	}
	if o.Env == nil {
		o.Env = os.Environ()
	}
	dir, err := StateDir(o.Profile)
	if err != nil {
		return nil, err
	}
	c := &Config{Values: defaults(dir), File: o.File, origins: map[string]string{}}
	if c.File == "" {
		if c.File, err = Path(o.Profile); err != nil {
			return nil, err
		}
	}
	for _, s := range specs() {
		c.origins[s.key] = originDefault
	}
	file, err := readFile(c.File, o.File != "")
	if err != nil {
		return nil, err
	}
	env, envErr := readEnv(o.Env)
	err = errors.Join(
		c.apply(file, func(string) string { return "file " + c.File }),
		envErr,
		c.apply(env, func(key string) string { return "env " + envName(key) }),
		c.apply(o.Flags, func(string) string { return "flag" }),
	)
	if err == nil && c.origins["listen"] != originDefault {
		err = checkTogether(c.Values)
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// apply lays one layer over the values. origin tells where a key of it was.
func (c *Config) apply(layer map[string]any, origin func(key string) string) error {
	k := koanf.New(".")
	if err := k.Load(mapProvider(layer), nil); err != nil {
		return wire.Errorf(wire.BadRequest, "%s: %w", origin(""), err)
	}
	flat := k.All()
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(flat)) {
		s, rest, ok := find(key)
		if !ok {
			errs = append(errs, unknownKey(origin(key), key))
			continue
		}
		if err := set(s, rest, s.field(&c.Values), flat[key]); err != nil {
			errs = append(errs, wire.Errorf(wire.BadRequest, "%s: %s: %w", origin(s.key), key, err).WithNext("%s", wire.NextOf(err)))
			continue
		}
		c.origins[s.key] = origin(s.key)
	}
	return errors.Join(errs...)
}

// set puts a value into the field of s.
func set(s spec, rest string, field, value any) error {
	if f, ok := field.(*levels); ok {
		return assignLevels(f, rest, value)
	}
	if err := assign(field, value); err != nil {
		return err
	}
	var errs []error
	switch f := field.(type) {
	case *string:
		return checkText(s, *f)
	case *[]string:
		for _, text := range *f {
			errs = append(errs, checkText(s, text))
		}
	}
	return errors.Join(errs...)
}

func unknownKey(origin, key string) error {
	err := wire.Errorf(wire.BadRequest, "%s: unknown key %q", origin, key)
	var names []string
	for _, s := range specs() {
		names = append(names, s.key)
	}
	if n := nearest(key, names); n != "" {
		return err.WithNext("did you mean %q?", n)
	}
	return err.WithNext("panpipe config keys lists all keys")
}

// Settings lists every key with its value and origin, in the order of Keys.
func (c *Config) Settings() []Setting {
	var all []Setting
	for _, s := range specs() {
		p := s.field(&c.Values)
		all = append(all, Setting{Key: s.key, Text: format(p), Value: plain(p), Origin: c.origins[s.key]})
	}
	return all
}

// readFile reads TOML. A file that is not there is empty, unless it must be.
func readFile(path string, must bool) (map[string]any, error) {
	st, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) && !must {
		return nil, nil
	}
	if err != nil {
		return nil, wire.Errorf(wire.BadRequest, "config file: %w", err).WithNext("check the path")
	}
	if st.Size() > maxFile {
		return nil, wire.Errorf(wire.TooLarge, "config file %s: %d bytes, at most %d", path, st.Size(), maxFile)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, wire.Errorf(wire.BadRequest, "config file: %w", err)
	}
	var m map[string]any
	if err := toml.Unmarshal(b, &m); err != nil {
		var at *toml.DecodeError
		if errors.As(err, &at) {
			row, column := at.Position()
			return nil, wire.Errorf(wire.BadRequest, "config file %s, line %d, column %d: %w", path, row, column, err)
		}
		return nil, wire.Errorf(wire.BadRequest, "config file %s: %w", path, err)
	}
	return m, nil
}

// readEnv takes the variables that are settings, by key, and refuses those
// that look like one.
func readEnv(env []string) (map[string]any, error) {
	keys := map[string]string{}
	for _, s := range specs() {
		keys[envName(s.key)] = s.key
	}
	m := map[string]any{}
	var errs []error
	for _, pair := range env {
		name, value, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, envPrefix) || slices.Contains(envOfCLI(), name) {
			continue
		}
		key, ok := keys[name]
		if !ok {
			errs = append(errs, unknownEnv(name, slices.Sorted(maps.Keys(keys))))
			continue
		}
		m[key] = value
	}
	return m, errors.Join(errs...)
}

func unknownEnv(name string, names []string) error {
	err := wire.Errorf(wire.BadRequest, "environment: unknown setting %s", name)
	if n := nearest(name, names); n != "" {
		return err.WithNext("did you mean %s?", n)
	}
	return err.WithNext("unset it; panpipe config keys lists all keys")
}

// mapProvider hands a map to koanf.
type mapProvider map[string]any

// ReadBytes is for providers of text.
func (mapProvider) ReadBytes() ([]byte, error) { return nil, errors.ErrUnsupported }

// Read returns the map.
func (m mapProvider) Read() (map[string]any, error) { return m, nil }
