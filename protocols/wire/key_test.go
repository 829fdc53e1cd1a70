package wire

import "testing"

func TestDistanceIsZeroAtTheNodesOwnPlaceAndTheXORElsewhere(t *testing.T) {
	node := []byte("a node")
	place := Place(node)
	if d := place.Distance(node); d != (Key{}) {
		t.Errorf("distance to its own place %s", d)
	}
	if d := (Key{}).Distance(node); d != place {
		t.Errorf("distance from zero %s, expected %s", d, place)
	}
	key := place
	key[0] ^= 0x80
	if d := key.Distance(node); d != (Key{0: 0x80}) {
		t.Errorf("distance %s", d)
	}
}
