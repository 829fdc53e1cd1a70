package store

import (
	"context"
	"fmt"

	"github.com/panpipe-net/panpipe/protocols/identity"
)

// Contacts returns what the roster keeps of other accounts.
func (s *Store) Contacts(ctx context.Context) (map[identity.Principal][]byte, error) {
	type row struct {
		account identity.Principal
		record  []byte
	}
	all, err := rows(ctx, s, "contacts", "SELECT account, record FROM contacts", nil,
		func(scan func(...any) error) (r row, err error) {
			var account []byte
			if err := scan(&account, &r.record); err != nil {
				return r, err
			}
			if r.account, err = identity.PrincipalFromBytes(account); err != nil {
				return r, s.damaged(fmt.Errorf("contact: %w", err))
			}
			return r, nil
		})
	contacts := make(map[identity.Principal][]byte, len(all))
	for _, r := range all {
		contacts[r.account] = r.record
	}
	return contacts, err
}

// SaveContact replaces the record of an account; an empty one forgets it.
func (s *Store) SaveContact(ctx context.Context, account identity.Principal, record []byte) error {
	if len(record) == 0 {
		return s.exec(ctx, "forget contact", "DELETE FROM contacts WHERE account = ?", account.Bytes())
	}
	return s.exec(ctx, "save contact",
		"INSERT INTO contacts (account, record) VALUES (?, ?) ON CONFLICT (account) DO UPDATE SET record = excluded.record",
		account.Bytes(), record)
}
