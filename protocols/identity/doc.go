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
// account by one of its devices, which the proof names. This version writes
// such capabilities and refuses to act on them: an issuing account or a proof
// is "unsupported". Unknown fields below 1000 and unknown rights are
// "unsupported" too. A capability permits exactly its subject, right and
// object, from 10 minutes before "not before" (clocks differ) until just
// before "expiry": it is "expired" from then on, and all else that it does not
// permit is "forbidden".
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
//	refused       "in" is hex, or a text where what ends in -text; envelopes are
//	              opened under panpipe/capability/1
package identity
