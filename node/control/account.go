package control

import (
	"context"
	"net/http"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/account"
	"github.com/panpipe-net/panpipe/session/account/linking"
	"github.com/panpipe-net/panpipe/session/roster"
)

// Accounts is the part of a node that is a device of an account. *node.Node is
// one.
type Accounts interface {
	// Account returns the account, and a channel that is closed when it has changed.
	Account() (account.Account, <-chan struct{})
	// Devices tells how near the account's devices are.
	Devices() []roster.Device
	DraftAccount(passphrase string, changes ...account.Change) (account.Draft, error)
	KeepAccount(ctx context.Context, a account.Account) error
	ImportAccount(ctx context.Context, q account.ImportRequest) (account.Account, error)
	ExportAccount(file []byte, passphrase, fresh string) ([]byte, error)
	EditAccount(ctx context.Context, changes ...account.Change) (account.Account, error)
	RevokeDevice(ctx context.Context, id peer.ID) (account.Account, error)
	LogoutAccount(ctx context.Context) error
	// LinkDevice calls offered once before it lets a device in.
	LinkDevice(ctx context.Context, offered func(linking.Offer), failed func(linking.Attempt)) (identity.Device, error)
	JoinAccount(ctx context.Context, invitation, name string) (account.Account, error)
}

// Handlers of the routes of the node's account.

// withAccounts is a handler that needs a node which can have an account.
func withAccounts[Q, B, A any](s *Server, fn func(n Accounts, r *http.Request, q Q, b B) (A, error)) endpoint {
	return call(func(r *http.Request, q Q, b B) (a A, err error) {
		if s.cfg.Accounts == nil {
			return a, wire.Errorf(wire.Unsupported, "this node has no accounts")
		}
		return fn(s.cfg.Accounts, r, q, b)
	})
}

func (s *Server) account(n Accounts, _ *http.Request, _, _ none) (api.Account, error) {
	a, _ := n.Account()
	if a.IsZero() {
		return api.Account{}, account.ErrNone
	}
	return apiAccount(a, n.Devices()), nil
}

// draftLife is how long a draft waits until it is kept.
const draftLife = 10 * time.Minute

// draft is the new account that was made last, while it waits to be kept.
type draft struct {
	account account.Account
	until   time.Time
}

func (s *Server) draftAccount(n Accounts, _ *http.Request, _ none, q api.AccountDraftRequest) (api.AccountDraft, error) {
	if q.Name == "" {
		return api.AccountDraft{}, wire.Errorf(wire.BadRequest, "an account needs a name that its buddies see")
	}
	d, err := n.DraftAccount(q.Passphrase, account.SetName(q.Name), account.NameDevice(s.cfg.Node.ID(), q.Device))
	if err != nil {
		return api.AccountDraft{}, err
	}
	until := time.Now().Add(draftLife)
	s.draft.Store(&draft{account: d.Account, until: until})
	return api.AccountDraft{Account: d.Account.ID().String(), Recovery: string(d.Recovery), Expires: until}, nil
}

func (s *Server) keepAccount(n Accounts, r *http.Request, _ none, q api.AccountKeepRequest) (api.Account, error) {
	d := s.draft.Load()
	if d == nil || d.account.ID().String() != q.Account || time.Now().After(d.until) {
		return api.Account{}, wire.Errorf(wire.Unknown, "there is no draft of the account %q", q.Account).
			WithNext("make one with POST /v1/account/drafts; it waits for %s, and for no second one", draftLife)
	}
	if err := n.KeepAccount(r.Context(), d.account); err != nil {
		return api.Account{}, err
	}
	s.draft.CompareAndSwap(d, nil)
	return apiAccount(d.account, n.Devices()), nil
}

func (s *Server) importAccount(n Accounts, r *http.Request, _ none, q api.AccountImportRequest) (api.Account, error) {
	ctx, cancel := context.WithTimeout(r.Context(), opTimeout)
	defer cancel()
	_ = s.readiness(ctx, grace) // the overlay may have a newer device log
	a, err := n.ImportAccount(ctx, account.ImportRequest{File: []byte(q.Recovery), Passphrase: q.Passphrase, Name: q.Device, Alone: q.Alone})
	if err != nil {
		return api.Account{}, err
	}
	return apiAccount(a, n.Devices()), nil
}

func (s *Server) exportAccount(n Accounts, _ *http.Request, _ none, q api.AccountExportRequest) (api.AccountRecovery, error) {
	file, err := n.ExportAccount([]byte(q.Recovery), q.Passphrase, q.NewPassphrase)
	return api.AccountRecovery{Recovery: string(file)}, err
}

func (s *Server) editProfile(n Accounts, r *http.Request, _ none, q api.AccountProfileRequest) (api.Account, error) {
	var changes []account.Change
	if q.Name != nil {
		if *q.Name == "" {
			return api.Account{}, wire.Errorf(wire.BadRequest, "an account needs a name that its buddies see")
		}
		changes = append(changes, account.SetName(*q.Name))
	}
	if q.Contact != nil {
		c, err := account.ParseContact(*q.Contact)
		if err != nil {
			return api.Account{}, err
		}
		changes = append(changes, account.SetContact(c))
	}
	if len(changes) == 0 {
		return api.Account{}, wire.Errorf(wire.BadRequest, "nothing to change: neither name nor contact is given")
	}
	return edit(r, n, changes...)
}

func edit(r *http.Request, n Accounts, changes ...account.Change) (api.Account, error) {
	a, err := n.EditAccount(r.Context(), changes...)
	if err != nil {
		return api.Account{}, err
	}
	return apiAccount(a, n.Devices()), nil
}

func (s *Server) nameDevice(n Accounts, r *http.Request, _ none, q api.AccountDeviceRequest) (api.Account, error) {
	a, _ := n.Account()
	id, err := findDevice(a, r.PathValue("device"))
	if err != nil {
		return api.Account{}, err
	}
	return edit(r, n, account.NameDevice(id, q.Name))
}

func (s *Server) revokeDevice(n Accounts, r *http.Request, _, _ none) (api.Account, error) {
	a, _ := n.Account()
	id, err := findDevice(a, r.PathValue("device"))
	if err != nil {
		return api.Account{}, err
	}
	if a, err = n.RevokeDevice(r.Context(), id); err != nil {
		return api.Account{}, err
	}
	return apiAccount(a, n.Devices()), nil
}

func (s *Server) logout(n Accounts, r *http.Request, _, _ none) (none, error) {
	return none{}, n.LogoutAccount(r.Context())
}

func (s *Server) joinAccount(n Accounts, r *http.Request, _ none, q api.AccountJoinRequest) (api.Account, error) {
	ctx, cancel := context.WithTimeout(r.Context(), opTimeout)
	defer cancel()
	var a account.Account
	err := s.whenReady(ctx, func() (err error) {
		a, err = n.JoinAccount(ctx, q.Invitation, q.Device)
		return err
	})
	if err != nil {
		return api.Account{}, err
	}
	return apiAccount(a, n.Devices()), nil
}

// watchAccount publishes the account whenever it has changed.
func (s *Server) watchAccount() {
	_, changed := s.cfg.Accounts.Account()
	for {
		select {
		case <-changed:
		case <-s.ctx.Done():
			return
		}
		var a account.Account
		a, changed = s.cfg.Accounts.Account()
		e := api.Event{Kind: api.EventAccount}
		if !a.IsZero() {
			now := apiAccount(a, s.cfg.Accounts.Devices())
			e.OwnAccount = &now
		}
		s.hub.publish(e)
	}
}
