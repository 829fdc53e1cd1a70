package pipe

import (
	"reflect"
	"testing"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestEveryLimitHasADefault(t *testing.T) {
	var l ServiceLimits
	l.normalize()
	v := reflect.ValueOf(l)
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Name != "Holder" && v.Field(i).IsZero() { // NewHolder has its own
			t.Errorf("%s has no default", f.Name)
		}
	}
}

func TestServiceWithoutItsPartsIsRefused(t *testing.T) {
	_, err := New(Config{})
	wantCode(t, err, wire.BadRequest)
}

func TestNamesThatLookLikeIDsAreRefused(t *testing.T) {
	_, n := loopback(t, 1)
	id := n[0].create(t, CreateOptions{})
	for _, name := range []string{id.String(), id.URI(), "pipe:x", " x", "a\nb"} {
		_, err := n[0].Create(within(t), name, CreateOptions{})
		wantCode(t, err, wire.BadRequest)
	}
	p, err := n[0].Create(within(t), "tune", CreateOptions{})
	must(t, err)
	_, err = n[0].Create(within(t), "tune", CreateOptions{})
	wantCode(t, err, wire.Taken)
	for _, ref := range []string{"tune", p.ID.String(), p.ID.URI()} {
		got, adv, err := n[0].Lookup(within(t), ref)
		must(t, err)
		if got != p.ID || adv == nil {
			t.Errorf("%s is %s", ref, got)
		}
	}
	_, _, err = n[0].Lookup(within(t), "nobody")
	wantCode(t, err, wire.Unknown)
	_, _, err = n[0].Lookup(within(t), p.ID.String()[:20])
	wantCode(t, err, wire.BadRequest)
	l := n[0].listen(t, p.ID, ListenOptions{})
	wantCode(t, n[0].Remove(within(t), "tune"), wire.Busy)
	must(t, l.Close())
	must(t, n[0].Remove(within(t), "tune"))
	_, _, err = n[0].Lookup(within(t), "tune")
	wantCode(t, err, wire.Unknown)
}
