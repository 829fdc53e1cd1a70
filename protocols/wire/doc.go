// Package wire holds what all protocols share on the wire: canonical bytes,
// delimited messages and the error vocabulary. It is pure. This comment is its
// specification; testdata/vectors.json has the formats in hex (section Vectors).
//
// A uvarint is an unsigned LEB128 number of at most 64 bits, in as few bytes
// as it needs; longer spellings of the same number are refused.
//
// # Canonical bytes
//
// What is hashed or signed has one byte layout: a record is a run of fields in
// rising order of their numbers, each
//
//	uvarint number (from 1) ‖ uvarint length (from 1) ‖ value
//
// with at most 64 fields. A value is one of
//
//	bytes    as they are
//	text     UTF-8
//	number   a uvarint, from 1
//	list     a run of items, each uvarint length (from 1) ‖ bytes
//
// Zero values (empty bytes, text or list, the number 0) are left out, never
// written. So a record has exactly one encoding, and readers refuse any other.
// It is carried, stored and verified as those bytes and never re-marshalled.
// The protocol that defines a record gives each field's number, kind and cap.
// Unknown fields numbered below 1000 are critical: whoever meets one refuses
// the record as "unsupported". Those from 1000 on are ignored.
//
// In every format of Panpipe, what is above a cap (in bytes, items or fields)
// is refused as "too-large", and what else is not as it must be, missing fields
// and numbers out of range among it, as "bad-request". Where several words fit,
// any of them may be said.
//
// # Messages
//
// A control message is protobuf (proto3) with its length before it:
//
//	uvarint length (from 0) ‖ protobuf
//
// Every kind of message has a cap, given where the message is defined; a
// longer one is refused by its length, before it is read. Unknown fields are
// ignored. A reader takes no byte beyond the message. Bytes that are not
// protobuf are "bad-request"; a stream that ends within a message is "closed".
//
// # Vocabulary
//
// Failures are told by one word, with a sentence for people beside it. On the
// wire the word is its number. Numbers are never reused; one that a reader does
// not know counts as "internal" and is shown as "code-N".
//
//	 0  ok            no error
//	 1  unbound       nobody serves this pipe
//	 2  unknown       no such pipe, peer, name or record here
//	 3  forbidden     the asker has no right to this
//	 4  not-close     the holder knows enough nodes closer to the key
//	 5  taken         another binder, name or process has it
//	 6  expired       its time is over
//	 7  too-large     above a size cap
//	 8  busy          try again soon
//	 9  gone          it was here and will not come back
//	10  moved         served by another binder now
//	11  replaced      this binder lost the pipe to another
//	12  closed        already closed
//	13  timeout       the deadline passed
//	14  unreachable   no path to the peer
//	15  limit         a cap was hit; the sentence names cap and setting
//	16  bad-request   malformed, forged, or not allowed by the format
//	17  unsupported   understood, but not offered by this version or side
//	18  not-ready     the node has not joined its overlay yet
//	19  internal      a fault of this program or machine
//	20  refused       the service refused the connection
//	21  reset         the far end reset the connection
//
// # Keys
//
// A key is a place in the DHT's key space: 256 bits under the XOR metric. A
// node's place is the SHA-256 of its peer ID's bytes.
//
// # Vectors
//
//	records           fields, each with value (a number), text, bytes or list,
//	                  and the one encoding; of zero values nothing is written
//	refused_records   bytes that are not canonical, and the word
//	messages          a google.protobuf.BytesValue (field 1, bytes) with this
//	                  value, as it is sent
//	refused_messages  the same for a reader with a cap of 1024 bytes; after the
//	                  last byte the stream has ended
package wire
