package pipe

import "github.com/panpipe-net/panpipe/protocols/identity"

// ContactPipe describes the pipe at which an account is asked to talk, and
// nothing else: it follows from the account's ID alone, so that whoever knows
// that finds it. Each device of the account binds it, and everybody may dial it.
func ContactPipe(account identity.Principal) Advertisement {
	return Advertisement{
		Type: TypeUnicast, Owner: account, Binders: Many, DialPolicy: DialOpen, Reliable: true,
	}
}
