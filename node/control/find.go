package control

import (
	"strings"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/roster"
)

// accountPrefix begins the text of an account's ID.
const accountPrefix = "acct:"

// parseAccount reads the ID of an account.
func parseAccount(text string) (identity.Principal, error) {
	who, err := identity.ParsePrincipal(text)
	switch {
	case strings.TrimSpace(text) == "":
		return who, wire.Errorf(wire.BadRequest, "the account is missing").WithNext("panpipe account show prints it on the other's node: acct:12D3KooW…")
	case err != nil && strings.HasPrefix(strings.TrimSpace(text), accountPrefix):
		return who, wire.Errorf(wire.BadRequest, "%q is mistyped or cut off: it is no account's ID", text).
			WithNext("copy the whole ID again: panpipe account show prints it on the other's node")
	case err != nil:
		return who, wire.Errorf(wire.BadRequest, "%q is no account's ID", text).
			WithNext("panpipe account show prints it on the other's node: acct:12D3KooW…")
	case who.Kind() != identity.KindAccount:
		return who, wire.Errorf(wire.BadRequest, "%s is a node, not an account", who).
			WithNext("panpipe account show prints the account's ID on the other's node: acct:12D3KooW…")
	}
	return who, nil
}

// findBuddy finds whom a person means: by the account's ID, by the petname, or by
// the name that a buddy gives itself, if one buddy alone has it. A petname goes
// first, so that no buddy can call itself what another is called here. Case
// decides only where two names differ in nothing else.
func findBuddy(all []roster.Buddy, ref string) (identity.Principal, error) {
	ref = strings.TrimSpace(ref)
	if strings.HasPrefix(ref, accountPrefix) {
		return parseAccount(ref)
	}
	same := func(a, b string) bool { return a == b }
	for _, match := range []func(b roster.Buddy) bool{
		func(b roster.Buddy) bool { return same(b.Petname, ref) },
		func(b roster.Buddy) bool { return strings.EqualFold(b.Petname, ref) },
		func(b roster.Buddy) bool { return same(b.Name, ref) },
		func(b roster.Buddy) bool { return strings.EqualFold(b.Name, ref) },
		func(b roster.Buddy) bool { return strings.TrimPrefix(b.Account.String(), accountPrefix) == ref },
	} {
		var found []identity.Principal
		for _, b := range all {
			if ref != "" && match(b) {
				found = append(found, b.Account)
			}
		}
		switch {
		case len(found) == 1:
			return found[0], nil
		case len(found) > 1:
			return identity.Principal{}, several(ref, found, "give one a petname: panpipe buddy name ACCOUNT PETNAME; or write its ID")
		}
	}
	return identity.Principal{}, noBuddy(ref)
}

func noBuddy(ref string) error {
	return wire.Errorf(wire.Unknown, "no buddy is %q", ref).WithNext("panpipe buddy ls lists them; panpipe buddy add ACCOUNT asks somebody")
}

// findRequest finds whose request a person means: by ID, or by the name if one
// alone has it.
func findRequest(all []roster.Request, ref string) (identity.Principal, error) {
	ref = strings.TrimSpace(ref)
	if strings.HasPrefix(ref, accountPrefix) {
		return parseAccount(ref)
	}
	var found []identity.Principal
	for _, q := range all {
		if ref != "" && (strings.EqualFold(q.Name, ref) || strings.TrimPrefix(q.Account.String(), accountPrefix) == ref) {
			found = append(found, q.Account)
		}
	}
	switch len(found) {
	case 0:
		return identity.Principal{}, wire.Errorf(wire.Unknown, "there is no request of %q", ref).WithNext("panpipe buddy ls lists the requests")
	case 1:
		return found[0], nil
	}
	return identity.Principal{}, several(ref, found, "write the ID of the one that is meant")
}

// several refuses a name that stands for more than one account.
func several(ref string, found []identity.Principal, next string) error {
	var ids []string
	for _, id := range found {
		ids = append(ids, id.String())
	}
	return wire.Errorf(wire.BadRequest, "%d are called %q: %s", len(found), ref, strings.Join(ids, ", ")).WithNext("%s", next)
}
