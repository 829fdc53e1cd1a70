package trunk

import (
	"testing"
	"time"
)

// TestWindowFitsThePath sends bulk in virtual time over a path of a rate, with
// a queue as long as the window fills it.
func TestWindowFitsThePath(t *testing.T) {
	for _, path := range []struct {
		rate  float64 // bytes a second
		rtt   time.Duration
		queue time.Duration // how long the last byte of a window may take
	}{
		{1e9, 100 * time.Microsecond, time.Second},
		{100e6, 50 * time.Millisecond, time.Second},
		{2e6, 300 * time.Millisecond, 1500 * time.Millisecond},
		{100e3, 50 * time.Millisecond, 4 * time.Second}, // 800 kbit/s
	} {
		var w window
		now := time.Unix(0, 0)
		w.begin(now, 0)
		var seen uint64
		var rate float64
		for range 30 { // rounds: a window is sent and seen
			size := w.size(path.rtt)
			took := max(path.rtt, time.Duration(float64(size)/path.rate*1e9)) + seenDelay
			rate = float64(size) / took.Seconds()
			now, seen = now.Add(took), seen+size
			w.saw(now, seen, true)
		}
		if rate < 0.85*path.rate { // of a window a time; sliding it does better
			t.Errorf("%+v: %.0f bytes a second", path, rate)
		}
		if queued := time.Duration(float64(w.size(path.rtt)) / path.rate * 1e9); queued > path.queue {
			t.Errorf("%+v: a window of %v", path, queued)
		}
	}
}

func TestWindowForgetsARate(t *testing.T) {
	var w window
	now := time.Unix(0, 0)
	w.begin(now, 0)
	if w.saw(now.Add(time.Millisecond), 1000, true) {
		t.Error("a sample of a millisecond")
	}
	w.saw(now.Add(time.Second), 100e6, true)
	was := w.size(0)
	w.saw(now.Add(time.Minute), 100e6, false)
	idle := w.size(0)
	for i := range 20 {
		w.saw(now.Add(time.Duration(i+61)*time.Second), 100e6, true)
	}
	if w.size(0) != leastWindow || was != 25e6 || idle != was {
		t.Errorf("%d, %d when there was nothing to send, then %d", was, idle, w.size(0))
	}
}
