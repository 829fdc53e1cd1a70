package control

import (
	"errors"
	"slices"
	"time"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// From the values of the pipe service to the types of the API.

func apiPipe(id pipe.ID, a *pipe.Advertisement) api.Pipe {
	p := api.Pipe{ID: id.String(), URI: id.URI(), Transports: []string{}}
	if a == nil {
		return p
	}
	p.PublicName, p.Type, p.Owner = a.Name, a.Type.String(), a.Owner.String()
	p.Binders, p.DialPolicy, p.Reliable = a.Binders.String(), a.DialPolicy.String(), a.Reliable
	for _, t := range a.Transports {
		p.Transports = append(p.Transports, string(t))
	}
	return p
}

func apiKeptPipe(k pipe.Pipe) api.Pipe {
	p := apiPipe(k.ID, &k.Advertisement)
	p.Name = k.Name
	if !k.Created.IsZero() {
		p.Created = &k.Created
	}
	return p
}

func apiResolution(r *pipe.Resolution) api.Resolution {
	answer := api.Resolution{
		Pipe: apiPipe(r.Pipe, &r.Advertisement), Bindings: []api.Binding{}, Asked: r.Asked, TookMS: milliseconds(r.Took),
	}
	for _, f := range r.Bindings {
		answer.Bindings = append(answer.Bindings, apiBinding(f))
	}
	return answer
}

func apiBinding(f pipe.Found) api.Binding {
	b := api.Binding{
		Binder: f.Binding.Binder.String(), Endpoints: []string{}, Unproven: f.Unproven,
		Seq: f.Binding.Seq, Term: f.Binding.Term, Issued: f.Binding.Issued, Expires: f.Binding.Expires(),
		From: f.From.String(), Origin: string(f.Origin), AgeMS: f.Age.Milliseconds(), Record: f.Envelope,
	}
	for _, e := range f.Binding.Endpoints {
		b.Endpoints = append(b.Endpoints, e.String())
	}
	return b
}

func apiExplanation(e pipe.Explanation) api.Explanation {
	answer := api.Explanation{
		Kind: api.KindPipe, Pipe: e.Pipe, Name: e.Name, Type: e.Type, Found: e.Found, Connected: e.Connected, Accepted: e.Accepted, State: string(e.State), Path: e.Path,
		Asked: e.Asked, TookMS: milliseconds(e.Took), Records: []api.Binding{}, Dials: some(apiDials(e.Dials)),
	}
	answer.ReconnectingSince = orNil(e.Reconnecting)
	for _, r := range e.Records {
		answer.Records = append(answer.Records, api.Binding{
			Binder: r.Binder, Endpoints: some(slices.Clone(r.Endpoints)), Unproven: r.Unproven, Seq: r.Seq, Term: r.Term,
			Issued: r.Issued, Expires: r.Expires, From: r.From, Origin: r.Origin, AgeMS: r.Age.Milliseconds(),
		})
	}
	if code, ok := wire.ParseCode(e.Code); ok && code != wire.OK {
		answer.Problem = api.ProblemOf(wire.Errorf(code, "%s", e.Error).WithNext("%s", e.Suggestion))
	}
	return answer
}

func apiDials(all []pipe.ExplainedAttempt) (dials []api.DialAttempt) {
	for _, d := range all {
		dials = append(dials, api.DialAttempt{
			Binder: d.Binder, Endpoint: d.Endpoint, Transport: d.Transport, Reused: d.Reused, Punch: d.Punch, Beaten: d.Beaten,
			TookMS: milliseconds(d.Took), Error: d.Error,
		})
	}
	return dials
}

// problemOf tells an error of the node's, with every try of a dial that failed.
func problemOf(err error) *api.Problem {
	p := api.ProblemOf(err)
	var failed *pipe.DialError
	if errors.As(err, &failed) {
		p.Dials = apiDials(failed.Dials())
	}
	return p
}

func apiGrant(id pipe.ID, text string, c identity.Capability) api.Grant {
	return api.Grant{
		Capability: text, Pipe: id.String(), Right: c.Right.String(), To: c.Subject.String(),
		Term: c.Term, Expires: c.Expiry, Nonce: c.Nonce.String(), State: api.GrantGood,
	}
}

func apiGrantRecord(g pipe.GrantRecord) api.Grant {
	state := api.GrantGood
	switch {
	case g.Revoked:
		state = api.GrantRevoked
	case g.Expired:
		state = api.GrantExpired
	case g.Overtaken:
		state = api.GrantOvertaken
	}
	return api.Grant{
		Capability: identity.FormatCapability(g.Capability), Pipe: g.Pipe.String(), Right: g.Right.String(),
		To: g.Subject.String(), Term: g.Term, Expires: g.Expiry, Nonce: g.Nonce.String(), State: state,
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
