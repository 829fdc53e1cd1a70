package roster

import "github.com/panpipe-net/panpipe/protocols/wire"

// What links end with. The far side is told the code.
var (
	errUnbound error = wire.Errorf(wire.Unbound, "there is no such pipe")
	errRevoked error = wire.Errorf(wire.Forbidden, "the account has revoked this device")
	errIdle    error = wire.Errorf(wire.Closed, "nobody looks")
	errTaken   error = wire.Errorf(wire.Taken, "another link of this purpose stands")
	errBusy    error = wire.Errorf(wire.Busy, "too much at once")
	errClosed  error = wire.Errorf(wire.Closed, "the roster is closed")
	errOver    error = wire.Errorf(wire.Replaced, "another link of this purpose stands now")

	errSame error = wire.Errorf(wire.OK, "nothing has changed") // of an act on the account: nothing is stored
)

func errNoBuddy(what string) error {
	return wire.Errorf(wire.Unknown, "%s is not a buddy", what).WithNext("see who is: panpipe buddy ls")
}
