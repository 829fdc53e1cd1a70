package store

import (
	"context"
	"database/sql"
	"errors"
)

// LoadAccount returns the record of this device's account, nil where it has
// none.
func (s *Store) LoadAccount(ctx context.Context) ([]byte, error) {
	var record []byte
	err := s.db.QueryRowContext(ctx, "SELECT record FROM account").Scan(&record)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, s.fail("account", err)
	}
	return record, nil
}

// SaveAccount replaces the record; an empty one forgets the account.
func (s *Store) SaveAccount(ctx context.Context, record []byte) error {
	if len(record) == 0 {
		return s.exec(ctx, "forget account", "DELETE FROM account")
	}
	return s.exec(ctx, "save account",
		"INSERT INTO account (one, record) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET record = excluded.record", record)
}
