package api

import "time"

// Diagnosis is what an examination of the node has found.
type Diagnosis struct {
	// Examined is when the examination ended. Who asks again within five seconds
	// gets the same, unless the node's status or its listens have changed.
	Examined time.Time `json:"examined"`
	// Worst is the highest severity of all findings: ok, note, warning or
	// problem.
	Worst string `json:"worst"`
	// Findings are sorted, worst first.
	Findings []Finding `json:"findings"`
}

// Finding is one thing that an examination has seen.
type Finding struct {
	// Code names the kind of finding and never changes. The package comment of
	// node/doctor tables the codes.
	Code string `json:"code"`
	// Severity is ok, note, warning or problem.
	Severity string `json:"severity"`
	// Summary says what was found.
	Summary string `json:"summary"`
	// Cause says why, or on what evidence.
	Cause string `json:"cause,omitempty"`
	// Next says what to do about it, where there is something to do.
	Next string `json:"next,omitempty"`
}

// NAT is what the node knows of the address translation in front of it.
type NAT struct {
	// Router says that a router that forwards ports on request has answered.
	Router bool `json:"router"`
	// Asked says that the node asks a router to forward ports; else none can
	// have answered.
	Asked bool `json:"asked"`
	// Mapped are the addresses that the router says it forwards, as IP:port.
	Mapped []string `json:"mapped"`
	// Public are the node's addresses as others see them.
	Public []string `json:"public"`
	// Double says that the router's own address is translated once more.
	Double bool `json:"double"`
}
