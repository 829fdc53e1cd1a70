package control

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// From the texts of the API to the options of the pipe service. What cannot be
// read is wire.BadRequest and names the text.

// reading keeps the first error, so that a list of options is read in one go.
type reading struct{ err error }

// word reads text with read, unless it is empty or something has failed.
func word[T any](p *reading, text string, read func(string) (T, error)) (value T) {
	if text == "" || p.err != nil {
		return value
	}
	value, p.err = read(text)
	return value
}

// words reads a list.
func words[T any](p *reading, texts []string, read func(string) (T, error)) []T {
	var values []T
	for _, text := range texts {
		if text == "" && p.err == nil {
			p.err = wire.Errorf(wire.BadRequest, "a list has an empty item")
		}
		values = append(values, word(p, text, read))
	}
	return values
}

func parsePeer(text string) (peer.ID, error) {
	who, err := identity.ParsePrincipal(text)
	if err != nil {
		return "", wire.Errorf(wire.BadRequest, "%q is not a peer ID", text).WithNext("take it from panpipe id or panpipe peers")
	}
	id, ok := who.Peer()
	if !ok {
		return "", wire.Errorf(wire.BadRequest, "%q is an account, not a peer", text)
	}
	return id, nil
}

func parseCapability(text string) ([]byte, error) {
	envelope, _, err := identity.ParseCapability(text)
	return envelope, err
}

func parsePath(text string) (pipe.PathPolicy, error) {
	switch p := pipe.PathPolicy(text); p {
	case pipe.RelayOK, pipe.PreferDirect, pipe.DirectOnly:
		return p, nil
	}
	return "", wire.Errorf(wire.BadRequest, "%q is not a path policy", text).
		WithNext("use %s, %s or %s", pipe.RelayOK, pipe.PreferDirect, pipe.DirectOnly)
}

func createOptions(q api.CreateRequest) (pipe.CreateOptions, error) {
	var p reading
	o := pipe.CreateOptions{
		Type:       word(&p, q.Type, pipe.ParseType),
		Binders:    word(&p, q.Binders, pipe.ParseBinders),
		DialPolicy: word(&p, q.DialPolicy, pipe.ParseDialPolicy),
		Transports: words(&p, q.Transports, reach.ParseTransport),
		PublicName: q.PublicName,
		Unreliable: q.Unreliable,
	}
	return o, p.err
}

func resolveOptions(q api.ResolveQuery) (pipe.ResolveOptions, error) {
	var p reading
	o := pipe.ResolveOptions{
		Transport: word(&p, q.Transport, reach.ParseTransport),
		NoCache:   q.NoCache,
		Fresh:     q.Fresh,
		Only:      words(&p, q.Ask, parsePeer),
		Wait:      time.Duration(q.Wait),
	}
	return o, p.err
}

func dialOptions(q api.DialQuery) (pipe.DialOptions, error) {
	var p reading
	o := pipe.DialOptions{
		Transport:  word(&p, q.Transport, reach.ParseTransport),
		Binders:    words(&p, q.Binder, parsePeer),
		Wait:       time.Duration(q.Wait),
		Capability: word(&p, q.Capability, parseCapability),
		NoCache:    q.NoCache,
		Spread:     q.Spread,
		PathPolicy: word(&p, q.Path, parsePath),
		Raw:        q.Raw,
		Grace:      time.Duration(q.Grace),
	}
	if p.err == nil && o.PathPolicy == pipe.DirectOnly && o.Transport == reach.Relay {
		p.err = wire.Errorf(wire.BadRequest, "transport relay contradicts path direct-only: no path is both").
			WithNext("leave out one of the two")
	}
	return o, p.err
}

// maxBacklog caps the connections of one listen that nobody has taken yet.
const maxBacklog = 128

func listenOptions(q api.ListenRequest) (pipe.ListenOptions, error) {
	var p reading
	o := pipe.ListenOptions{
		Capability: word(&p, q.Capability, parseCapability),
		Allow:      words(&p, q.Allow, identity.ParsePrincipal),
		Term:       q.Term,
		Life:       time.Duration(q.Life),
		Backlog:    q.Backlog,
		Raw:        q.Raw,
		Grace:      time.Duration(q.Grace),
	}
	if p.err == nil && (q.Backlog < 0 || q.Backlog > maxBacklog) {
		p.err = wire.Errorf(wire.BadRequest, "backlog %d is not between 0 and %d", q.Backlog, maxBacklog)
	}
	return o, p.err
}

func grantOptions(q api.GrantRequest) (pipe.GrantOptions, error) {
	var p reading
	o := pipe.GrantOptions{
		Right: word(&p, q.Right, identity.ParseRight),
		To:    word(&p, q.To, identity.ParsePrincipal),
		For:   time.Duration(q.For),
		Term:  q.Term,
	}
	if p.err == nil && (q.Right == "" || q.To == "") {
		p.err = wire.Errorf(wire.BadRequest, "a grant needs a right (bind or dial) and a principal to give it to")
	}
	return o, p.err
}
