-- The schema as version 1 made it. Never changed: it is what old files hold.
PRAGMA application_id = 1348562544;
PRAGMA user_version = 1;
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
