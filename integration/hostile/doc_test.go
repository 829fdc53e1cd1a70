package hostile

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestEveryAttackIsInTheTable(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	tests := 0
	for _, f := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), f, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || !strings.HasPrefix(fn.Name.Name, "Test") || f == "doc_test.go" {
				continue
			}
			if tests++; !strings.Contains(string(doc), " "+fn.Name.Name+"\n") {
				t.Errorf("%s is not in the table of doc.go", fn.Name.Name)
			}
		}
	}
	if named := strings.Count(string(doc), " Test"); named != tests {
		t.Errorf("the table names %d tests, there are %d", named, tests)
	}
}
