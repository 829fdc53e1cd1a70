package gateway

import (
	"strings"
	"testing"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestAddressesAreKeptInOneForm(t *testing.T) {
	for _, c := range []struct {
		text   string
		listen bool
		want   string // empty: refused
	}{
		{"127.0.0.1:80", false, "127.0.0.1:80"},
		{"tcp:127.0.0.1:80", false, "127.0.0.1:80"},
		{"tcp://127.0.0.1:80", false, "127.0.0.1:80"},
		{"80", false, "127.0.0.1:80"},
		{"080", false, "127.0.0.1:80"},
		{":80", false, "localhost:80"},
		{":80", true, ":80"},
		{"[::1]:80", false, "[::1]:80"},
		{"[fe80::1%eth0]:80", false, "[fe80::1%eth0]:80"},
		{"db.example:5432", false, "db.example:5432"},
		{"bücher.example:80", false, "bücher.example:80"},
		{"127.0.0.1:0", true, "127.0.0.1:0"},
		{"127.0.0.1:0", false, ""},
		{"127.0.0.1:65536", false, ""},
		{"127.0.0.1:-1", true, ""},
		{"127.0.0.1:http", false, ""},
		{"127.0.0.1", false, ""},
		{"::1:80", false, ""},
		{"a b:80", false, ""},
		{"host/path:80", false, ""},
		{"", false, ""},
		{"", true, ""},
		{"http://host:80", false, ""},
		{"unix:/run/x.sock", false, "unix:/run/x.sock"},
		{"unix:///run/x.sock", true, "unix:/run/x.sock"},
		{"unix:/run/../run/x.sock", true, "unix:/run/x.sock"},
		{"unix:x.sock", false, ""},
		{"unix:", false, ""},
		{"unix:/" + strings.Repeat("x", 103), false, ""},
		{"unix:/a\x00b", false, ""},
	} {
		a, err := parseAddress(c.text, c.listen)
		switch {
		case c.want == "" && wire.CodeOf(err) != wire.BadRequest:
			t.Errorf("%q: %v, %v", c.text, a, err)
		case c.want != "" && (err != nil || a.String() != c.want):
			t.Errorf("%q: %q, %v", c.text, a, err)
		case c.want != "":
			if again, err := parseAddress(a.String(), c.listen); err != nil || again != a {
				t.Errorf("%q is read back as %v, %v", a, again, err)
			}
		}
	}
}
