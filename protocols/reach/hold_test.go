package reach

import (
	"testing"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/peer"
)

func TestHoldsAddUpAndEndOnce(t *testing.T) {
	h, err := libp2p.New(libp2p.NoListenAddrs)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	r, err := New(Config{Host: h})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	somebody := peer.ID("somebody")
	first, second := r.Hold(somebody), r.Hold(somebody)
	first()
	first()
	if !h.ConnManager().IsProtected(somebody, "") {
		t.Error("the second hold ended with the first")
	}
	second()
	if h.ConnManager().IsProtected(somebody, "") {
		t.Error("held after the last release")
	}
}
