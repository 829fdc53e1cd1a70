package gateway

import (
	"crypto/rand"
	"encoding/hex"
	"reflect"
	"slices"
	"strings"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Kind says what a rule does.
type Kind string

// The kinds of rules.
const (
	Expose  Kind = "expose"  // serves a local service on a pipe
	Forward Kind = "forward" // listens locally, and carries each client to a pipe
	Socks   Kind = "socks"   // listens locally, and each client names its pipe
)

// Anyone in a rule's Allow lets everybody dial.
const Anyone = "anyone"

// ProxyV2 is the one version of the PROXY protocol that a rule may ask for.
const ProxyV2 = "v2"

// Rule is one line of a gateway's configuration. What a kind has no use for is
// empty in its rules.
type Rule struct {
	// ID names the rule on this node; empty in a new one, which is given one.
	ID   string `json:"id,omitempty"`
	Kind Kind   `json:"kind"`
	// Target is the service that an expose rule serves: host:port or unix:/path.
	Target string `json:"target,omitempty"`
	// Listen is where forward and socks rules listen: host:port (port 0 takes a
	// free one) or unix:/path.
	Listen string `json:"listen,omitempty"`
	// Pipe is the ID or the local name of the pipe. An expose rule makes a pipe of
	// that name if there is none; empty, it is named after the target.
	Pipe string `json:"pipe,omitempty"`
	// Allow lists the principals that may dial what is exposed, or Anyone.
	Allow []string `json:"allow,omitempty"`
	// ProxyProtocol is ProxyV2 if the service is told who comes; else empty.
	ProxyProtocol string `json:"proxy_protocol,omitempty"`
	// Exclusive makes a new pipe one that a single node serves; otherwise several
	// may expose the service, and dialers find one of them.
	Exclusive bool `json:"exclusive,omitempty"`
	// Transport must carry what a forward or socks rule dials; empty means any.
	Transport reach.Transport `json:"transport,omitempty"`
	// Capability is the owner's permission to bind the pipe (expose) or to dial
	// it (forward), where one is needed.
	Capability []byte `json:"capability,omitempty"`
	// Spread divides the clients of a forward rule among the pipe's binders.
	Spread bool `json:"spread,omitempty"`
	// MaxChannels caps the rule's channels, MaxPerClient those of one client; 0
	// leaves it to the gateway's limits.
	MaxChannels  int `json:"max_channels,omitempty"`
	MaxPerClient int `json:"max_per_client,omitempty"`
}

const (
	maxAllow  = 1024 // principals in a rule
	maxRuleID = 64
)

// normalize brings a rule into the form in which it is kept, or says what is
// wrong with it, as BadRequest.
func (r Rule) normalize() (Rule, error) {
	if len(r.ID) > maxRuleID || strings.ContainsFunc(r.ID, func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
		return r, wire.Errorf(wire.BadRequest, "the ID of a rule is at most %d printable ASCII characters without spaces", maxRuleID)
	}
	if r.MaxChannels < 0 || r.MaxPerClient < 0 {
		return r, wire.Errorf(wire.BadRequest, "a limit of a rule is negative")
	}
	if len(r.Capability) == 0 {
		r.Capability = nil
	}
	var err error
	switch r.Kind {
	case Expose:
		err = r.normalizeExpose()
	case Forward, Socks:
		err = r.normalizeEntry()
	default:
		err = wire.Errorf(wire.BadRequest, "%.40q is no kind of rule", string(r.Kind)).WithNext("write expose, forward or socks")
	}
	return r, err
}

func (r *Rule) normalizeExpose() error {
	target, err := parseAddress(r.Target, false)
	if err != nil {
		return err
	}
	r.Target = target.String()
	if r.Listen != "" || r.Transport != "" || r.Spread {
		return wire.Errorf(wire.BadRequest, "an expose rule has no listen address, transport or spread of its own")
	}
	if r.ProxyProtocol != "" && r.ProxyProtocol != ProxyV2 {
		return wire.Errorf(wire.BadRequest, "PROXY protocol %.40q is not spoken here", r.ProxyProtocol).WithNext("write v2, or leave it out")
	}
	if r.Pipe == "" {
		r.Pipe = pipeNameOf(target)
	}
	r.Allow, err = normalizeAllow(r.Allow)
	return err
}

func (r *Rule) normalizeEntry() error {
	listen, err := parseAddress(r.Listen, true)
	if err != nil {
		return err
	}
	r.Listen = listen.String()
	if r.Target != "" || len(r.Allow) > 0 || r.ProxyProtocol != "" || r.Exclusive {
		return wire.Errorf(wire.BadRequest, "a %s rule has no target, allow list or PROXY protocol, and is not exclusive", r.Kind)
	}
	r.Allow = nil
	switch {
	case r.Kind == Forward && r.Pipe == "":
		return wire.Errorf(wire.BadRequest, "a forward rule needs a pipe").WithNext("give its ID, or the name that it has here")
	case r.Kind == Socks && (r.Pipe != "" || len(r.Capability) > 0):
		return wire.Errorf(wire.BadRequest, "a socks rule has no pipe and no capability: its clients name the pipe")
	}
	return nil
}

// normalizeAllow reads a list of who may dial. It must name somebody: a pipe's
// ID is no secret.
func normalizeAllow(list []string) ([]string, error) {
	if len(list) == 0 {
		return nil, wire.Errorf(wire.BadRequest, "nobody is allowed to use what is exposed").
			WithNext("allow a principal such as peer:12D3KooW… (panpipe id prints it on that node), or %s: whoever has the pipe's ID, which is no secret", Anyone)
	}
	if len(list) > maxAllow {
		return nil, wire.Errorf(wire.TooLarge, "%d principals are allowed, of which a rule takes %d", len(list), maxAllow)
	}
	out := make([]string, 0, len(list))
	for _, text := range list {
		if text != Anyone {
			p, err := identity.ParsePrincipal(text)
			if err != nil {
				return nil, wire.Errorf(wire.BadRequest, "cannot allow %.80q: write peer:12D3KooW…, acct:12D3KooW…, a peer ID alone (12D3KooW…), or %s; this is none of them, or not all of one", text, Anyone).
					WithNext("run panpipe id on the node that is to be let in, and copy the whole of what it prints as its principal")
			}
			text = p.String()
		}
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return out, nil
}

// allowed is who may dial; everybody if anyone is set.
func (r Rule) allowed() (list []identity.Principal, anyone bool) {
	for _, text := range r.Allow {
		if text == Anyone {
			anyone = true
		} else if p, err := identity.ParsePrincipal(text); err == nil {
			list = append(list, p)
		}
	}
	return list, anyone
}

// pipeNameOf names the pipe of a target that was given none, so that it can
// stand in a host name.
func pipeNameOf(a address) string {
	name := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' {
			return c
		}
		return '-'
	}, a.addr)
	name = strings.Trim(name, "-.")
	return name[max(0, len(name)-60):]
}

// equal reports that two normalised rules say the same.
func (r Rule) equal(o Rule) bool { return reflect.DeepEqual(r, o) }

// place is what only one rule can have: a listen address, or a pipe to serve.
// Empty for a listener on any free port, of which there may be several.
func (r Rule) place() string {
	if r.Kind == Expose {
		return "pipe " + r.Pipe
	}
	if a, err := parseAddress(r.Listen, true); err != nil || a.anyPort() {
		return ""
	}
	return "listen " + r.Listen
}

// newRuleID makes an ID that is short enough to be typed.
func newRuleID(k Kind) string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // it never fails
	return string(k) + "-" + hex.EncodeToString(b[:])
}
