package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/panpipe-net/panpipe/node/control/api"
)

// printPeer writes the explanation of a peer.
func printPeer(w io.Writer, e api.Explanation) {
	p := e.Peer
	fmt.Fprintf(w, "%s: %s\n", p.Principal, p.Summary)
	printWhoPeerIs(w, p)
	for _, x := range p.Paths {
		printPath(w, x)
	}
	fmt.Fprintf(w, "addresses known: %d (nodes asked for them: %d)\n", len(p.Addresses), e.Asked)
	for _, k := range p.Addresses {
		fmt.Fprintf(w, "  %s (%s; from %s)\n", k.Address, k.Kind, strings.Join(k.Sources, ", "))
	}
	if len(e.Dials) > 0 {
		fmt.Fprintln(w, "reaching it:")
	}
	for _, d := range e.Dials {
		printDial(w, d)
	}
	fmt.Fprintln(w, "this side:")
	for _, f := range p.Here {
		printFinding(w, f)
	}
	fmt.Fprintf(w, "connected: %s\n", yes(e.Connected))
	printProblem(w, e.Problem)
	if p.Next != "" {
		fmt.Fprintf(w, "next: %s\n", p.Next)
	}
}

func printWhoPeerIs(w io.Writer, p *api.PeerExplanation) {
	if !p.Identified {
		fmt.Fprintln(w, "  it has not told yet what it speaks")
		return
	}
	if len(p.Paths) == 0 && !p.Self {
		fmt.Fprintln(w, "  what it told when it was last connected:")
	}
	fmt.Fprintf(w, "  program %s; in this overlay: %s; serves it: %s; relays for others: %s\n",
		orDash(p.Agent), yes(p.InOverlay), yes(p.Server), yes(p.Relays))
	if len(p.Overlays) > 0 {
		fmt.Fprintf(w, "  it speaks the protocols of other overlays: %s\n", strings.Join(p.Overlays, ", "))
	}
}

func printPath(w io.Writer, x api.PeerPath) {
	kind, way := "direct", "dialled from here"
	if !x.Direct {
		kind = "over a relay"
	}
	if x.Inbound {
		way = "dialled from there"
	}
	rtt := fmt.Sprintf("round trip %.1f ms", x.RTTMS)
	if x.RTTMS == 0 {
		rtt = "no answer to a ping: " + orDash(x.Error)
	}
	fmt.Fprintf(w, "  connection %s %s: %s, %s, %s old, %s\n", orDash(x.Transport), x.Address, kind, way, spanText(x.AgeMS), rtt)
	if x.Circuit != nil {
		printCircuit(w, x.Circuit)
	}
}

func printCircuit(w io.Writer, c *api.Circuit) {
	fmt.Fprintf(w, "    relay %s", c.Relay)
	if c.MaxTimeMS != nil && c.LeftTimeMS != nil {
		fmt.Fprintf(w, ", %s left of %s", spanText(*c.LeftTimeMS), spanText(*c.MaxTimeMS))
	}
	if c.MaxData != nil && c.LeftData != nil {
		fmt.Fprintf(w, ", %d left of %d bytes each way", *c.LeftData, *c.MaxData)
	} else if c.MaxData != nil {
		fmt.Fprintf(w, ", at most %d bytes each way", *c.MaxData)
	}
	fmt.Fprintln(w)
}

// spanText writes milliseconds as a span of time.
func spanText(ms float64) string {
	d := time.Duration(ms * float64(time.Millisecond))
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

func printProblem(w io.Writer, p *api.Problem) {
	if p == nil {
		return
	}
	fmt.Fprintf(w, "problem: %s (%s)\n", p.Detail, p.Code)
	if p.Next != "" {
		fmt.Fprintf(w, "  next: %s\n", p.Next)
	}
}
