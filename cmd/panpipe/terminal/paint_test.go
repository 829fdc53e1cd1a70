package terminal

import "testing"

func TestPainterWritesWhatHasChanged(t *testing.T) {
	var p Painter
	for _, c := range []struct {
		what string
		f    Frame
		want string
	}{
		{"the first frame", Frame{[]string{"a", "日"}, 1, 2}, "\x1b[?25l\x1b[2J\x1b[1;1H\x1b[2Ka\x1b[2;1H\x1b[2K日\x1b[2;3H\x1b[?25h"},
		{"the same", Frame{[]string{"a", "日"}, 1, 2}, "\x1b[?25l\x1b[2;3H\x1b[?25h"},
		{"another row", Frame{[]string{"a", "b"}, 0, 0}, "\x1b[?25l\x1b[2;1H\x1b[2Kb\x1b[1;1H\x1b[?25h"},
		{"fewer rows", Frame{[]string{"a"}, 0, 0}, "\x1b[?25l\x1b[2;1H\x1b[2K\x1b[1;1H\x1b[?25h"},
		{"more", Frame{[]string{"a", "c"}, 0, 0}, "\x1b[?25l\x1b[2;1H\x1b[2Kc\x1b[1;1H\x1b[?25h"},
	} {
		if got := p.Paint(c.f); got != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
	p.Forget()
	if got, want := p.Paint(Frame{Rows: []string{"a"}}), "\x1b[?25l\x1b[2J\x1b[1;1H\x1b[2Ka\x1b[1;1H\x1b[?25h"; got != want {
		t.Errorf("painted anew: %q, want %q", got, want)
	}
}
