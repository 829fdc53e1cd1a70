package doctor

import (
	"fmt"
	"time"
)

const (
	clockWarning = time.Minute
	clockProblem = 10 * time.Minute // the skew at which holders refuse records
	clockNodes   = 3                // fewer say nothing: one of them may be the one that is wrong

	fewServers    = 4
	enoughHolders = 5
	freshBinding  = time.Minute // a record that young may still be on its way
)

// clock compares this node's clock with those of others.
func clock(n Node) []Finding {
	c := n.Clock
	if c.Nodes < clockNodes {
		return one(Clock, Note, "too few nodes have told their clock to judge this one", count(c.Nodes, "node")+", of 3 at least", "")
	}
	off := c.Ahead.Abs()
	way := "ahead of"
	if c.Ahead < 0 {
		way = "behind"
	}
	summary := fmt.Sprintf("this clock is %s %s those of the overlay", span(off), way)
	cause := fmt.Sprintf("median of %s that answered", count(c.Nodes, "node"))
	const next = "set this machine's clock, and keep it with NTP (timedatectl set-ntp true)"
	switch {
	case off > clockProblem:
		return one(Clock, Problem, summary+": records signed here are refused, and those of others look expired", cause, next)
	case off > clockWarning:
		return one(Clock, Warning, summary, cause, next)
	}
	return one(Clock, OK, "this clock agrees with those of the overlay", cause+": "+span(off)+" apart", "")
}

// peers judges how many nodes are connected.
func peers(n Node) []Finding {
	switch {
	case n.Servers >= fewServers:
		return one(Peers, OK, fmt.Sprintf("%s connected, %d of them serve the overlay", count(n.Peers, "node"), n.Servers), "", "")
	case n.Servers > 0:
		return one(Peers, Note, fmt.Sprintf("%s of the overlay connected: records have few holders", count(n.Servers, "server")),
			fmt.Sprintf("%s connected in all", count(n.Peers, "node")), "a small overlay works; with more nodes it survives the loss of some")
	case !n.LastServer.IsZero():
		return one(Peers, Problem, "all servers of the overlay are lost: nothing can be resolved or bound",
			"the last answer of one came "+span(n.Now.Sub(n.LastServer))+" ago", "look at this machine's network; trying to reconnect goes on")
	case n.Alone:
		return one(Peers, Note, "this node is alone, an overlay of its own", "nobody was named to join through, and nobody is remembered or heard on the LAN",
			"to join others: panpipe up --join TICKET, the ticket from panpipe ticket on one of their nodes")
	case n.Peers > 0:
		return one(Peers, Problem, fmt.Sprintf("%s connected, and none serves the overlay %q", count(n.Peers, "node"), n.Overlay),
			"they are in another overlay, or only clients of this one", "join through a server of the overlay: --join")
	}
	return one(Peers, Problem, "no node is connected", "none of the nodes to join through, and none of those remembered, answers",
		"see the findings of code join; give more nodes with --join")
}

// joins tells of each address that a person named and that does not work.
func joins(n Node) []Finding {
	severity := Warning
	if n.Servers == 0 {
		severity = Problem
	}
	var all []Finding
	for _, j := range n.Joins {
		next := j.Next
		if next == "" {
			next = "check that the node there runs and that its port is open; trying goes on"
		}
		all = append(all, one(Join, severity, "joining through "+j.Addr+" does not work", j.Error, next)...)
	}
	return all
}

// role judges whether the node does for the overlay what it could.
func role(n Node) []Finding {
	server := n.Role == "server"
	switch {
	case server && n.RoleForced && n.Reachability == private:
		return one(Role, Warning, "this node serves the overlay although others cannot reach it: they lose time by it", "the setting role is server",
			"leave role empty, and the node finds out itself")
	case !server && n.RoleForced && n.Reachability == public:
		return one(Role, Note, "this node could serve the overlay and does not", "the setting role is client", "leave role empty to help the overlay")
	case server:
		return one(Role, OK, "this node serves the overlay: it answers queries and holds records", "", "")
	}
	return one(Role, OK, "this node is a client of the overlay: it asks, and holds nothing for others", "others cannot dial it, or it is told so", "")
}

// table judges the routing table.
func table(n Node) []Finding {
	t := n.Table
	cause := fmt.Sprintf("%d in the table, %s connected", t.Size, count(n.Servers, "server"))
	if !t.Refreshed.IsZero() {
		cause += ", refreshed " + span(n.Now.Sub(t.Refreshed)) + " ago"
	}
	late := t.Period > 0 && n.Now.Sub(t.Refreshed) > 3*t.Period && n.Now.Sub(n.Started) > 3*t.Period
	switch {
	case n.Servers == 0 && t.Size == 0:
		return nil // told by peers
	case t.Size == 0:
		return one(RoutingTable, Note, "the routing table is empty", cause, "it fills within a minute of joining")
	case late:
		return one(RoutingTable, Warning, "the routing table has not been refreshed for long: lookups may start at nodes that have gone", cause,
			"look whether the process is starved of CPU; a restart fills the table anew")
	}
	return one(RoutingTable, OK, "the routing table is in order", cause, "")
}

// survey judges how the nearest nodes answered just now.
func survey(n Node) []Finding {
	s := n.Survey
	told := fmt.Sprintf("%d of %d nodes nearest to this one answered", s.Answered, s.Asked)
	switch {
	case s.Asked == 0:
		return nil
	case s.Answered == 0:
		return one(OverlayAnswers, Problem, "no node of the overlay answers: nothing can be resolved or bound", told+"; the last failure: "+s.Cause,
			"look at the network between; panpipe explain PEER tells more of one of them (panpipe peers)")
	case 2*s.Answered < s.Asked:
		return one(OverlayAnswers, Warning, "most of the nodes near this one do not answer: resolving takes longer", told+"; the last failure: "+s.Cause,
			"wait, if nodes have just left; else look at the network between")
	}
	return one(OverlayAnswers, OK, "the overlay answers", told, "")
}

// bindings judges how well each record of this node is held.
func bindings(n Node) []Finding {
	want := n.Servers
	if n.Role == "server" {
		want++
	}
	want = min(want, enoughHolders)
	var all []Finding
	for _, b := range n.Bindings {
		told := fmt.Sprintf("%s of %d hold it", count(b.Holders, "node"), want)
		switch {
		case b.Holders == 0 && want > 0 || b.Holders < want && b.Age > freshBinding && b.Holders*2 < want:
			all = append(all, one(Binding, Problem, "pipe "+b.Pipe+" is served here, but hardly anybody holds its record: others may not find it", told,
				"see the findings of codes peers and overlay-answers; the record is stored again at half of its life")...)
		case b.Holders < want:
			all = append(all, one(Binding, Warning, "the record of pipe "+b.Pipe+" has few holders: it is lost if they leave", told,
				"wait a moment; the record is stored again at half of its life")...)
		default:
			all = append(all, one(Binding, OK, "pipe "+b.Pipe+" is served here, and its record is held", count(b.Holders, "node")+" hold it", "")...)
		}
	}
	return all
}

// foreign tells of connected nodes that speak past this one.
func foreign(n Node) []Finding {
	var all []Finding
	for _, f := range n.Foreign {
		if f.Overlay == n.Overlay {
			all = append(all, one(OtherVersion, Warning, count(f.Peers, "connected node")+" of this overlay speak another version: "+f.Protocol,
				"they run an older or a newer release", "bring all nodes to one release")...)
			continue
		}
		severity := Note
		if n.Servers == 0 {
			severity = Warning
		}
		all = append(all, one(OtherOverlay, severity, fmt.Sprintf("%s in overlay %q, this node is in %q", count(f.Peers, "connected node"), f.Overlay, n.Overlay),
			"they speak "+f.Protocol, "if they are meant to be one, give all the same overlay")...)
	}
	return all
}
