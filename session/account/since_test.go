package account

import (
	"testing"

	"pgregory.net/rapid"
)

// What a profile says since another brings that one to the union of both, and
// says nothing to one that has it all.
func TestSinceIsWhatIsMissing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, q := drawProfile(t, "p"), drawProfile(t, "q")
		union, err := p.Merge(q)
		if err != nil {
			return // too large
		}
		got, err := q.Merge(p.Since(q))
		if err != nil || !got.Equal(union) {
			t.Errorf("the delta does not bring q to the union: %v", err)
		}
		if d := p.Since(union); !d.IsZero() {
			t.Errorf("a profile that has it all is told %x", d.Bytes())
		}
	})
}
