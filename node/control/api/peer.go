package api

// PeerExplanation is what the node knows of another one.
type PeerExplanation struct {
	// ID is its peer ID.
	ID string `json:"id"`
	// Principal is peer:<peer ID>.
	Principal string `json:"principal"`
	// Self says that it is the node itself.
	Self bool `json:"self"`
	// Summary is the outcome in one sentence.
	Summary string `json:"summary"`
	// Identified says that it has told what it speaks; the four fields after
	// this one mean nothing else.
	Identified bool `json:"identified"`
	// Agent is what its program calls itself.
	Agent string `json:"agent,omitempty"`
	// InOverlay says that it speaks the protocols of this overlay.
	InOverlay bool `json:"in_overlay"`
	// Server says that it routes for this overlay.
	Server bool `json:"server"`
	// Relays says that it relays for others.
	Relays bool `json:"relays"`
	// Overlays are others whose protocols it speaks.
	Overlays []string `json:"overlays"`
	// Direct says that one path at least has no relay in between.
	Direct bool `json:"direct"`
	// Paths are the connections to it after it was tried, best first.
	Paths []PeerPath `json:"paths"`
	// Addresses are those known of it.
	Addresses []KnownAddress `json:"addresses"`
	// Next says what to do where there is no problem but something to gain.
	Next string `json:"next,omitempty"`
	// Here are findings about this side that bear on reaching others.
	Here []Finding `json:"here"`
}

// PeerPath is one connection to a peer.
type PeerPath struct {
	// Address is its remote address.
	Address string `json:"address"`
	// Transport is that of the connection.
	Transport string `json:"transport"`
	// Direct says that no relay is in between.
	Direct bool `json:"direct"`
	// Inbound says that the peer has dialled.
	Inbound bool `json:"inbound"`
	// AgeMS is how long it has been there.
	AgeMS float64 `json:"age_ms"`
	// RTTMS is the round trip of a ping sent now, 0 when it was not answered.
	RTTMS float64 `json:"rtt_ms"`
	// Error says why the ping was not answered.
	Error string `json:"error,omitempty"`
	// Circuit is there for a relayed connection.
	Circuit *Circuit `json:"circuit,omitempty"`
}

// Circuit is a connection over a relay, and what is left of the relay's
// limits.
type Circuit struct {
	// Relay is the relay's peer ID.
	Relay string `json:"relay"`
	// MaxTimeMS is how long the relay lets it live; absent: no limit.
	MaxTimeMS *float64 `json:"max_time_ms,omitempty"`
	// LeftTimeMS is what is left of that.
	LeftTimeMS *float64 `json:"left_time_ms,omitempty"`
	// MaxData is the bytes that the relay carries each way; absent: no limit.
	MaxData *int64 `json:"max_data,omitempty"`
	// LeftData is what is left of that; absent where it is not counted.
	LeftData *int64 `json:"left_data,omitempty"`
}

// KnownAddress is one address of a peer.
type KnownAddress struct {
	// Address is the multiaddr.
	Address string `json:"address"`
	// Kind says from where it can be dialled: public, private (in its own
	// network), loopback (on its own machine), relay, or name (wherever the
	// name leads).
	Kind string `json:"kind"`
	// Sources say where it is known from: join (named by a person),
	// connection (dialled now), overlay (other nodes, asked now), remembered
	// (an earlier run), peerstore (heard in this run), own.
	Sources []string `json:"sources"`
}
