// Capabilities: package identity, section "Capabilities".
import { read, write } from './canonical.js'
import { isZero } from './bytes.js'
import { refuse } from './codes.js'
import { domains, open, seal } from './envelope.js'
import { PEER, isOfKey, principalKind } from './principal.js'
import { fromChecked, toText } from './text.js'

export const rights = { bind: 1n, dial: 2n, publish: 3n, subscribe: 4n }

const maxEnvelope = 18 << 10
export const endOfTime = 253402300799999n // the last ms of the year 9999
export const skew = 600_000n // ms by which the clocks of honest nodes differ

const table = {
  issuer: [1, 'bytes'], subject: [2, 'bytes'], object: [3, 'bytes'], right: [4, 'number'], term: [5, 'number'],
  notBefore: [6, 'number'], expiry: [7, 'number'], nonce: [8, 'bytes'], proof: [9, 'bytes']
}

/** Opens and checks an envelope; "unsupported" where this version does not act on it. */
export async function openCapability (envelope) {
  if (envelope.length > maxEnvelope) refuse('too-large', 'the capability is too long')
  const { body, key } = await open(envelope, domains.capability)
  const c = read(body, table)
  check(c)
  if (c.proof !== undefined || principalKind(c.issuer) !== PEER) refuse('unsupported', 'capabilities of accounts are not acted on')
  if (!isOfKey(c.issuer, key)) refuse('bad-request', 'the capability is not signed by its issuer')
  return c
}

function check (c) {
  for (const need of ['issuer', 'subject', 'object', 'right', 'expiry', 'nonce']) {
    if (c[need] === undefined) refuse('bad-request', `the capability has no ${need}`)
  }
  principalKind(c.issuer)
  principalKind(c.subject)
  if (c.object.length > 256) refuse('too-large', 'an object of more than 256 bytes')
  if (c.nonce.length !== 16 || isZero(c.nonce)) refuse('bad-request', 'a nonce is 16 bytes that are not all zero')
  if (c.expiry > endOfTime || c.expiry <= (c.notBefore ?? 0n)) refuse('bad-request', 'the capability is never valid')
  if (c.proof?.length > 16 << 10) refuse('too-large', 'the proof is too long')
  if (!Object.values(rights).includes(c.right)) refuse('unsupported', `right ${c.right} is unknown`)
}

export const capabilityBody = (c) => write(c, table)
export const issue = (key, c) => seal(key, domains.capability, capabilityBody(c))
export const capabilityText = (envelope) => toText('cap:', envelope)
export const capabilityFromText = (text) => fromChecked('cap:', text)

/** Whether it is valid at a time (Unix ms, bigint): 10 minutes are given at its beginning, none at its end. */
export const validAt = (c, now) => now + skew >= (c.notBefore ?? 0n) && now < c.expiry
