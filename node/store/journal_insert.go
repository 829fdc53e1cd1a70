package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"
)

const (
	columns  = 5  // of entries
	manyRows = 64 // in one statement, which spares half of its cost
)

// inserts are the statements of every commit, for one row and for many.
type inserts struct{ one, many *sql.Stmt }

func (i *inserts) prepare(ctx context.Context, db *sql.DB) (err error) {
	const row = "(?, ?, ?, ?, ?)"
	const insert = "INSERT INTO entries (author, counter, conversation, place, record) VALUES " + row
	if i.one, err = db.PrepareContext(ctx, insert); err != nil {
		return err
	}
	i.many, err = db.PrepareContext(ctx, insert+strings.Repeat(", "+row, manyRows-1))
	return err
}

func (i *inserts) close() error {
	var err error
	for _, s := range []*sql.Stmt{i.one, i.many} {
		if s != nil {
			err = errors.Join(err, s.Close())
		}
	}
	return err
}

// flush inserts the entries that were added.
func (t *transaction) flush(ctx context.Context) error {
	if len(t.rows) == columns*manyRows {
		_, err := t.tx.StmtContext(ctx, t.j.inserts.many).ExecContext(ctx, t.rows...)
		t.rows = t.rows[:0]
		return err
	}
	if len(t.rows) == 0 {
		return nil
	}
	one := t.tx.StmtContext(ctx, t.j.inserts.one)
	for i := 0; i < len(t.rows); i += columns {
		if _, err := one.ExecContext(ctx, t.rows[i:i+columns]...); err != nil {
			return err
		}
	}
	t.rows = t.rows[:0]
	return nil
}
