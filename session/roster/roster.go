package roster

import (
	"context"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session"
	"github.com/panpipe-net/panpipe/session/account"
	"github.com/panpipe-net/panpipe/session/replica"
)

// Roster is the buddies of one account on one device. Its methods are safe for
// concurrent use, before, while and after it runs.
type Roster struct {
	cfg Config
}

// New returns the roster of the keeper's account and starts nothing. Errors:
// NotReady without an account, BadRequest for a Config that cannot work, the
// Store's.
func New(cfg Config) (*Roster, error) {
	if err := cfg.normalize(); err != nil {
		return nil, err
	}
	return &Roster{cfg: cfg}, nil
}

// Run serves until ctx is done or Close is called, and returns when all it
// started has ended.
func (r *Roster) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// Close tells those who are connected that this device leaves, withdraws what is
// bound, and joins everything. It takes at most a few seconds and is idempotent.
func (r *Roster) Close() error { return nil }

// Account is whose roster this is.
func (r *Roster) Account() identity.Principal {
	a, _ := r.cfg.Keeper.Account()
	return a.ID()
}

// Buddies returns all accounts that the profile knows, by account, the removed
// ones left out.
func (r *Roster) Buddies() []Buddy { return nil }

// Buddy returns one, false where the profile does not know the account. A
// removed one is known.
func (r *Roster) Buddy(id identity.Principal) (Buddy, bool) { return Buddy{}, false }

// Requests returns what waits for Accept or Decline, the oldest first.
func (r *Roster) Requests() []Request { return nil }

// Ask asks an account to be a buddy, with a note of at most buddy.MaxNote bytes
// of one line. The buddy is then kept as requested, and asked again until there
// is an answer; it is accepted at once if that account has asked too. A state of
// account.Accepted is the answer yes. With an error that is Unbound, Unreachable
// or Timeout the request is kept, and will be told when a device of the account is there.
// Other errors: BadRequest for what is no account or a note that does not fit,
// Forbidden for a blocked account, Limit.
func (r *Roster) Ask(ctx context.Context, id identity.Principal, note string) (account.State, error) {
	return 0, errLater
}

// Accept takes the request of an account. Unknown where there is none.
func (r *Roster) Accept(ctx context.Context, id identity.Principal) error { return errLater }

// Decline forgets the request of an account, which hears nothing. Unknown where
// there is none.
func (r *Roster) Decline(ctx context.Context, id identity.Principal) error { return errLater }

// Remove ends a friendship, or takes a request back. Unknown for an account that is no buddy.
func (r *Roster) Remove(ctx context.Context, id identity.Principal) error { return errLater }

// Block keeps an account out, buddy or not, until Unblock. It hears nothing.
func (r *Roster) Block(ctx context.Context, id identity.Principal) error { return errLater }

// Unblock lifts a block. The account has to be asked again, or to ask.
func (r *Roster) Unblock(ctx context.Context, id identity.Principal) error { return errLater }

// SetPetname gives a buddy this account's own name for it; "" takes it away.
// Errors are those of account.SetPetname, and Unknown for an account that is no
// buddy.
func (r *Roster) SetPetname(ctx context.Context, id identity.Principal, name string) error {
	return errLater
}

// SetStatus shows buddies a text of at most buddy.MaxStatus bytes of one line
// beside this account's name, as long as this device is there. BadRequest for
// another.
func (r *Roster) SetStatus(text string) error { return errLater }

// Attend says that a person looks at a buddy, until done is called: it is
// connected to as soon as it is there, and its death is seen within 10 s. At
// most 64 buddies are attended to at a time, those who were last.
func (r *Roster) Attend(id identity.Principal) (done func()) { return func() {} }

// Devices returns this account's valid devices, the most senior first.
func (r *Roster) Devices() []Device { return nil }

// Watch has f told what happens, in order, on a goroutine of its own. f may call
// the roster, but not stop, which returns when f is not running any more.
func (r *Roster) Watch(f func(Event)) (stop func()) { return func() {} }

// Conversations are those of the account.
func (r *Roster) Conversations() *session.Conversations { return nil }

// Send writes a text of at most replica.MaxBody bytes. It is on the disk when
// Send returns, and goes to every device of both accounts when they are there.
// After an error the text is still the caller's. Errors: Forbidden for an
// account that is no accepted buddy, TooLarge, BadRequest for text that is empty
// or not UTF-8, Limit, Internal for a full disk.
func (r *Roster) Send(ctx context.Context, with identity.Principal, text string) (Message, error) {
	return Message{}, errLater
}

// Page returns at most n messages of a conversation before a place, the newest
// first; the zero place is the end.
func (r *Roster) Page(ctx context.Context, with identity.Principal, before replica.ID, n int) ([]Message, error) {
	return nil, errLater
}

// MarkRead notes that a person has seen a conversation up to and including a
// place, and tells all devices of both accounts.
func (r *Roster) MarkRead(ctx context.Context, with identity.Principal, upTo replica.ID) error {
	return errLater
}

// Unread is how many messages of the other account a person has yet to see here,
// at most n.
func (r *Roster) Unread(ctx context.Context, with identity.Principal, n int) (int, error) {
	return 0, errLater
}

// SetState writes the application's bytes of a conversation, at most
// replica.MaxBody, which its devices and those of the other account then have.
// Errors are those of Send.
func (r *Roster) SetState(ctx context.Context, with identity.Principal, state []byte) error {
	return errLater
}

// State returns the bytes that were last written, nil if none were.
func (r *Roster) State(ctx context.Context, with identity.Principal) ([]byte, error) {
	return nil, errLater
}

// Sessions lists the sessions that run now, by account and device.
func (r *Roster) Sessions() []Session { return nil }

var errLater = wire.Errorf(wire.Unsupported, "not in this version")
