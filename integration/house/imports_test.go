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

// rule says which packages of this module a package may import; "…" after a
// path stands for everything below it.
type rule struct {
	path string
	may  []string
}

// inTests is what the tests of a package may import besides.
var inTests = []rule{
	{"node/control", []string{"node/control/client"}}, // server and client are tested against each other
	{"session", []string{"node/store"}},               // on the journal that a node has
	{"session/roster", []string{"node/store"}},
	{"protocols/buddy", []string{"protocols/wire/vectorfile"}},
	// hosts have a node's muxer, and vectors are read by one piece of code
	{"protocols/wire", []string{"protocols/wire/vectorfile"}},
	{"protocols/identity", []string{"protocols/wire/vectorfile"}},
	{"protocols/trunk", []string{"node/muxer", "protocols/wire/vectorfile"}},
	{"protocols/link", []string{"node/muxer", "protocols/wire/vectorfile"}},
	{"protocols/pipe", []string{"node/muxer", "protocols/wire/vectorfile"}},
	{"protocols/gateway", []string{"node/muxer"}},
	{"session/replica", []string{"protocols/wire/vectorfile"}},
	{"session/account", []string{"protocols/wire/vectorfile"}},
	{"session/account/pairing", []string{"protocols/wire/vectorfile"}},
}

var allowed = []rule{
	{"protocols/identity", []string{"protocols/wire"}},
	{"protocols/wire", nil},
	{"protocols/wire/vectorfile", nil},
	{"protocols/reach", []string{"protocols/identity", "protocols/wire"}},
	{"protocols/trunk", []string{"protocols/identity", "protocols/wire", "protocols/reach"}},
	{"protocols/reach/netwatch", nil},
	{"protocols/pipe/pb", nil},
	{"protocols/link", []string{"protocols/identity", "protocols/wire", "protocols/reach", "protocols/trunk"}},
	{"protocols/pipe", []string{"protocols/identity", "protocols/wire", "protocols/reach", "protocols/trunk", "protocols/link", "protocols/pipe/pb"}},
	{"protocols/gateway", []string{"protocols/identity", "protocols/wire", "protocols/reach", "protocols/trunk", "protocols/link", "protocols/pipe"}},
	{"protocols", nil},
	{"session/account", []string{"protocols/identity", "protocols/wire"}},
	{"session/account/cpace", []string{"protocols/wire"}},
	{"session/account/pairing", []string{"protocols/identity", "protocols/wire", "session/account", "session/account/cpace"}},
	{"session/account/linking", []string{"protocols/identity", "protocols/wire", "protocols/pipe", "session/account", "session/account/pairing"}},
	{"discovery", []string{"protocols/identity", "protocols/wire", "protocols/reach"}},
	{"session/replica", []string{"protocols/identity", "protocols/wire"}},
	{"session", []string{"protocols/identity", "protocols/wire", "session/replica"}},
	{"protocols/buddy/pb", nil},
	{"protocols/buddy", []string{"protocols/identity", "protocols/wire", "protocols/pipe", "protocols/buddy/pb"}},
	{"session/call", []string{"protocols/identity", "protocols/wire", "protocols/buddy"}},
	{"session/roster", []string{"protocols/identity", "protocols/wire", "protocols/pipe", "protocols/buddy", "protocols/buddy/pb", "session", "session/account", "session/replica"}},
	{"node/store", []string{"protocols/identity", "protocols/wire", "protocols/pipe", "protocols/gateway", "discovery", "session/account", "session/replica"}},
	{"node/config", []string{"protocols/identity", "protocols/wire", "protocols/reach", "node"}},
	{"node/router", nil},
	{"node/connections", nil},
	{"node/doctor", nil},
	{"node/muxer", []string{"protocols/wire"}},
	{"node/records", nil},
	{"node/control/api", []string{"protocols/wire"}},
	{"node/control/client", []string{"protocols/wire", "node/control/api"}},
	{"node/control", []string{"protocols/identity", "protocols/wire", "protocols/reach", "protocols/link", "protocols/pipe", "protocols/gateway", "discovery", "session/account", "session/account/linking", "session/replica", "session/roster", "node/config", "node/control/api", "node/doctor"}},
	{"node", []string{"protocols/…", "discovery", "session/…", "node/…"}},
	{"cmd/panpipe/demo", []string{"protocols/identity", "protocols/wire", "node/control/api", "node/control/client"}},
	{"cmd/panpipe/terminal", nil},
	{"cmd/panpipe/chat", []string{"protocols/wire", "node/control/api", "cmd/panpipe/terminal"}},
	{"cmd/panpipe", []string{"protocols/identity", "protocols/wire", "node", "node/…", "cmd/panpipe/…"}},
	{"integration/…", []string{"protocols", "protocols/…", "session", "session/…", "discovery", "node", "node/…", "integration/…"}},
}

func TestImportsRunOneWay(t *testing.T) {
	for _, f := range goFiles(t) {
		pkg := filepath.ToSlash(filepath.Dir(f))
		may, known := mayImport(allowed, pkg)
		if strings.HasSuffix(f, "_test.go") {
			more, _ := mayImport(inTests, pkg)
			may = slices.Concat(may, more)
		}
		if !known {
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
			if !slices.ContainsFunc(may, func(m string) bool { return matches(m, dep) }) {
				t.Errorf("%s imports %s, which %s may not", f, dep, pkg)
			}
		}
	}
}

func mayImport(rules []rule, pkg string) (may []string, known bool) {
	i := slices.IndexFunc(rules, func(r rule) bool { return matches(r.path, pkg) })
	if i < 0 {
		return nil, false
	}
	return rules[i].may, true
}

func matches(rule, pkg string) bool {
	if dir, below := strings.CutSuffix(rule, "/…"); below {
		return pkg == dir || strings.HasPrefix(pkg, dir+"/")
	}
	return rule == pkg
}
