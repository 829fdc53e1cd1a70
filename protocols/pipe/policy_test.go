package pipe

import (
	"reflect"
	"testing"

	"github.com/panpipe-net/panpipe/protocols/reach"
)

func TestPathPolicyBecomesWants(t *testing.T) {
	const tcp, quic, circuit = reach.TCP, reach.QUIC, reach.Relay
	type list = []reach.Transport
	anyOf := list{reach.Any}
	for _, c := range []struct {
		policy     PathPolicy
		transports list
		relay      bool
		want       []reach.Want
	}{
		{"", anyOf, true, []reach.Want{{AllowRelay: true}}},
		{RelayOK, anyOf, true, []reach.Want{{AllowRelay: true}}},
		{RelayOK, anyOf, false, []reach.Want{{}}},
		{PreferDirect, anyOf, true, []reach.Want{{AllowRelay: true, PreferDirect: true}}},
		{DirectOnly, anyOf, true, []reach.Want{{}}},

		{RelayOK, list{quic}, true, []reach.Want{{Transport: quic}}},
		{RelayOK, list{circuit}, true, []reach.Want{{Transport: circuit, AllowRelay: true}}},
		{DirectOnly, list{circuit}, true, nil},
		{PreferDirect, list{tcp}, false, []reach.Want{{Transport: tcp}}},

		{RelayOK, list{circuit, tcp}, true, []reach.Want{{Transport: tcp, NoPunch: true}, {Transport: circuit, AllowRelay: true}}},
		{PreferDirect, list{tcp, circuit, quic}, true, []reach.Want{
			{Transport: tcp, NoPunch: true}, {Transport: quic, PreferDirect: true}, {Transport: circuit, AllowRelay: true},
		}},
		{DirectOnly, list{tcp, circuit, quic}, true, []reach.Want{{Transport: tcp, NoPunch: true}, {Transport: quic}}},
	} {
		if got := c.policy.wants(reach.Want{}, c.transports, c.relay); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q over %v: %+v, want %+v", c.policy, c.transports, got, c.want)
		}
	}
}
