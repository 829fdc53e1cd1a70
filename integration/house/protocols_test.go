package house

import (
	"slices"
	"strings"
	"testing"

	"github.com/panpipe-net/panpipe/discovery"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/trunk"
)

// TestProtocolTableTellsTheTruth compares the table in protocols/doc.go with
// the IDs that the packages speak.
func TestProtocolTableTellsTheTruth(t *testing.T) {
	_, file := parse(t, "protocols/doc.go")
	var documented []string
	for line := range strings.Lines(file.Doc.Text()) {
		if id, _, _ := strings.Cut(strings.TrimSpace(line), " "); strings.HasPrefix(id, "/<overlay>/") {
			documented = append(documented, id)
		}
	}
	spoken := []string{
		string(discovery.KadProtocol("<overlay>")),
		string(pipe.BindingProtocol("<overlay>")),
		string(pipe.ConnProtocol("<overlay>")),
		string(trunk.Protocol("<overlay>")),
	}
	slices.Sort(documented)
	slices.Sort(spoken)
	if !slices.Equal(documented, spoken) {
		t.Errorf("documented %q\nspoken     %q", documented, spoken)
	}
}
