package config

import (
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/node"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// load reads settings from the text of a file, an environment and flags.
func load(t *testing.T, file string, env []string, flags map[string]any) (*Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	if env == nil {
		env = []string{}
	}
	return Load(Options{File: path, Env: env, Flags: flags})
}

func mustLoad(t *testing.T, file string, env []string, flags map[string]any) *Config {
	t.Helper()
	c, err := load(t, file, env, flags)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// somebody is an address to join through.
const somebody = "/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWT1DW8hdstHwavcgDBHUAa9k5YYMNoYZfNb6cLpXcqJGd"

func TestFlagsBeatEnvironmentBeatsFileBeatsDefaults(t *testing.T) {
	c := mustLoad(t, `
overlay = "from-file"
role = "client"
max_connections = 50
[relay]
serve = true
max_data = "2GiB"
max_duration = "90m"
[log.levels]
discovery = "debug"
`,
		[]string{"PANPIPE_OVERLAY=from-env", "PANPIPE_ROLE=server", "PANPIPE_PROFILE=work", "HOME=/x"},
		map[string]any{"overlay": "from-flag", "join": []string{somebody, somebody}})
	v := c.Values
	if v.Overlay != "from-flag" || v.Role != "server" || v.MaxConnections != 50 || !v.MDNS {
		t.Errorf("values %+v", v)
	}
	if !v.Relay.Serve || v.Relay.MaxData != 2<<30 || v.Relay.MaxDuration != 90*time.Minute || v.Relay.MaxCircuits != 16 {
		t.Errorf("relay %+v", v.Relay)
	}
	if v.Log.Levels["discovery"] != slog.LevelDebug {
		t.Errorf("levels %v", v.Log.Levels)
	}
	origins := map[string]string{}
	for _, s := range c.Settings() {
		origins[s.Key] = s.Origin
	}
	for key, want := range map[string]string{
		"overlay": "flag", "join": "flag", "role": "env PANPIPE_ROLE", "max_connections": "file " + c.File,
		"relay.max_data": "file " + c.File, "log.levels": "file " + c.File, "mdns": "default", "relay.max_circuits": "default",
	} {
		if origins[key] != want {
			t.Errorf("origin of %s: %q, want %q", key, origins[key], want)
		}
	}
}

func TestUnknownKeysAreRefusedWithTheNearest(t *testing.T) {
	for _, c := range []struct {
		name, file string
		env        []string
		flags      map[string]any
		what, next string
	}{
		{"file", `lisen = []`, nil, nil, `unknown key "lisen"`, `"listen"`},
		{"table", "[relay]\nmax_dta = 5", nil, nil, `unknown key "relay.max_dta"`, `"relay.max_data"`},
		{"without its table", `serve = true`, nil, nil, `unknown key "serve"`, `"relay.serve"`},
		{"environment", "", []string{"PANPIPE_MAX_CONNECTION=5"}, nil, "PANPIPE_MAX_CONNECTION", "PANPIPE_MAX_CONNECTIONS?"},
		{"flag", "", nil, map[string]any{"port-mapping": false}, `flag: unknown key "port-mapping"`, `"port_mapping"`},
		{"far from all", `qqqqqq = 1`, nil, nil, "qqqqqq", "config keys"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := load(t, c.file, c.env, c.flags)
			if wire.CodeOf(err) != wire.BadRequest || !strings.Contains(err.Error(), c.what) || !strings.Contains(wire.NextOf(err), c.next) {
				t.Errorf("error %v, next %q", err, wire.NextOf(err))
			}
		})
	}
}

func TestWrongTypesSayWhatIsWanted(t *testing.T) {
	for file, want := range map[string]string{
		`mdns = "perhaps"`:             `mdns: "perhaps" is neither true nor false`,
		`mdns = 1`:                     `mdns: want true or false, got a number`,
		`max_connections = "many"`:     `max_connections: "many" is not a number`,
		`max_connections = 1.5`:        `max_connections: want number, got a number with a fraction`,
		`max_connections = -1`:         `"-1" is not a number from 0 on`,
		`listen = [1]`:                 `listen: item 1: want text, got a number`,
		`listen = true`:                `listen: want list, got true or false`,
		"[relay]\nmax_data = \"10GB\"": `relay.max_data: "10GB" is not a size`,
		"[relay]\nmax_duration = 5":    `relay.max_duration: want duration, got a number`,
		`role = "king"`:                `role: "king" is not server or client`,
		"[log]\nlevel = \"loud\"":      `log.level: "loud" is not debug`,
		"[log]\nlevels = 3":            `log.levels: want level, got a number`,
		`relay = 3`:                    `unknown key "relay"`,
		"overlay = \"a\"\noverlay 3":   `line 2, column`,
	} {
		_, err := load(t, file, nil, nil)
		if wire.CodeOf(err) != wire.BadRequest || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q in it", file, err, want)
		}
	}
}

func TestEverythingWrongIsToldAtOnce(t *testing.T) {
	_, err := load(t, "lisen = []\nmdns = 3", []string{"PANPIPE_ROL=client"}, map[string]any{"role": "x"})
	for _, want := range []string{"lisen", "mdns", "PANPIPE_ROL", "role"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not mention %s", err, want)
		}
	}
}

func TestMissingFileIsAnErrorOnlyWhenAskedFor(t *testing.T) {
	if _, err := Load(Options{File: filepath.Join(t.TempDir(), "none.toml"), Env: []string{}}); wire.CodeOf(err) != wire.BadRequest {
		t.Errorf("asked for: %v", err)
	}
	if _, err := Load(Options{Profile: "surely-nobody-has-this-profile", Env: []string{}}); err != nil {
		t.Errorf("not asked for: %v", err)
	}
}

func TestProfileNamesCannotLeaveTheirDirectory(t *testing.T) {
	for _, p := range []string{"", "..", "a/b", `a\b`, "x.y", strings.Repeat("a", 64)} {
		if _, err := Path(p); wire.CodeOf(err) != wire.BadRequest {
			t.Errorf("Path(%q): %v", p, err)
		}
		if _, err := StateDir(p); wire.CodeOf(err) != wire.BadRequest {
			t.Errorf("StateDir(%q): %v", p, err)
		}
	}
}

func TestEnvironmentSetsListsSizesAndLevels(t *testing.T) {
	v := mustLoad(t, "", []string{
		"PANPIPE_LISTEN=/ip4/127.0.0.1/tcp/0, /ip4/127.0.0.1/udp/0/quic-v1", "PANPIPE_LIMITS_MEMORY=256MiB",
		"PANPIPE_LOG_LEVELS=pipe=debug,libp2p=warn", "PANPIPE_MDNS=false", "PANPIPE_RELAY_MAX_DURATION=1h",
	}, nil).Values
	if len(v.Listen) != 2 || v.Limits.Memory != 256<<20 || v.MDNS || v.Relay.MaxDuration != time.Hour ||
		v.Log.Levels["pipe"] != slog.LevelDebug || v.Log.Levels["libp2p"] != slog.LevelWarn {
		t.Errorf("values %+v", v)
	}
}

// leaves are the addresses of all fields of a struct that are no structs.
func leaves(v reflect.Value) map[any]string {
	all := map[any]string{}
	for i := range v.NumField() {
		f, name := v.Field(i), v.Type().Field(i).Name
		if f.Kind() == reflect.Struct {
			for p, n := range leaves(f) {
				all[p] = name + "." + n
			}
			continue
		}
		all[f.Addr().Interface()] = name
	}
	return all
}

func TestEveryFieldHasExactlyOneKey(t *testing.T) {
	var v Values
	fields := leaves(reflect.ValueOf(&v).Elem())
	seen := map[string]bool{}
	for _, s := range specs() {
		p := s.field(&v)
		if fields[p] == "" {
			t.Errorf("%s: no field, or one that another key has", s.key)
		}
		delete(fields, p)
		if seen[s.key] || s.doc == "" || !strings.HasSuffix(s.doc, ".") {
			t.Errorf("%s: twice, or without a sentence", s.key)
		}
		seen[s.key] = true
	}
	for _, name := range fields {
		t.Errorf("field %s has no key", name)
	}
}

func TestKeysAreDescribedWithDefaultsThatParse(t *testing.T) {
	env := map[string]bool{}
	for _, k := range Keys() {
		if k.Type == "" || k.Doc == "" || env[k.Env] {
			t.Errorf("key %+v", k)
		}
		env[k.Env] = true
		if k.Name == "state_dir" || k.Name == "log.levels" {
			continue
		}
		c := mustLoad(t, "", []string{k.Env + "=" + k.Default}, nil)
		for _, s := range c.Settings() {
			if s.Key == k.Name && (s.Text != k.Default || !reflect.DeepEqual(s.Value, k.Value)) {
				t.Errorf("%s: default %q, %v came back as %q, %v", k.Name, k.Default, k.Value, s.Text, s.Value)
			}
		}
	}
}

func TestSettingsHaveJSONTypes(t *testing.T) {
	c := mustLoad(t, "[log.levels]\ndiscovery = \"debug\"\n", nil, nil)
	got := map[string]any{}
	for _, s := range c.Settings() {
		got[s.Key] = s.Value
	}
	for key, want := range map[string]any{
		"overlay": "panpipe", "mdns": true, "max_connections": 100, "relay.max_data": int64(16 << 30), "relay.max_duration": "24h0m0s",
		"join": []string{}, "log.level": "info", "log.levels": map[string]string{"discovery": "debug"},
	} {
		if !reflect.DeepEqual(got[key], want) {
			t.Errorf("%s is %#v, want %#v", key, got[key], want)
		}
	}
}

// other is a value for a field that is not its default.
func other(p any) any {
	switch p := p.(type) {
	case *string:
		return "client"
	case *[]string:
		return []string{"tcp"}
	case *bool:
		return !*p
	case *int:
		return "4242"
	case *Size:
		return "4242"
	case *time.Duration:
		return "42s"
	}
	return nil
}

func TestEveryNodeSettingReachesTheNode(t *testing.T) {
	def := mustLoad(t, "", nil, nil).Node(nil)
	flags := map[string]any{"log.levels": "pipe=debug"}
	for _, s := range specs() {
		v := defaults("")
		if value := other(s.field(&v)); value != nil && s.key != "log.format" {
			flags[s.key] = value
		}
	}
	flags["listen"], flags["join"], flags["api.tcp"] = []string{}, []string{somebody}, "127.0.0.1:4242"
	got := mustLoad(t, "", nil, flags).Node(nil)
	notSettings := []string{"Log", "Libp2p", "DisableNetworkWatch", "Providers", "Listen"} // Listen is empty with NoListen
	changed(t, reflect.ValueOf(def), reflect.ValueOf(got), notSettings)
	if listen := mustLoad(t, `listen = ["/ip4/127.0.0.1/tcp/1"]`, nil, nil).Node(nil); listen.NoListen || len(listen.Listen) != 1 {
		t.Errorf("listen: %v", listen.Listen)
	}
}

func changed(t *testing.T, a, b reflect.Value, except []string) {
	for i := range a.NumField() {
		name := a.Type().Field(i).Name
		switch {
		case slices.Contains(except, name):
		case a.Field(i).Kind() == reflect.Struct:
			changed(t, a.Field(i), b.Field(i), nil)
		case reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()):
			t.Errorf("no key changes %s.%s", a.Type().Name(), name)
		}
	}
}

func TestDefaultsAreThoseOfTheNode(t *testing.T) {
	c := mustLoad(t, "", nil, nil)
	n := c.Node(nil)
	if n.Listen != nil || n.NoListen || n.DisableMDNS || n.DisablePortMapping {
		t.Errorf("%+v", n)
	}
	if got, want := c.Values.Listen, node.DefaultListen(); !slices.Equal(got, want) {
		t.Errorf("listen %v, want %v", got, want)
	}
}

// TestTextsThatCannotWorkAreRefusedByKey: all at once, in plain words.
func TestTextsThatCannotWorkAreRefusedByKey(t *testing.T) {
	for key, bad := range map[string][]string{
		"overlay":    {"", "Not One"},
		"join":       {"nowhere", "/ip4/192.0.2.1/tcp/1", somebody + "zzz"},
		"listen":     {"nowhere", "/ip4/300.0.0.1/tcp/1"},
		"transports": {"pigeon"},
		"api.tcp":    {"127.0.0.1", "0.0.0.0:1", "example.com:1", "127.0.0.1:nine"},
	} {
		for _, value := range bad {
			_, err := load(t, "", nil, map[string]any{key: value})
			if wire.CodeOf(err) != wire.BadRequest || !strings.HasPrefix(err.Error(), "flag: "+key+": ") || strings.Contains(err.Error(), "failed to") {
				t.Errorf("%s = %q: %v", key, value, err)
			}
		}
	}
}

func FuzzFileNeverPanics(f *testing.F) {
	f.Add("overlay = \"x\"\n[relay]\nserve = true\n")
	f.Add("listen = [1, [2]]\n[log.levels]\na = \"debug\"")
	f.Add("relay = [[1]]\nlimits.memory = 99999999999999999999")
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), "f.toml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(Options{File: path, Env: []string{}})
		if err != nil && wire.CodeOf(err) != wire.BadRequest && wire.CodeOf(err) != wire.TooLarge {
			t.Errorf("error outside the vocabulary's refusals: %v", err)
		}
		if err == nil && len(c.Settings()) != len(specs()) {
			t.Error("settings are missing")
		}
	})
}
