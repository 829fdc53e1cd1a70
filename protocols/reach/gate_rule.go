package reach

// facts are all that the rule for dialling an address looks at.
type facts struct {
	kind    class
	outside bool // this node has a public address of its own, or has met somebody outside
	vouched bool // this very peer was vouched for at this very place, or was connected there
	shared  bool // the peer was seen at a public address that is this node's own too
}

// ruling is what the rule says of an address.
type ruling uint8

const (
	refuse      ruling = iota
	ration             // dialled within the budget for what strangers name
	rationLocal        // within the narrower one for a neighbour's private addresses
	freely             // dialled
)

// rule decides whether an address may be dialled.
//
//	            vouched   nobody outside   shares an address   a stranger's
//	            for       was ever met     with this node      word alone
//	public      freely    ration           ration              ration
//	private     freely    freely           ration (local)      refuse
//	link-local  freely    freely           refuse              refuse
//	loopback    freely    freely           refuse              refuse
//	cloud       freely    refuse           refuse              refuse
//	name        freely    refuse           refuse              refuse
//	no IP       freely    freely           freely              freely
//	never       refuse    refuse           refuse              refuse
//
// A stranger is whoever is named in answers, records and the messages of
// libp2p's own protocols. Where nobody outside was ever met this is a LAN or
// one machine, and those who name such addresses are there too.
func rule(f facts) ruling {
	switch f.kind {
	case classNever:
		return refuse
	case classForeign:
		return freely // an embedder's transport, which knows what it does
	}
	local := f.kind == classPrivate || f.kind == classLocal || f.kind == classLoopback
	switch {
	case f.vouched, local && !f.outside:
		return freely
	case f.kind == classPublic:
		return ration
	case f.kind == classPrivate && f.shared:
		return rationLocal
	}
	return refuse
}
