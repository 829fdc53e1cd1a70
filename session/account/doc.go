// Package account is a person's account as its devices have it: who they are
// (the device log of package identity), what they share (the profile), how that
// is sealed, and what outlives them (the recovery file). It is pure but for
// Keeper. This comment is its specification; testdata/vectors.json has the
// formats in hex (section Vectors). Canonical bytes, fields, lists and uvarints
// are those of package wire.
//
// # Profile
//
// A profile is a set of fields, each written by some device of the account:
//
//	name        display name, for buddies; text
//	contact     how strangers reach it with a buddy request: over relays (until
//	            something else was written), not at all, or at any address
//	presence    Ed25519 seed (32 bytes) ‖ salt (16 bytes) of the presence pipe
//	per device  its name; text
//	per buddy   (another account)
//	  state     1 requested, 2 accepted, 3 removed
//	  block     blocked or not
//	  petname   this account's own name for it; text
//	  secret    its presence secret, at most 512 bytes
//
// Texts have at most 128 bytes, are UTF-8, and have no control characters, line
// separators or signs that turn text round.
//
// Each field carries the stamp of its last write: a counter, from 1 to 2^56, and
// the peer ID of the device. The counter is one higher than that of the write
// before, which the writer knew, and at least era·2^28, where era is the number
// above the lower 28 bits in the presence's counter. A new presence that comes
// with a new profile key begins the era after the last one in any field, so a
// field cannot be kept by a device that was revoked, whatever counters it wrote.
// No field has 2^28 writes in one era. Two profiles are merged field by field: the higher counter
// stays; of equal counters the higher device, by the bytes of its ID; of equal
// stamps, which no honest device makes, the higher value. No clock decides. So
// merging is commutative, associative and idempotent, and edits of different
// fields or buddies are all kept, whoever made them at the same time.
//
// A buddy is blocked while its block field is on, whatever its state: block and
// state are fields of their own, so no state at any counter lifts a block, and
// only a later write of the block does. A removed buddy keeps its fields, so
// that an old copy does not bring it back. Whoever removes or blocks a buddy
// replaces the presence in the same edit; the presence's version is the counter
// of its stamp.
//
// A delta is a profile with the fields of one edit; it is merged like any other.
// The revision of a profile is the sum of its counters: it rises with each edit
// and never falls by merging.
//
// Caps: canonical form at most 1 MiB; an edit is refused that leaves more than
// 2,000 buddies which are requested, accepted or blocked and more than before.
// A merge is refused above 1 MiB alone: what two devices added at the same time
// is kept, and each goes on with what it has where it cannot be.
//
// Canonical form of a profile:
//
//	1  writers    list of principals (peers): all devices in stamps, and no
//	              other, in rising order of their IDs' bytes
//	2  name       write
//	3  contact    write; value absent: over relays, 1 (one byte): not at all, 2: at
//	              any address
//	4  presence   write; value of 48 bytes, the seed not zero
//	5  devices    list, in rising order of field 1's ID, of
//	              {1 principal (peer), 2 name (write)}
//	6  buddies    list, in rising order of field 1's bytes, of {1 principal
//	              (account), 2 state, 3 block, 4 petname, 5 secret (writes)};
//	              at least one write each
//
//	write         {1 counter, 2 number of the writer in the list, from 1,
//	              3 value (bytes)}
//
// A field that nobody wrote is absent; a value that was taken away is a write
// without value. State and block have one byte (block: 1, or absent). A reader
// refuses any other form and, other than elsewhere, unknown fields of any
// number: to merge without them and write the rest would lose them.
//
// # Sealing
//
// What leaves a device is sealed under the profile key: 32 random bytes of a
// generation, from 1. The device log names the generation in use and commits to
// its key, by
//
//	SHA-256(bound("panpipe/profile-commitment/1", nothing) ‖ key)
//
//	bound(domain, device) = lv(domain) ‖ lv(account) ‖ uvarint(generation) ‖
//	                        lv(device), lv(x) = uvarint length of x ‖ x,
//	                        principals in their binary form
//
// Sealed profile:
//
//	1  account      principal
//	2  generation
//	3  revision     of the profile
//	4  nonce        24 random bytes
//	5  text         XChaCha20-Poly1305 of the canonical profile, with the data
//	                bound("panpipe/profile/1", nothing) ‖ uvarint(revision)
//
// The X is for the nonce: several devices seal under one key and share no
// counter, so nonces are random, and 96 bits are too few to draw them without
// counting. A reader refuses another account's as "forbidden"; a generation
// below the log's, or a revision below the highest that it has seen at that
// place, as "expired"; a generation whose key it has yet to get as "not-ready".
//
// Wrapped key:
//
//	1  account      principal
//	2  generation
//	3  parts        list of {1 device (principal), 2 sealed (80 bytes)}, in rising
//	                order of the devices' IDs
//
// sealed is HPKE (RFC 9180), base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256,
// ChaCha20Poly1305: encapsulated key (32 bytes) ‖ ciphertext of the profile key,
// to the device's box key in the log, with no additional data and the info
// bound("panpipe/profile-key/1", device). Base mode proves no sender: the key is
// the account's because the log commits to it, and for no other reason.
//
// A bundle is {1 device log, 2 wrapped key, 3 sealed profile}: the account for
// another own device.
//
// # Who changes what
//
// Adding a device wraps the key of now for it. Revoking one appends a revoke
// and a rotate to the log: a new generation, whose key the revoked device does
// not get, and a new presence, which it does not learn. A device that leaves by
// itself, or is left out by the root, makes that due for the rest; the most
// senior that is online does it. A device that adopts a log which beats its own
// signs its lost entries again on top, and rotates where a revocation is among
// them; where it is not in the winner itself, since its own add was lost, it
// keeps its branch and does so once it has been added again. A device whose log names a generation that it has no key of asks the
// others for a bundle; it neither seals nor opens until then.
//
// A revoked device keeps what it has read: names, petnames, buddies and their
// presence secrets of that time. While it is valid it can write any field, drive
// its counter to the end of the era, and fill the profile; its revocation ends
// the first two, and is not held up by the last. A profile that is more than 64
// eras ahead of what the log and the own profile know is refused: eras come with
// rotations, and without a step no device could use them all up.
//
// # Recovery file
//
// Text, in lines:
//
//	words for people, which readers skip
//	"sha256 " ‖ hex of SHA-256 of the age file without its white space
//	an armored age file (age-encryption.org/v1, scrypt, work factor 18)
//
// The checksum is there to tell a damaged file from a wrong passphrase, which
// age cannot; where it is missing the reader says that it might be either. A
// reader takes work factors up to 20 and passphrases of any length; a writer
// wants 8 bytes. Plaintext:
//
//	1  root key     libp2p's protobuf of the private key (Ed25519)
//	2  device log   the newest when it was written
//	3  profile      canonical form
//	4  exported     Unix ms
//
// Who restores an account has the root begin the log anew, on top of the newest
// log it can find, with the new device first and the others of that log, or none,
// behind it; then the new device rotates. With no log but the one in the file it
// leaves all others out: the file may be older than the loss of one. The root's entry beats all that devices, or a
// thief, have signed meanwhile.
//
// # Vectors
//
//	profiles          writes, and the one form; values in hex
//	merges            of a and b, either way
//	refused_profiles  what a reader must not take, and the word it says
//	sealed            a profile under a key with a nonce; the key's commitment; a
//	                  wrapped key, to be opened with the private box key
package account
