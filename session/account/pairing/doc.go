// Package pairing links a new device, the guest, to an account that an old one,
// the host, has: by a code that a person reads on one and types on the other,
// or by a ticket, as QR code or copied text. This comment is its specification;
// testdata/vectors.json has one linking byte for byte. Canonical bytes and
// texts are those of packages wire and identity.
//
// # Code and ticket
//
// Either says where the devices meet, by a mailbox name of 40 bits, and a
// secret. The name is an address and no secret; it keeps those who have not
// seen the code from using up its guesses.
//
//	code     8 characters of base32 (a-z, 2-7) ‖ two words of 10 bits each,
//	         shown as k7qm-2fxd-anchor-velvet. mailbox = the characters' bytes,
//	         secret = "panpipe/link-code/1 anchor velvet". words.txt has the 1024
//	         words; their first four letters tell them apart. Readers take any
//	         case, other signs for hyphens, 0 1 8 for o l b in the name, and words
//	         from their first four letters on
//	ticket   "link:" text of {1 secret (16 random bytes), 2 an identity ticket
//	         that names one node, the host}. mailbox = first 5 bytes of
//	         SHA-256("panpipe/link-mailbox/1 " ‖ secret)
//
// Both are good for ten minutes, one device and three guesses. With 20 bits of
// words an attacker who has seen the mailbox name gets in with a chance of three
// in a million, and the person is told that somebody tried.
//
// # Attempt
//
// An attempt is one connection, whose ends are proven to each other by libp2p;
// it has 30 seconds. Messages are uvarint length ‖ canonical record:
//
//	1   kind      1 hello, 2 answer, 3 claim, 4 grant, 5 done, 6 refusal
//	2   mailbox   5 bytes; hello
//	3   session   16 random bytes; hello
//	4   share     32 bytes; hello, answer
//	5   proof     32 bytes; claim, grant
//	6   box key   32 bytes; claim
//	7   name      what the device calls itself, at most 128 bytes; claim
//	8   bundle    package account's; grant
//	9   code      word of the vocabulary, as its number; refusal
//	10  text      at most 256 bytes, for people; refusal
//	11  left      guesses that are left; refusal
//
// A grant has at most the size of a bundle and 64 bytes, any other message 1024.
//
//	guest                                host
//	  hello {mailbox, session, Ya}  ──▶    wrong mailbox: refusal, not counted
//	                                ◀──  answer {Yb}
//	  claim {proof, box key, name}  ──▶    wrong proof: counted, refusal
//	                                       right: the device is added to the log
//	                                ◀──  grant {proof, bundle}
//	  done                          ──▶    the code is spent
//
// The shares are those of CPace (package cpace), guest as initiator, with PRS =
// secret, sid = session, no associated data, and
//
//	CI = lv("panpipe/link/1") ‖ lv(mailbox) ‖ lv(guest) ‖ lv(host)
//
// where guest and host are the principals of the connection's ends. Who stands
// between the two has other ends on either side, and so two keys of which he
// knows neither. From the run's key ISK
//
//	Kg = HKDF-SHA-512(ISK, no salt, "panpipe/link/1 guest", 32 bytes), Kh likewise
//	guest's proof = first 32 bytes of HMAC-SHA-512(Kg, lv(box key) ‖ lv(name))
//	host's proof  = first 32 bytes of HMAC-SHA-512(Kh, lv(bundle))
//
// The guest proves first, since the host is who counts: whoever goes away before
// that has learnt nothing, and has used no guess. A proof is an HMAC and not the
// tag of a cipher: ciphertexts can be made that open under many keys, and test
// as many guesses at once. After the proofs the connection itself, whose ends
// they prove, keeps the rest secret.
//
// The guest takes nothing from a host whose proof is wrong, and then checks the
// bundle: the log must name this device with this box key. If the grant is lost,
// the same device, and no other, may come again with a right proof until the ten
// minutes are over; with another box key it is revoked and added anew.
//
// A host serves four attempts at once, tells others "busy", and refuses with
// "unknown" (wrong mailbox), "forbidden" (wrong proof), "gone" (used, or guessed
// at three times), "expired", "taken" (another device has won), or why it could
// not add the device.
package pairing
