// Proof of knowing a pipe's ID, and the handshake of secure pipes: package
// pipe, sections "Query" and "Connection".
import { equal, hmac, text } from './bytes.js'
import { read, write } from './canonical.js'
import { refuse } from './codes.js'
import { domains, open, seal } from './envelope.js'
import { isOfKey } from './principal.js'

/** HMAC over nonce and both peers, keyed by the ID: it is of use to nobody else. */
export const queryProof = (id, nonce, asker, asked) => hmac(id, text('panpipe/query'), nonce, asker, asked)

export const LISTENER = 1n
export const DIALER = 2n

const table = {
  pipe: [1, 'bytes'], side: [2, 'number'], dialer: [3, 'bytes'], listener: [4, 'bytes'], dialerPrincipal: [5, 'bytes'],
  listenerPrincipal: [6, 'bytes'], dialerNonce: [7, 'bytes'], listenerNonce: [8, 'bytes']
}

/** The body that one side of a secure pipe signs; `talk` has all fields but the side. */
export const secureBody = (talk, side) => write({ ...talk, side }, table)
export const secureProof = (key, talk, side) => seal(key, domains.secure, secureBody(talk, side))

/** Checks the other side's proof: signed by its principal, over just this talk. */
export async function checkSecureProof (envelope, talk, side) {
  const { body, key } = await open(envelope, domains.secure)
  read(body, table)
  if (!equal(body, secureBody(talk, side))) refuse('bad-request', 'the proof is of another connection')
  const principal = side === LISTENER ? talk.listenerPrincipal : talk.dialerPrincipal
  if (!isOfKey(principal, key)) refuse('bad-request', 'the proof is signed by somebody else than the principal')
}
