package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// applicationID marks the file as a store of Panpipe (SQLite's application_id).
const applicationID = 0x50616e70 // "Panp"

// schema says what is in a file and how it is used.
type schema struct {
	app        int      // SQLite's application_id
	steps      []string // of the migration
	cache      int      // KiB of pages in memory
	checkpoint int      // pages of the write-ahead log before they go into the file
	large      bool     // too large to be looked over whole when it is opened
}

// storeSchema keeps the cache small: the whole store of a busy node is a few
// hundred KiB.
var storeSchema = schema{app: applicationID, steps: migrations, cache: 256, checkpoint: 64}

// migrations make the schema: number i leads from version i to i+1. They only
// grow; a step that has been released is never changed.
//
// Times are Unix milliseconds; 64-bit numbers are kept as their bits, since
// SQLite's integers are signed; IDs and envelopes are the bytes of the wire.
var migrations = []string{`
CREATE TABLE pipes (
	id            BLOB PRIMARY KEY,
	name          TEXT UNIQUE,      -- local alias, NULL for none
	advertisement BLOB NOT NULL,    -- canonical bytes; their hash is id
	created       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE bindings (
	pipe      BLOB PRIMARY KEY,
	seq       INTEGER NOT NULL,
	term      INTEGER NOT NULL,
	successor BLOB                  -- envelope of the binding that replaced this node's
) STRICT, WITHOUT ROWID;
CREATE TABLE grants (
	number     INTEGER PRIMARY KEY, -- order of issue
	pipe       BLOB NOT NULL,
	nonce      BLOB NOT NULL,
	subject    BLOB NOT NULL,
	right      INTEGER NOT NULL,
	term       INTEGER NOT NULL,
	expiry     INTEGER NOT NULL,
	capability BLOB NOT NULL,       -- envelope
	UNIQUE (pipe, nonce)
) STRICT;
CREATE TABLE revocations (
	pipe     BLOB NOT NULL,
	nonce    BLOB NOT NULL,         -- of the revoked capability
	expiry   INTEGER NOT NULL,      -- of the revoked capability
	envelope BLOB NOT NULL,
	PRIMARY KEY (pipe, nonce)
) STRICT, WITHOUT ROWID;
CREATE TABLE peers (
	place INTEGER PRIMARY KEY,      -- 0 is the one seen last
	id    BLOB NOT NULL,
	addrs BLOB NOT NULL             -- uvarint length ‖ multiaddr, repeated
) STRICT;
`, `
CREATE TABLE gateway_rules (
	number INTEGER PRIMARY KEY,     -- order of making
	id     TEXT NOT NULL UNIQUE,
	rule   TEXT NOT NULL            -- gateway.Rule as JSON
) STRICT;
`, `
CREATE TABLE account (
	one    INTEGER PRIMARY KEY CHECK (one = 1), -- a node is a device of one account
	record BLOB NOT NULL            -- account.Account's Record, with its secrets
) STRICT;
`, `
CREATE TABLE contacts (
	account BLOB PRIMARY KEY,
	record  BLOB NOT NULL           -- what package roster knows of it
) STRICT, WITHOUT ROWID;
`}

// migrate brings the schema from the file's version to len(steps), all of it
// or nothing.
func (s *Store) migrate(ctx context.Context, steps []string) error {
	return s.tx(ctx, "migrate", func(t *sql.Tx) error {
		var version int
		if err := t.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
			return err
		}
		if version > len(steps) {
			return wire.Errorf(wire.Unsupported, "%s: schema %d is newer than %d", s.name(), version, len(steps))
		}
		if version == len(steps) {
			return nil
		}
		for i := version; i < len(steps); i++ {
			if _, err := t.ExecContext(ctx, steps[i]); err != nil {
				return fmt.Errorf("from schema %d to %d: %w", i, i+1, err)
			}
		}
		_, err := t.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", s.schema.app, len(steps)))
		return err
	})
}
