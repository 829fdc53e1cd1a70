package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"
)

const columns = 5 // of entries

// rowsAtOnce are the rows that one statement inserts: many spare half of the
// cost of each, and what remains takes few statements.
var rowsAtOnce = [...]int{64, 8, 1}

// inserts are the statements of every commit, one for each of rowsAtOnce.
type inserts [len(rowsAtOnce)]*sql.Stmt

func (i *inserts) prepare(ctx context.Context, db *sql.DB) (err error) {
	const row = "(?, ?, ?, ?, ?)"
	for k, rows := range rowsAtOnce {
		query := "INSERT INTO entries (author, counter, conversation, place, record) VALUES " + row + strings.Repeat(", "+row, rows-1)
		if i[k], err = db.PrepareContext(ctx, query); err != nil {
			return err
		}
	}
	return nil
}

func (i *inserts) close() error {
	var err error
	for _, s := range i {
		if s != nil {
			err = errors.Join(err, s.Close())
		}
	}
	return err
}

// flush inserts the entries that were added.
func (t *transaction) flush(ctx context.Context) error {
	left := t.rows
	t.rows = t.rows[:0]
	for k, rows := range rowsAtOnce {
		if len(left) < columns*rows {
			continue
		}
		insert := t.tx.StmtContext(ctx, t.j.inserts[k])
		for ; len(left) >= columns*rows; left = left[columns*rows:] {
			if _, err := insert.ExecContext(ctx, left[:columns*rows]...); err != nil {
				return err
			}
		}
	}
	return nil
}
