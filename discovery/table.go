package discovery

import "time"

// TableState tells how the routing table stands.
type TableState struct {
	Size      int           // nodes in it
	Refreshed time.Time     // last; zero for never
	Period    time.Duration // between refreshes
}

// Table tells how the routing table stands now.
func (d *Discovery) Table() TableState {
	t := TableState{Size: d.kad.RoutingTable().Size(), Period: d.cfg.RefreshPeriod}
	for _, at := range d.kad.RoutingTable().GetTrackedCplsForRefresh() {
		if at.After(t.Refreshed) {
			t.Refreshed = at
		}
	}
	return t
}
