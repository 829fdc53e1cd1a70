// Package identity names who may do what: principals, signed records,
// capabilities and tickets. It is pure: no clock, no I/O, no state. This
// comment is its specification; testdata/vectors.json has every format in hex
// (section Vectors).
// Canonical bytes (fields, lists, uvarints) are those of package wire.
//
// # Principals
//
// A principal is a public key that can hold rights.
//
//	binary   kind (1 byte: 1 peer, 2 account) ‖ multihash of the key
//	text     "peer:" or "acct:" ‖ the multihash in base58btc
//
// The multihash is that of a libp2p peer ID: the key's libp2p protobuf under
// the identity function (0x00) if it has at most 42 bytes, else its SHA-256
// (0x12, 32 bytes). A key inside an identity multihash must be in the encoding
// that libp2p writes, so that a key has one principal of each kind. An
// account's key is its root key. Readers of text take a bare peer ID (base58btc
// or CIDv1) for a node. A text has no checksum of its own: a mistyped ID is
// found out when its length or its key no longer fits, else it names nobody.
//
// # Envelopes and signing domains
//
// What others store or forward travels as an envelope, canonical bytes with
//
//	1  body
//	2  the signer's public key, libp2p protobuf as libp2p writes it
//	3  signature by that key over uvarint(length of domain) ‖ domain ‖ body
//
// and no other field of any number. The domain is not carried: who opens an
// envelope says which he expects.
//
//	panpipe/capability/1   a capability (below)
//	panpipe/binding/1      a pipe's binding
//	panpipe/revocation/1   the revocation of a capability
//	panpipe/secure/1       the proof of a principal in a secure pipe
//	panpipe/device-log/1   an entry of an account's device log (below)
//
// Keys and signature schemes are those of libp2p's peer-ids specification; not
// every libp2p library has them all right, so an envelope with each is among
// the vectors:
//
//	Ed25519    key of 32 bytes; RFC 8032, 64 bytes
//	Secp256k1  compressed key of 33 bytes; ECDSA over SHA-256, ASN.1 DER
//	ECDSA      key in PKIX (DER); over SHA-256, ASN.1 DER, not r ‖ s
//	RSA        key in PKIX (DER), at least 2048 bits; PKCS #1 v1.5 over SHA-256
//
// A node signs with the key of its peer ID. Some schemes let one body have
// several valid signatures: a record is known by what its body says, never by
// the hash of its envelope.
//
// # Capabilities
//
// A capability is an envelope under panpipe/capability/1, at most 18 KiB. Body:
//
//	1  issuer       principal, the owner of the object
//	2  subject      principal, who may
//	3  object       1 to 256 bytes; for a pipe its ID (36 CID bytes)
//	4  right        1 bind, 2 dial, 3 publish, 4 subscribe
//	5  term         of a bind right on an exclusive pipe, else absent
//	6  not before   Unix ms, absent: from ever
//	7  expiry       Unix ms, above field 6, at most the year 9999
//	8  nonce        16 random bytes, not all zero
//	9  proof        device log of an issuing account, at most 16 KiB
//
// 1, 2, 3, 4, 7 and 8 are needed. The issuer signs: a node with its key; an
// account by a device that is valid in the log of field 9, which accounts need
// and nodes must not have. Unknown fields below 1000 and unknown rights are
// "unsupported". A capability permits exactly its subject, right and object,
// from 10 minutes before "not before" (clocks differ) until just before
// "expiry": it is "expired" from then on, and all else that it does not permit
// is "forbidden".
//
// # Device logs
//
// A device log says which nodes, its devices, speak for an account. Whoever is
// shown a record of an account with such a log as its proof verifies the log
// whole, checks that it is that account's and that the record's signer is valid
// in it, and then, if he keeps a log of that account himself, judges between
// the two (below), keeps the winner, and goes by that. The root key speaks only
// in device logs. What a revoked device has signed, capabilities too, is void
// for all who know of its revocation.
//
// A log is canonical bytes with one field and no other, at most 16 KiB:
//
//	1  entries   list of envelopes under panpipe/device-log/1, oldest first
//
// Body of an entry:
//
//	 1  account      principal
//	 2  operation    1 begin, 2 add, 3 revoke, 4 rotate
//	 3  previous     hash of the entry before
//	 4  device       principal of a node                        add, revoke
//	 5  box key      X25519 public key, 32 bytes                add
//	 6  devices      list of at most 32 {1 device, 2 box key}   begin
//	 7  epoch        from 1                                     begin
//	 8  generation   number of the profile key, from 1          rotate, (begin)
//	 9  commitment   SHA-256 for that key                       rotate, (begin)
//	10  time         Unix ms, informative                       (all)
//
// An entry has the fields of its operation, those in brackets if it likes, and
// no other below 1000: an unknown field there or operation is "unsupported".
// The bytes of 3, 5 and 9 are never all zero. The hash of an entry is
//
//	SHA-256(uvarint(length of domain) ‖ domain ‖ fields 1 and 2 of the envelope)
//
// so it covers body and signer, who counts in a fork, and not the signature,
// of which some schemes have several. The hash of a log's last entry, its head,
// names all of the log.
//
// The first entry is a begin, signed by the account's root key, which is
// Ed25519, and no other entry is: it names the valid devices, the most senior
// first, each once, and, if there is one, the profile key in use. Its field 3
// is the head of the log that it replaces, absent if the root knew none.
//
// Every other entry is signed by a device that is valid after the entry before,
// whose hash is its field 3. An add names a device that is not valid then (one
// that was revoked may come back, as the youngest), when there are fewer than
// 32; a revoke one that is, the author itself too; a rotate says the generation
// that follows. The key of a device is of any kind but never the root's. Add
// and rotate stand only where the envelopes up to and with them have at most 14
// KiB: the rest is for revocations. A device that finds even that filled, by a
// thief, revokes him on an entry before (Forks). An entry with Ed25519 keys has
// about 250 bytes.
//
// Whatever the root does, it does by a begin, and so it makes a log short
// again. Its epoch is the larger of the last one known + 1 and Unix
// milliseconds: a root of which all else is lost goes on above its old logs.
//
// # Forks
//
// Two devices that know the same head may both go on from it, and a thief may
// go on from any entry up to his revocation. Who knows one log of an account
// and is shown another of it keeps
//
//  1. of two with different epochs, the one with the higher;
//  2. of two of which one has all entries of the other, the longer;
//  3. else, of all entries after those that they share, the log that has the
//     heaviest. A begin is heavier than a revoke, that than any other entry.
//     Among revokes, as among the others, the heavier is that of the more
//     senior author: first those whom begin names, in its order, then those
//     who were added, in the order of the entries that added them;
//  4. where these weigh the same, the log whose first entry after those that
//     they share has the lower hash.
//
// Entries of the log that is not kept are void. A device that finds adds and
// revocations of its own among them signs these again on top of the winner, but
// adds nobody whom the winner has named after the fork, or whom its begin left
// out: see [DeviceLog.Void].
//
// So the root overrules everybody; a revocation does not give way to whatever
// its victim, or a device that knows nothing, signs on an older entry, unless
// that revokes too, and then the more senior author wins: a thief who holds the
// most senior device keeps it until the root speaks, any other until a device
// senior to it does.
//
// The rule is a total order, so of any set of logs the same one is left in
// whatever order they are shown, and a winner that goes on stays one. Write
// m(L) for the heaviest entry of a log L behind a fork. Of three logs two, Y and
// Z, part at the same place as the third, X, does or later. Behind where X parts
// Y and Z share entries S (maybe none), so that m(Y) there is the heavier of
// m(S) and m(Y) behind their own fork: if Y wins against Z, it is no lighter
// than Z against X, and has the same first entry there if S is not empty. X is
// thus above both, below both, or between them in the order in which they are.
// Going on makes m(L) no lighter and leaves the first entry.
//
// Rules that read more naturally are no order: of three logs each may win
// against another, and the one that is shown last stays. First: "the branch
// wins that revokes the author of the other's first entry". Let, from one
// entry, a revoke b, b revoke c, and c revoke a. Second: "the branch that
// revokes wins, else the one with the more senior author", where a is senior to
// b and b to c. From one entry X goes on with a revocation by b; Y and Z with
// one by c, then Y with another by c and Z with a rotation by a. Y wins against
// Z, Z against X, and X against Y.
//
// # Tickets
//
// A ticket invites to an overlay; it is not signed. Canonical bytes, at most
// 4192:
//
//	1  overlay     1 to 32 of a-z, 0-9, inner hyphens
//	2  addresses   list of 1 to 16 multiaddrs of at most 256 bytes, each ending
//	               in /p2p with a peer ID; those of one peer in its order
//
// # Texts
//
// Capabilities and tickets are copied by people, so their texts know when they
// were hurt:
//
//	"cap:" or "ticket:" ‖ base32(bytes ‖ first 4 bytes of SHA-256(bytes))
//
// in RFC 4648's alphabet, lower case, without padding. Readers ignore white
// space and case, and refuse unused bits that are not zero.
//
// # Vectors
//
//	principals    of a public key (libp2p protobuf): texts and binaries
//	envelopes     opened under their domain; with a seed (32 bytes of an Ed25519
//	              key, whose signatures are always the same) made by it too
//	capabilities  body and envelope by the key of the seed, and the text; code is
//	              what a reader says before it looks at a clock. 0 and empty
//	              values stand for absent fields
//	tickets       bytes and text
//	device_logs   each entry as its author (seed) signs it, the whole log, and
//	              what holds after it; "" and 0 stand for absent fields
//	forks         what becomes of a log that is shown to who knows another: same,
//	              extends or beats (it is kept), older or loses (it is not),
//	              foreign (of another account)
//	refused       "in" is hex, or a text where what ends in -text; envelopes are
//	              opened under panpipe/capability/1
package identity
