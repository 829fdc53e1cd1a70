//go:build figures && !links

package integration

import (
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/integration/figures"
	"github.com/panpipe-net/panpipe/node"
)

// haveLinks says whether this build has links to measure.
const haveLinks = false

// linkMemory is how long a side remembers a link that is over.
const linkMemory = 65 * time.Second

func newLinked(way) (subject, error)       { return nil, errNoLinks }
func linkedOn(*node.Node) (subject, error) { return nil, errNoLinks }

// measurePauses needs links.
func measurePauses(_ *testing.T, report *figures.Report) {
	report.Missing("link_pause_reset", "rtt", "<=2")
	report.Missing("link_pause_silence", "s", "<=5.05")
	report.Missing("link_pause_planned", "ms", "<=0")
}
