package house

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/panpipe-net/panpipe/"

// allowed says which packages of this module a package may import; "…" after a
// path stands for everything below it. Tests are held to the same direction,
// but may also use what allowedInTests adds.
var allowed = []struct {
	path string
	may  []string
}{
	{"protocols/identity", []string{"protocols/wire"}},
	{"protocols/wire", nil},
	{"protocols/reach", []string{"protocols/identity", "protocols/wire"}},
	{"protocols/pipe/pb", nil},
	{"protocols/pipe", []string{"protocols/identity", "protocols/wire", "protocols/reach", "protocols/pipe/pb"}},
	{"protocols", nil},
	{"discovery", []string{"protocols/identity", "protocols/wire", "protocols/reach"}},
	{"node/store", []string{"protocols/identity", "protocols/wire", "protocols/pipe", "discovery"}},
	{"node/config", []string{"protocols/identity", "protocols/wire", "protocols/reach"}},
	{"node/control/api", []string{"protocols/wire"}},
	{"node/control/client", []string{"protocols/wire", "node/control/api"}},
	{"node/control", []string{"protocols/identity", "protocols/wire", "protocols/reach", "protocols/pipe", "discovery", "node/config", "node/control/api"}},
	{"node", []string{"protocols/…", "discovery", "node/…"}},
	{"cmd/panpipe/demo", []string{"protocols/identity", "protocols/wire", "node/control/api", "node/control/client"}},
	{"cmd/panpipe", []string{"protocols/identity", "protocols/wire", "node", "node/…", "cmd/panpipe/…"}},
	{"integration/…", []string{"protocols", "protocols/…", "discovery", "node", "node/…", "integration/…"}},
}

func TestImportsRunOneWay(t *testing.T) {
	for _, f := range goFiles(t) {
		pkg := filepath.ToSlash(filepath.Dir(f))
		rule := slices.IndexFunc(allowed, func(r struct {
			path string
			may  []string
		}) bool {
			return matches(r.path, pkg)
		})
		if rule < 0 {
			t.Errorf("%s: package %s has no line in the import table; give it one", f, pkg)
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, f), nil, parser.ImportsOnly)
		if err != nil {
			t.Errorf("%s: %v", f, err)
			continue
		}
		for _, imp := range parsed.Imports {
			path, _ := strconv.Unquote(imp.Path.Value)
			dep, ours := strings.CutPrefix(path, module)
			if !ours || dep == pkg {
				continue
			}
			if !slices.ContainsFunc(allowed[rule].may, func(m string) bool { return matches(m, dep) }) {
				t.Errorf("%s imports %s, which %s may not", f, dep, pkg)
			}
		}
	}
}

func matches(rule, pkg string) bool {
	if dir, below := strings.CutSuffix(rule, "/…"); below {
		return pkg == dir || strings.HasPrefix(pkg, dir+"/")
	}
	return rule == pkg
}
