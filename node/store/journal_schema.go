package store

// journalID marks the file as a journal of Panpipe (SQLite's application_id).
const journalID = 0x50616e4a // "PanJ"

// journalSchema has a larger cache and log: a journal is written by the ten
// thousand entries a second. It is not looked over whole when it is opened, for
// that takes seconds for a million entries: SQLite tells of pages that are not
// sound when it comes to them, and every record has a checksum.
var journalSchema = schema{app: journalID, steps: journalMigrations, cache: 4096, checkpoint: 1024, large: true}

// journalMigrations are like migrations, of the journal.
var journalMigrations = []string{`
CREATE TABLE conversations (
	number  INTEGER PRIMARY KEY,
	account BLOB NOT NULL UNIQUE,   -- the other one
	epoch   BLOB,                   -- of this device's log, NULL before it writes
	bytes   INTEGER NOT NULL DEFAULT 0 -- of all records
) STRICT;
CREATE TABLE authors (              -- and the run that is held of each log
	number       INTEGER PRIMARY KEY,
	conversation INTEGER NOT NULL REFERENCES conversations (number),
	device       BLOB NOT NULL,
	epoch        BLOB NOT NULL,     -- 8 bytes, big endian
	low          INTEGER NOT NULL,  -- counters
	high         INTEGER NOT NULL,
	low_id       BLOB NOT NULL,
	high_id      BLOB NOT NULL,
	low_place    INTEGER NOT NULL,  -- stamps
	high_place   INTEGER NOT NULL,
	UNIQUE (conversation, device, epoch)
) STRICT;
CREATE TABLE entries (
	author       INTEGER NOT NULL,
	counter      INTEGER NOT NULL,
	conversation INTEGER NOT NULL,
	place        BLOB,              -- NULL for what is not shown
	record       BLOB NOT NULL,     -- as on the wire ‖ CRC-32C
	PRIMARY KEY (author, counter)
) STRICT, WITHOUT ROWID;
CREATE INDEX shown ON entries (conversation, place) WHERE place IS NOT NULL;
CREATE TABLE marks (                -- the highest of each reading device
	conversation INTEGER NOT NULL,
	kind         INTEGER NOT NULL,
	reader       INTEGER NOT NULL,  -- its number among the authors
	device       BLOB NOT NULL,     -- whose entries
	epoch        BLOB NOT NULL,
	counter      INTEGER NOT NULL,
	PRIMARY KEY (conversation, kind, reader, device, epoch)
) STRICT, WITHOUT ROWID;
CREATE TABLE states (               -- the entry that is the state of each conversation
	conversation INTEGER PRIMARY KEY,
	place        BLOB NOT NULL,
	author       INTEGER NOT NULL,
	counter      INTEGER NOT NULL
) STRICT;
`}
