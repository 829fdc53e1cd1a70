package netwatch

import (
	"testing"
	"time"
)

func TestSleepIsWhatTheClocksDoNotAgreeOn(t *testing.T) {
	const s = time.Second
	for what, c := range map[string]struct{ wall, mono, want time.Duration }{
		"a tick":                                {s, s, 0},
		"a late tick":                           {5 * s, 5 * s, 0},
		"a very late tick":                      {30 * s, 30 * s, 29 * s},
		"sleep, the monotonic clock stops":      {3600 * s, s, 3599 * s},
		"just sleep":                            {6 * s, s, 5 * s},
		"just not":                              {6*s - 1, s, 0},
		"woken in the middle of a tick":         {6 * s, s / 2, 5 * s},
		"sleep, the monotonic clock goes on":    {3600 * s, 3600 * s, 3599 * s},
		"the wall clock is set back":            {-3600 * s, s, 0},
		"set back while the process is stopped": {-3600 * s, 60 * s, 59 * s},
		"the wall clock is slewed":              {s + s/2000, s, 0},
	} {
		before := reading{time.Unix(1e9, 0), 77 * s}
		now := reading{before.wall.Add(c.wall), before.mono + c.mono}
		if got := slept(before, now); got != c.want {
			t.Errorf("%s: slept %v, want %v", what, got, c.want)
		}
	}
}
