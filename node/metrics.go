package node

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/panpipe-net/panpipe/discovery"
	"github.com/panpipe-net/panpipe/protocols/pipe"
)

// newRegistry makes the node's registry with what the Go runtime and the
// process tell. libp2p registers its own; its collectors are global, so nodes
// of one process show the sum of all. No label names a peer.
func newRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return r
}

// pipeTracer counts what the pipe service does.
type pipeTracer struct {
	hear     func(pipe.Event) // told each event beside
	events   *prometheus.CounterVec
	took     *prometheus.HistogramVec
	records  *prometheus.CounterVec
	messages *prometheus.CounterVec
}

func newPipeTracer(r prometheus.Registerer, hear func(pipe.Event)) *pipeTracer {
	t := &pipeTracer{
		hear: hear,
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "panpipe_pipe_events_total",
			Help: "What the pipe service did, by kind and by the word with which it ended.",
		}, []string{"kind", "code"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "panpipe_pipe_seconds",
			Help:    "How long it took, by kind.",
			Buckets: prometheus.ExponentialBuckets(1e-6, 10, 8),
		}, []string{"kind"}),
		records: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "panpipe_pipe_records_total",
			Help: "Records that were brought to their holders together, by kind: renew, withdraw, restore.",
		}, []string{"kind"}),
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "panpipe_pipe_messages_total",
			Help: "Messages that this took, by kind.",
		}, []string{"kind"}),
	}
	r.MustRegister(t.events, t.took, t.records, t.messages)
	return t
}

// Trace counts one event.
func (t *pipeTracer) Trace(e pipe.Event) {
	t.hear(e)
	t.events.WithLabelValues(string(e.Kind), e.Code.String()).Inc()
	if e.Records > 0 {
		t.records.WithLabelValues(string(e.Kind)).Add(float64(e.Records))
		t.messages.WithLabelValues(string(e.Kind)).Add(float64(e.Messages))
	}
	if e.Took > 0 {
		t.took.WithLabelValues(string(e.Kind)).Observe(e.Took.Seconds())
	}
}

// registerState shows discovery's state as gauges.
func registerState(r prometheus.Registerer, state func() discovery.State) {
	gauge := func(name, help string, value func(discovery.State) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help},
			func() float64 { return value(state()) })
	}
	one := func(b bool) float64 {
		if b {
			return 1
		}
		return 0
	}
	r.MustRegister(
		gauge("panpipe_peers", "Connected nodes.", func(s discovery.State) float64 { return float64(s.Peers) }),
		gauge("panpipe_servers", "Live servers of the overlay that are known.", func(s discovery.State) float64 { return float64(s.Servers) }),
		gauge("panpipe_joined", "1 when a live server of the overlay is known.", func(s discovery.State) float64 { return one(s.Joined) }),
		gauge("panpipe_server", "1 when this node serves the overlay.", func(s discovery.State) float64 { return one(s.Role == discovery.RoleServer) }),
	)
}

var _ pipe.Tracer = (*pipeTracer)(nil)
