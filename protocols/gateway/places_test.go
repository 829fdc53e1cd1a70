package gateway

import (
	"strings"
	"testing"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// takeAll takes places until there is none, and says how many there were.
func takeAll(p *places, client string) (n int, err error) {
	for {
		if err := p.take(client); err != nil {
			return n, err
		}
		n++
	}
}

func TestNobodyTakesAllPlaces(t *testing.T) {
	p := &places{shared: true, what: "channels", setting: "the.setting", eachWhat: "channels of one"}
	p.set(12, 0)
	first, err := takeAll(p, "first")
	if first != 6 || wire.CodeOf(err) != wire.Limit || !strings.Contains(wire.NextOf(err), "the.setting") {
		t.Errorf("the first got %d of 12: %v, %s", first, err, wire.NextOf(err))
	}
	second, _ := takeAll(p, "second")
	if second != 3 {
		t.Errorf("the second got %d of 6", second)
	}
	if err := p.take("third"); err != nil {
		t.Errorf("the third found none: %v", err)
	}
	for range first {
		p.give("first")
	}
	if again, _ := takeAll(p, "first"); again != 4 {
		t.Errorf("the first got %d of 8", again)
	}
}

func TestPlacesOfEachClientCanBeSet(t *testing.T) {
	p := &places{what: "channels", eachWhat: "channels of one", eachSetting: "each.setting"}
	p.set(0, 3)
	if n, err := takeAll(p, "one"); n != 3 || !strings.Contains(wire.NextOf(err), "each.setting") {
		t.Errorf("got %d: %v", n, err)
	}
	p.set(4, 3)
	if n, err := takeAll(p, "two"); n != 1 || !strings.Contains(err.Error(), "channels (4)") {
		t.Errorf("got %d: %v", n, err)
	}
	p.set(5, 0)
	if err := p.take("two"); err != nil {
		t.Errorf("the last place: %v", err)
	}
	for range 3 {
		p.give("one")
	}
	for range 2 {
		p.give("two")
	}
	if len(p.by) != 0 || p.taken != 0 {
		t.Errorf("%d clients left, %d places", len(p.by), p.taken)
	}
}
