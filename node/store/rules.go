package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/panpipe-net/panpipe/protocols/gateway"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Rules returns the rules of the gateway, oldest first.
func (s *Store) Rules(ctx context.Context) ([]gateway.Rule, error) {
	return rows(ctx, s, "gateway rules", "SELECT id, rule FROM gateway_rules ORDER BY number", nil,
		func(scan func(...any) error) (r gateway.Rule, err error) {
			var id, text string
			if err := scan(&id, &text); err != nil {
				return r, err
			}
			if err := json.Unmarshal([]byte(text), &r); err != nil || r.ID != id {
				return r, s.damaged(fmt.Errorf("gateway rule %q does not parse", id))
			}
			return r, nil
		})
}

// PutRule adds a rule, or replaces the one with its ID.
func (s *Store) PutRule(ctx context.Context, r gateway.Rule) error {
	text, err := json.Marshal(r)
	if err != nil {
		return wire.Errorf(wire.Internal, "save gateway rule: %w", err)
	}
	return s.exec(ctx, "save gateway rule",
		"INSERT INTO gateway_rules (id, rule) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET rule = excluded.rule", r.ID, string(text))
}

// DeleteRule forgets a rule; it is no error if there is none.
func (s *Store) DeleteRule(ctx context.Context, id string) error {
	return s.exec(ctx, "forget gateway rule", "DELETE FROM gateway_rules WHERE id = ?", id)
}
