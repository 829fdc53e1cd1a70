package node

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/panpipe-net/panpipe/protocols/link"
	"github.com/panpipe-net/panpipe/protocols/trunk"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// legTracer counts the legs of links.
type legTracer struct {
	began    *prometheus.CounterVec
	ended    *prometheus.CounterVec
	bytes    *prometheus.CounterVec
	replayed prometheus.Counter
	pause    prometheus.Histogram
}

func newLegTracer(r prometheus.Registerer) *legTracer {
	t := &legTracer{
		began: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "panpipe_link_legs_began_total",
			Help: "Legs that began to carry a link, by transport and by why.",
		}, []string{"transport", "why"}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "panpipe_link_legs_ended_total",
			Help: "Legs that ended, by transport and by the word of the cause; replaced: another leg took over.",
		}, []string{"transport", "cause"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "panpipe_link_bytes_total",
			Help: "Bytes of data on legs that have ended, by direction, repeats included.",
		}, []string{"direction"}),
		replayed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "panpipe_link_replayed_bytes_total",
			Help: "Bytes that were sent once more on another leg, of legs that have ended.",
		}),
		pause: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "panpipe_link_pause_seconds",
			Help:    "How long a link stood still between two legs; planned changes have no pause.",
			Buckets: prometheus.ExponentialBuckets(1e-3, 4, 10),
		}),
	}
	r.MustRegister(t.began, t.ended, t.bytes, t.replayed, t.pause)
	return t
}

func (t *legTracer) trace(e link.Event) {
	leg := e.Leg
	if leg.Ended.IsZero() {
		t.began.WithLabelValues(string(leg.Transport), leg.Why).Inc()
		if leg.Pause > 0 {
			t.pause.Observe(leg.Pause.Seconds())
		}
		return
	}
	t.ended.WithLabelValues(string(leg.Transport), wire.CodeOf(leg.End).String()).Inc()
	t.bytes.WithLabelValues("in").Add(float64(leg.BytesIn))
	t.bytes.WithLabelValues("out").Add(float64(leg.BytesOut))
	t.replayed.Add(float64(leg.Replayed))
}

// registerTrunks shows what the trunks are and have met.
func registerTrunks(r prometheus.Registerer, stats func() trunk.Stats) {
	gauge := func(name, help string, value func(trunk.Stats) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return value(stats()) })
	}
	count := func(name, help string, value func(trunk.Stats) uint64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(value(stats())) })
	}
	r.MustRegister(
		gauge("panpipe_trunk_carriers", "Streams that carry links.", func(s trunk.Stats) float64 { return float64(s.Carriers) }),
		gauge("panpipe_trunk_legs", "Legs of links on them.", func(s trunk.Stats) float64 { return float64(s.Legs) }),
		count("panpipe_trunk_late_frames_total", "Frames for legs that were gone.", func(s trunk.Stats) uint64 { return s.Late }),
		count("panpipe_trunk_violations_total", "Carriers ended since the peer broke the rules.", func(s trunk.Stats) uint64 { return s.Violations }),
		count("panpipe_trunk_refused_carriers_total", "Carriers of peers above the cap.", func(s trunk.Stats) uint64 { return s.RefusedCarriers }),
		count("panpipe_trunk_dropped_datagrams_total", "Datagrams that had no room.", func(s trunk.Stats) uint64 { return s.DatagramsDropped }),
	)
}
