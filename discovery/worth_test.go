package discovery

import (
	"testing"

	"github.com/libp2p/go-libp2p/core/test"
)

func TestBothSidesAgreeWhatAConnectionIsWorth(t *testing.T) {
	seen := make(map[int]int)
	for range 1000 {
		a, b := test.RandPeerIDFatal(t), test.RandPeerIDFatal(t)
		if worth(a, b) != worth(b, a) {
			t.Fatalf("%s and %s: %d one way, %d the other", a, b, worth(a, b), worth(b, a))
		}
		seen[worth(a, b)]++
	}
	// 10 and 14 take one of eight each, the three between them a quarter.
	for value, want := range map[int]int{10: 125, 11: 250, 12: 250, 13: 250, 14: 125} {
		if n := seen[value]; n < want/2 || n > want*2 {
			t.Errorf("%d of 1000 are worth %d, want about %d", n, value, want)
		}
	}
}
