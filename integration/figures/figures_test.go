package figures

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFigureLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "figures.jsonl")
	t.Setenv("JSON", path)
	var out strings.Builder
	r, err := New(&out)
	if err != nil {
		t.Fatal(err)
	}
	r.Add("resolve_p50", 1.00234, "rtt", "<=1.1")
	r.Add("resolve_p90", 2.2, "rtt", "<=2.1")
	r.Add("resolve_p99", 3.0004, "rtt", "<=3")
	r.Add("throughput", 250000.4, "MiB/s", ">=250000")
	r.Add("messages", 0.0001234, "msg", "-")
	r.Add("nothing", math.NaN(), "s", "-")
	r.Add("unreadable", 1, "s", "<1")
	r.Missing("kubo_rss", "MiB", "-")
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	want := `figure resolve_p50 1.002 rtt <=1.1 ok
figure resolve_p90 2.2 rtt <=2.1 short
figure resolve_p99 3 rtt <=3 ok
figure throughput 250000 MiB/s >=250000 ok
figure messages 0.0001234 msg - ok
figure nothing - s - short
figure unreadable 1 s <1 short
figure kubo_rss - MiB - short
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
	if r.Short() != 4 {
		t.Errorf("%d figures are short, want 4", r.Short())
	}
	lines, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(lines), "\n")
	if first != `{"name":"resolve_p50","value":1.00234,"unit":"rtt","bound":"<=1.1","ok":true}` {
		t.Errorf("JSON line %s", first)
	}
}

func TestFiguresOfAnotherProcessAreRelayed(t *testing.T) {
	for _, line := range []string{
		"figure resolve_p50 1.002 rtt <=1.1 ok",
		"figure resolve_p90 2.2 rtt <=2.1 short",
		"figure nothing - s - short",
	} {
		f, ok := Parse(line)
		if !ok {
			t.Fatalf("%q is no figure", line)
		}
		var out strings.Builder
		r, err := New(&out)
		if err != nil {
			t.Fatal(err)
		}
		r.Relay(f)
		if out.String() != line+"\n" {
			t.Errorf("%q is relayed as %q", line, out.String())
		}
		if short := strings.HasSuffix(line, "short"); (r.Short() == 1) != short {
			t.Errorf("%q: %d are short", line, r.Short())
		}
	}
	for _, line := range []string{"", "PASS", "figure a 1 s - maybe", "figure a one s - ok", "figure a 1 s ok"} {
		if f, ok := Parse(line); ok {
			t.Errorf("%q is read as %v", line, f)
		}
	}
}
