//go:build figures

package integration

import (
	"fmt"
	"math"
	"slices"

	"github.com/panpipe-net/panpipe/integration/figures"
)

// flatness is how much the median may grow, in round trips, each time that the
// number of nodes doubles, and still be called flat.
const flatness = "<=0.05"

// fits reports how resolving and binding grow with the number of nodes: a line
// through the medians against log2 N, and a power of log2 N through the
// messages, whose exponent is at most 1 if they grow no faster than log N.
func fits(report *figures.Report, plan []job, measured map[string]float64) {
	for _, cap := range []int{100, 40} {
		for _, what := range []string{"resolve", "bind"} {
			flat := flatness
			if cap < 100 || what == "bind" {
				flat = "-" // a walk to the very closest has more hops with more nodes
			}
			var log, medians, loglog, messages []float64
			for _, j := range plan {
				p50, ok := measured[j.prefix()+what+"_p50"]
				x := math.Log2(float64(j.nodes))
				if !ok || j.cap != cap || slices.Contains(log, x) { // two worlds may be of one size
					continue
				}
				log, medians = append(log, x), append(medians, p50)
				loglog = append(loglog, math.Log2(x))
				messages = append(messages, math.Log2(measured[j.prefix()+what+"_messages"]))
			}
			if len(log) < 3 {
				continue
			}
			name := fmt.Sprintf("overlay_growth_c%d_%s", cap, what)
			report.Add(name+"_p50_by_log2_n", slope(log, medians), "rtt", flat)
			report.Add(name+"_messages_exponent_of_log2_n", slope(loglog, messages), "power", "<=1")
		}
	}
}

// slope is that of the line of least squares through points.
func slope(x, y []float64) float64 {
	mx, my := mean(x), mean(y)
	var over, under float64
	for i := range x {
		over += (x[i] - mx) * (y[i] - my)
		under += (x[i] - mx) * (x[i] - mx)
	}
	return over / under
}
