package node

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/panpipe-net/panpipe/protocols/gateway"
)

// gatewayTracer counts what no rule's own figures tell.
type gatewayTracer struct {
	ended   *prometheus.CounterVec
	life    prometheus.Histogram
	blocked prometheus.Counter
}

func newGatewayTracer(r prometheus.Registerer) *gatewayTracer {
	t := &gatewayTracer{
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "panpipe_gateway_ended_total",
			Help: "Channels that have ended, by the kind of their rule and by the word of the cause; ok: both sides were through.",
		}, []string{"kind", "code"}),
		life: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "panpipe_gateway_channel_seconds",
			Help:    "How long channels lived.",
			Buckets: prometheus.ExponentialBuckets(1e-3, 10, 8),
		}),
		blocked: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "panpipe_gateway_accept_blocked_total",
			Help: "Times when clients had to wait since the node had no file descriptor left.",
		}),
	}
	r.MustRegister(t.ended, t.life, t.blocked)
	return t
}

func (t *gatewayTracer) trace(e gateway.Event) {
	switch e.Kind {
	case gateway.EventClosed:
		t.ended.WithLabelValues(string(e.Of), e.Code.String()).Inc()
		t.life.Observe(e.Took.Seconds())
	case gateway.EventAcceptBlocked:
		t.blocked.Inc()
	}
}

// gatewayCollector tells of each rule there is, by its kind and ID, so that
// nothing is left of one that was removed.
type gatewayCollector struct{ rules func() []gateway.Status }

var (
	gatewayUp       = gatewayDesc("up", "1 when the rule takes clients.")
	gatewayChannels = gatewayDesc("channels", "Channels of the rule, now.")
	gatewayOpened   = gatewayDesc("opened_total", "Channels of the rule that have begun.")
	gatewayRefused  = gatewayDesc("refused_total", "Clients and dialers that got no channel, by the word of the cause.", "code")
	gatewayBytes    = gatewayDesc("bytes_total", "Bytes from (in) and to (out) far nodes, of the rule's channels.", "direction")
)

func gatewayDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("panpipe_gateway_"+name, help, append([]string{"kind", "rule"}, labels...), nil)
}

// Describe tells what there is to collect.
func (c gatewayCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{gatewayUp, gatewayChannels, gatewayOpened, gatewayRefused, gatewayBytes} {
		to <- d
	}
}

// Collect tells the figures of all rules.
func (c gatewayCollector) Collect(to chan<- prometheus.Metric) {
	for _, s := range c.rules() {
		tell := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
			to <- prometheus.MustNewConstMetric(d, kind, v, append([]string{string(s.Rule.Kind), s.Rule.ID}, labels...)...)
		}
		up := 0.0
		if s.State == gateway.Up {
			up = 1
		}
		tell(gatewayUp, prometheus.GaugeValue, up)
		tell(gatewayChannels, prometheus.GaugeValue, float64(s.Channels))
		tell(gatewayOpened, prometheus.CounterValue, float64(s.Opened))
		tell(gatewayBytes, prometheus.CounterValue, float64(s.In), "in")
		tell(gatewayBytes, prometheus.CounterValue, float64(s.Out), "out")
		for code, n := range s.Refused {
			tell(gatewayRefused, prometheus.CounterValue, float64(n), code.String())
		}
	}
}
