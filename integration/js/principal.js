// Principals: package identity, section "Principals".
import { peerIdFromString, peerIdFromMultihash } from '@libp2p/peer-id'
import { base58btc } from 'multiformats/bases/base58'
import * as Digest from 'multiformats/hashes/digest'
import { concat, equal, sha256 } from './bytes.js'
import { refuse } from './codes.js'
import { publicKey } from './keys.js'

export const PEER = 1
const ACCOUNT = 2

const identityHash = 0x00
const sha256Hash = 0x12
const longestInline = 42

/** The multihash of a public key in libp2p's protobuf. */
export function keyHash (key) {
  if (key.length <= longestInline) return concat([identityHash, key.length], key)
  return concat([sha256Hash, 32], sha256(key))
}

/** Checks the binary multihash of a peer or account. */
function checkHash (hash) {
  if (hash.length < 2 || hash.length !== 2 + hash[1]) refuse('bad-request', 'a key hash that is cut off or too long')
  if (hash[0] === sha256Hash && hash[1] === 32) return
  if (hash[0] !== identityHash || hash[1] > longestInline) refuse('bad-request', 'a key hash by a function that libp2p does not use')
  publicKey(hash.subarray(2))
}

export const peerPrincipal = (hash) => concat([PEER], hash)

/** Checks a binary principal and returns its kind. */
export function principalKind (b) {
  if (b.length === 0 || (b[0] !== PEER && b[0] !== ACCOUNT)) refuse('bad-request', 'a principal of an unknown kind')
  checkHash(b.subarray(1))
  return b[0]
}

/** The text of a binary principal. */
export const principalText = (b) => (b[0] === PEER ? 'peer:' : 'acct:') + base58btc.encode(b.subarray(1)).slice(1)

/** Reads a principal's text; a bare peer ID (base58btc or CIDv1) is a node's. */
export function parsePrincipal (text) {
  const [, prefix, rest] = /^(?:([a-z]+):)?(.*)$/.exec(text.trim())
  if (prefix !== undefined && prefix !== 'peer' && prefix !== 'acct') refuse('bad-request', `${prefix}: is not the prefix of a principal`)
  let hash
  try {
    hash = peerIdFromString(rest).toMultihash().bytes
  } catch (err) {
    refuse('bad-request', `not a peer ID: ${err.message}`)
  }
  const out = concat([prefix === 'acct' ? ACCOUNT : PEER], hash)
  principalKind(out)
  return out
}

/** The libp2p peer ID of a binary multihash. */
export const peerId = (hash) => peerIdFromMultihash(Digest.decode(hash))
export const hashOf = (peer) => peer.toMultihash().bytes

/** Whether a principal is that of a public key, whatever its kind. */
export const isOfKey = (principal, key) => equal(principal.subarray(1), keyHash(key))
