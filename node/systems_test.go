package node

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"testing"
)

// systems are those of `go tool dist list`.
var systems = []string{
	"aix", "android", "darwin", "dragonfly", "freebsd", "illumos", "ios", "js", "linux", "netbsd", "openbsd", "plan9",
	"solaris", "wasip1", "windows",
}

func TestEverySystemHasEachOfItsFunctionsOnce(t *testing.T) {
	for _, system := range systems {
		c := build.Default
		c.GOOS, c.GOARCH = system, "amd64"
		pkg, err := c.ImportDir(".", 0)
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]int{"socketBuffers": 0, "fileLimit": 0, "diskFree": 0, "lockFile": 0}
		for _, name := range pkg.GoFiles {
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range f.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
					if _, of := found[fn.Name.Name]; of {
						found[fn.Name.Name]++
					}
				}
			}
		}
		for name, n := range found {
			if n != 1 {
				t.Errorf("%s: %s %d times", system, name, n)
			}
		}
	}
}
