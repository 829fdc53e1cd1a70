package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

const pipeColumns = "SELECT id, coalesce(name, ''), advertisement, created FROM pipes"

// SavePipe adds p, or replaces the one with its ID. A name that another pipe
// has is wire.Taken. An empty name is no name.
func (s *Store) SavePipe(ctx context.Context, p pipe.Pipe) error {
	_, err := s.db.ExecContext(ctx, `
		INSERT INTO pipes (id, name, advertisement, created) VALUES (?, nullif(?, ''), ?, ?)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, advertisement = excluded.advertisement, created = excluded.created`,
		p.ID.Bytes(), p.Name, p.Advertisement.Bytes(), p.Created.UnixMilli())
	switch {
	case err == nil:
		return nil
	case unique(err):
		return wire.Errorf(wire.Taken, "another pipe has the name %q", p.Name).
			WithNext("choose another name, or remove that pipe")
	}
	return s.fail("save pipe", err)
}

// Pipes returns all pipes, oldest first.
func (s *Store) Pipes(ctx context.Context) ([]pipe.Pipe, error) {
	return rows(ctx, s, "pipes", pipeColumns+" ORDER BY created, id", nil, s.readPipe)
}

// PipeByID returns the pipe, or wire.Unknown.
func (s *Store) PipeByID(ctx context.Context, id pipe.ID) (pipe.Pipe, error) {
	return s.onePipe(ctx, id.String(), " WHERE id = ?", id.Bytes())
}

// PipeByName returns the pipe, or wire.Unknown.
func (s *Store) PipeByName(ctx context.Context, name string) (pipe.Pipe, error) {
	return s.onePipe(ctx, name, " WHERE name = ?", name)
}

func (s *Store) onePipe(ctx context.Context, ref, where string, arg any) (pipe.Pipe, error) {
	p, err := s.readPipe(s.db.QueryRowContext(ctx, pipeColumns+where, arg).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return pipe.Pipe{}, wire.Errorf(wire.Unknown, "this node keeps no pipe %q", ref)
	}
	if err != nil {
		return pipe.Pipe{}, s.fail("pipe", err)
	}
	return p, nil
}

// readPipe takes only a row whose advertisement hashes to its ID.
func (s *Store) readPipe(scan func(...any) error) (p pipe.Pipe, err error) {
	var id, adv []byte
	var created int64
	if err := scan(&id, &p.Name, &adv, &created); err != nil {
		return p, err
	}
	p.Created = time.UnixMilli(created)
	if p.ID, err = pipe.IDFromBytes(id); err != nil {
		return p, s.damaged(err)
	}
	if p.Advertisement, err = pipe.ParseAdvertisement(adv); err != nil {
		return p, s.damaged(err)
	}
	if p.Advertisement.ID() != p.ID {
		return p, s.damaged(errors.New("a pipe's description does not match its ID"))
	}
	return p, nil
}

// RemovePipe forgets the pipe and its grants, or is wire.Unknown. What guards
// records elsewhere, its State and revocations, stays.
func (s *Store) RemovePipe(ctx context.Context, id pipe.ID) error {
	return s.tx(ctx, "remove pipe", func(t *sql.Tx) error {
		r, err := t.ExecContext(ctx, "DELETE FROM pipes WHERE id = ?", id.Bytes())
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return errors.Join(wire.Errorf(wire.Unknown, "this node keeps no pipe %s", id), err)
		}
		_, err = t.ExecContext(ctx, "DELETE FROM grants WHERE pipe = ?", id.Bytes())
		return err
	})
}

// State returns what was saved for the pipe, or the zero BindState.
func (s *Store) State(ctx context.Context, id pipe.ID) (pipe.BindState, error) {
	var seq, term int64
	var st pipe.BindState
	err := s.db.QueryRowContext(ctx, "SELECT seq, term, successor FROM bindings WHERE pipe = ?", id.Bytes()).
		Scan(&seq, &term, &st.Successor)
	if errors.Is(err, sql.ErrNoRows) {
		return pipe.BindState{}, nil
	}
	if err != nil {
		return pipe.BindState{}, s.fail("state of pipe", err)
	}
	st.Seq, st.Term = uint64(seq), uint64(term)
	return st, nil
}

// SaveState replaces the pipe's state.
func (s *Store) SaveState(ctx context.Context, id pipe.ID, st pipe.BindState) error {
	return s.exec(ctx, "save state of pipe", `
		INSERT INTO bindings (pipe, seq, term, successor) VALUES (?, ?, ?, ?)
		ON CONFLICT (pipe) DO UPDATE SET seq = excluded.seq, term = excluded.term, successor = excluded.successor`,
		id.Bytes(), int64(st.Seq), int64(st.Term), st.Successor)
}

// SaveGrant adds a grant, or replaces the one with its pipe and nonce.
func (s *Store) SaveGrant(ctx context.Context, g pipe.GrantRecord) error {
	return s.exec(ctx, "save grant", `
		INSERT INTO grants (pipe, nonce, subject, right, term, expiry, capability) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (pipe, nonce) DO UPDATE SET subject = excluded.subject, right = excluded.right,
			term = excluded.term, expiry = excluded.expiry, capability = excluded.capability`,
		g.Pipe.Bytes(), g.Nonce[:], g.Subject.Bytes(), int64(g.Right), int64(g.Term), g.Expiry.UnixMilli(), g.Capability)
}

// Grants returns the pipe's grants, oldest first.
func (s *Store) Grants(ctx context.Context, id pipe.ID) ([]pipe.GrantRecord, error) {
	return rows(ctx, s, "grants", "SELECT nonce, subject, right, term, expiry, capability FROM grants WHERE pipe = ? ORDER BY number",
		[]any{id.Bytes()}, func(scan func(...any) error) (pipe.GrantRecord, error) {
			g := pipe.GrantRecord{Pipe: id}
			var nonce, subject []byte
			var right, term, expiry int64
			if err := scan(&nonce, &subject, &right, &term, &expiry, &g.Capability); err != nil {
				return g, err
			}
			g.Right, g.Term, g.Expiry = identity.Right(right), uint64(term), time.UnixMilli(expiry)
			var err error
			if g.Subject, err = identity.PrincipalFromBytes(subject); err != nil || copy(g.Nonce[:], nonce) != len(g.Nonce) {
				return g, s.damaged(errors.Join(errors.New("a grant does not parse"), err))
			}
			return g, nil
		})
}

// SaveRevocation adds a revocation, or replaces the one with its pipe and nonce.
func (s *Store) SaveRevocation(ctx context.Context, r pipe.RevocationRecord) error {
	return s.exec(ctx, "save revocation", `
		INSERT INTO revocations (pipe, nonce, expiry, envelope) VALUES (?, ?, ?, ?)
		ON CONFLICT (pipe, nonce) DO UPDATE SET expiry = excluded.expiry, envelope = excluded.envelope`,
		r.Pipe.Bytes(), r.Nonce[:], r.Expiry.UnixMilli(), r.Envelope)
}

// Revocations returns those whose Expiry is after now.
func (s *Store) Revocations(ctx context.Context, now time.Time) ([]pipe.RevocationRecord, error) {
	return rows(ctx, s, "revocations", "SELECT pipe, nonce, expiry, envelope FROM revocations WHERE expiry > ? ORDER BY expiry",
		[]any{now.UnixMilli()}, func(scan func(...any) error) (r pipe.RevocationRecord, err error) {
			var id, nonce []byte
			var expiry int64
			if err := scan(&id, &nonce, &expiry, &r.Envelope); err != nil {
				return r, err
			}
			r.Expiry = time.UnixMilli(expiry)
			if r.Pipe, err = pipe.IDFromBytes(id); err != nil || copy(r.Nonce[:], nonce) != len(r.Nonce) {
				return r, s.damaged(errors.Join(errors.New("a revocation does not parse"), err))
			}
			return r, nil
		})
}
