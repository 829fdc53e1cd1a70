package house

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/panpipe-net/panpipe/node"
	"github.com/panpipe-net/panpipe/node/config"
)

func readme(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// shownDefault is how README writes a default.
func shownDefault(t *testing.T, k config.Key) string {
	switch k.Name {
	case "state_dir":
		if !strings.HasSuffix(k.Default, filepath.Join("panpipe", config.DefaultProfile)) {
			t.Errorf("the default of state_dir is %s", k.Default)
		}
		return "`$XDG_STATE_HOME/panpipe/PROFILE`"
	case "listen":
		if k.Default != strings.Join(node.DefaultListen(), ",") {
			t.Errorf("the default of listen is %s", k.Default)
		}
		return "each transport on a free port, IPv4 and IPv6"
	}
	if k.Default == "" {
		return "empty"
	}
	return "`" + strings.ReplaceAll(k.Default, ",", ", ") + "`"
}

// TestReadmeListsEverySetting compares README's table of settings with those
// that the program takes, and their defaults.
func TestReadmeListsEverySetting(t *testing.T) {
	text := readme(t)
	for _, k := range config.Keys() {
		if line := fmt.Sprintf("| `%s` | %s | %s | %s |\n", k.Name, k.Type, shownDefault(t, k), k.Doc); !strings.Contains(text, line) {
			t.Errorf("README.md lacks the line\n%s", line)
		}
	}
	if _, table, _ := strings.Cut(text, "| key | type |"); strings.Count(table[:strings.Index(table, "\n\n")], "\n| `") != len(config.Keys()) {
		t.Error("README.md has settings that the program does not take")
	}
}

// TestReadmeNamesEveryTarget: what the Makefile offers and README speaks of is
// the same.
func TestReadmeNamesEveryTarget(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"build", "demo", "test", "test-full", "fuzz", "bench-overlay", "bench-node", "bench-link"} {
		if !strings.Contains(string(makefile), "\n"+target+":") {
			t.Errorf("the Makefile has no target %s", target)
		}
		if !strings.Contains(readme(t), "make "+target) {
			t.Errorf("README.md does not name make %s", target)
		}
	}
}
