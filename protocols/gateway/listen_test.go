package gateway

import (
	"strings"
	"testing"
)

func TestAnIPv4AddressIsListenedOnAlone(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", "127.0.0.1:0"} {
		l, err := listen(t.Context(), "tcp", addr)
		must(t, err)
		if got := l.Addr().String(); !strings.HasPrefix(got, strings.TrimSuffix(addr, "0")) {
			t.Errorf("%s is listened on as %s", addr, got)
		}
		must(t, l.Close())
	}
}
