package trunk

import (
	"testing"
	"time"
)

func TestJudge(t *testing.T) {
	const ms = time.Millisecond
	for name, test := range map[string]struct {
		pulse
		act  act
		wait time.Duration
	}{
		"no legs":                   {pulse{idle: time.Minute, quiet: 20 * time.Second}, rest, 40 * time.Second},
		"no legs for long":          {pulse{idle: time.Minute, quiet: time.Minute}, leave, goAwayTime},
		"asked for the end":         {pulse{idle: time.Minute, quiet: time.Second, going: true}, rest, 4 * time.Second},
		"asked in vain":             {pulse{idle: time.Minute, quiet: 5 * time.Second, going: true}, end, 0},
		"legs outlive a request":    {pulse{legs: true, quiet: 8 * time.Second, going: true}, rest, 10 * time.Second},
		"silent":                    {pulse{legs: true, quiet: 18 * time.Second}, ping, 500 * ms},
		"silent and far":            {pulse{legs: true, quiet: 18 * time.Second, rtt: time.Second}, ping, 3 * time.Second},
		"owed for a moment":         {pulse{legs: true, owed: true, quiet: 100 * ms}, rest, 400 * ms},
		"owed for long":             {pulse{legs: true, owed: true, quiet: 500 * ms}, doubt, doubtEvery},
		"owed over a long way":      {pulse{legs: true, owed: true, quiet: 500 * ms, rtt: 300 * ms}, rest, 400 * ms},
		"owed though the path is":   {pulse{legs: true, owed: true, quiet: 15 * time.Second}, end, 0},
		"owed over a very long way": {pulse{legs: true, owed: true, quiet: 15 * time.Second, rtt: 4 * time.Second}, doubt, doubtEvery},
	} {
		if a, wait := judge(test.pulse); a != test.act || wait != test.wait {
			t.Errorf("%s: %s, %v; want %s, %v", name, a, wait, test.act, test.wait)
		}
	}
}
