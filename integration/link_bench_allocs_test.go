//go:build figures

package integration

import (
	"runtime"
	"strings"
	"testing"

	"github.com/panpipe-net/panpipe/integration/figures"
)

// allocsPart is the part whose processes note every object that is allocated.
// That is slow, so that nothing else is measured there.
const allocsPart = "allocs"

// ours are the packages that a frame of a link passes through.
var ours = []string{"protocols/link.", "protocols/trunk.", "protocols/reach.", "node/muxer."}

// measureAllocs measures how many objects links allocate for a frame of bulk, at
// both ends together. What libp2p and its transports allocate below is not
// counted: they do so for raw streams too.
func measureAllocs(t *testing.T, report *figures.Report) {
	const pages = 16 << 10
	for _, w := range ways() {
		name := "link_allocs_per_frame_" + w.name
		s := pair(t, "link", w)
		if s == nil {
			report.Missing(name, "mallocs", "<=0.1")
			continue
		}
		send := func() {
			if _, err := bulk(s, pageWrite, func(sent int64) bool { return sent < pages*pageWrite }); err != nil {
				t.Fatal(err)
			}
		}
		send() // fills what is used again
		near, far := holding().Mallocs, farHoldings(t, s).Mallocs
		send()
		near, far = holding().Mallocs-near, farHoldings(t, s).Mallocs-far
		report.Add(name, float64(near+far)/pages, "mallocs", "<=0.1")
	}
}

// ourMallocs is how many objects our packages have allocated by the last
// collection but one, if every object is noted.
func ourMallocs() (n uint64) {
	if runtime.MemProfileRate != 1 {
		return 0
	}
	count, ok := runtime.MemProfile(nil, true)
	var records []runtime.MemProfileRecord
	for !ok {
		records = make([]runtime.MemProfileRecord, count+100)
		count, ok = runtime.MemProfile(records, true)
	}
	for _, r := range records[:count] {
		if isOurs(r.Stack()) {
			n += uint64(r.AllocObjects)
		}
	}
	return n
}

// isOurs reports that one of our packages allocates, by itself or by a call of
// the standard library. What crypto/tls allocates for a record is its own: it
// reads and writes for whatever stands above it.
func isOurs(stack []uintptr) bool {
	frames := runtime.CallersFrames(stack)
	for {
		f, more := frames.Next()
		if strings.HasPrefix(f.Function, "crypto/") {
			return false
		}
		if path, _, _ := strings.Cut(f.Function, "/"); strings.Contains(path, ".") && strings.Contains(f.Function, "/") {
			for _, p := range ours {
				if strings.Contains(f.Function, "panpipe/"+p) {
					return true
				}
			}
			return false
		}
		if !more {
			return false
		}
	}
}

// linkGoroutines counts the goroutines of links and trunks. A node has others,
// which come and go by themselves.
func linkGoroutines() int {
	stacks := make([]byte, 1<<20)
	size := runtime.Stack(stacks, true)
	for ; size == len(stacks); size = runtime.Stack(stacks, true) {
		stacks = make([]byte, 2*len(stacks))
	}
	return countOurs(string(stacks[:size]))
}

// countOurs counts the goroutines of connections among stacks as runtime.Stack
// writes them.
func countOurs(stacks string) (n int) {
	for g := range strings.SplitSeq(stacks, "\n\n") {
		for _, of := range []string{"link.", "trunk.", "gateway."} {
			if strings.Contains(g, "/protocols/"+of) {
				n++
				break
			}
		}
	}
	return n
}
