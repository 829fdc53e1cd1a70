// Bindings and revocations: package pipe, sections "Binding", "Revocation" and "Clocks".
import { hex, isZero, equal } from './bytes.js'
import { checkId, parseAdvertisement, pipeId, binders } from './advertisement.js'
import { endOfTime, openCapability, rights, skew, validAt } from './capability.js'
import { read, write } from './canonical.js'
import { refuse } from './codes.js'
import { domains, open, seal } from './envelope.js'
import { PEER, isOfKey, principalKind } from './principal.js'
import { allowed, endpoint } from './transports.js'

const maxInt63 = (1n << 63n) - 1n
const maxProof = 16 << 10

const bindingTable = {
  pipe: [1, 'bytes'], advertisement: [2, 'bytes'], binder: [3, 'bytes'], seq: [4, 'number'], issued: [5, 'number'],
  life: [6, 'number'], endpoints: [7, 'list'], capability: [8, 'bytes'], term: [9, 'number'], proof: [10, 'bytes'],
  withdrawn: [11, 'number']
}

const revocationTable = {
  pipe: [1, 'bytes'], advertisement: [2, 'bytes'], issuer: [3, 'bytes'], nonce: [4, 'bytes'], expiry: [5, 'number'],
  issued: [6, 'number'], proof: [7, 'bytes']
}

/**
 * Opens and verifies a binding. What comes back: its fields, with `envelope`,
 * `ad` (the description), `addrs` (multiaddrs), and `grant` (the capability).
 */
export async function openBinding (envelope) {
  if (envelope.length > 36 << 10) refuse('too-large', 'the binding is too long')
  const { body, key } = await open(envelope, domains.binding)
  const b = read(body, bindingTable)
  needs(b, ['pipe', 'advertisement', 'binder', 'seq', 'issued', 'life'])
  const ad = describes(b)
  if (principalKind(b.binder) !== PEER) refuse('bad-request', 'the binder is not a node')
  if (!isOfKey(b.binder, key)) refuse('bad-request', 'the binding is not signed by its binder')
  numbers(b, ad)
  const addrs = endpoints(b, ad)
  if (b.proof !== undefined || principalKind(ad.owner) !== PEER) refuse('unsupported', 'pipes of accounts are not acted on')
  const grant = await permitted(b, ad)
  return { ...b, term: b.term ?? 0n, withdrawn: b.withdrawn === 1n, envelope, ad, addrs, grant }
}

function needs (record, names) {
  for (const name of names) if (record[name] === undefined) refuse('bad-request', `the record has no ${name}`)
}

/** The description inside a record must be the one that the pipe's ID is the hash of. */
function describes (record) {
  checkId(record.pipe)
  if (!equal(pipeId(record.advertisement), record.pipe)) refuse('bad-request', 'the description is of another pipe')
  return parseAdvertisement(record.advertisement)
}

function numbers (b, ad) {
  if (b.seq > maxInt63) refuse('bad-request', 'seq is above 2^63-1')
  if (b.issued > endOfTime) refuse('bad-request', 'issued after the year 9999')
  if (b.life < 10n || b.life > 86400n) refuse('bad-request', 'a life is 10 s to a day')
  if (b.term > maxInt63) refuse('bad-request', 'term is above 2^63-1')
  if (ad.binders === binders.exclusive && b.term === undefined) refuse('bad-request', 'a binding of an exclusive pipe has a term')
  if (b.withdrawn !== undefined && b.withdrawn !== 1n) refuse('bad-request', 'withdrawn is 1 or absent')
  if (b.proof?.length > maxProof) refuse('too-large', 'the proof is too long')
}

function endpoints (b, ad) {
  const list = b.endpoints ?? []
  if (list.length > 8) refuse('too-large', 'more than 8 endpoints')
  if (new Set(list.map(hex)).size !== list.length) refuse('bad-request', 'an endpoint twice')
  if (b.withdrawn !== undefined && list.length > 0) refuse('bad-request', 'a tombstone has no endpoints')
  const addrs = list.map(endpoint)
  for (const addr of addrs) if (!allowed(ad.transports, addr)) refuse('bad-request', `the pipe does not allow the transport of ${addr}`)
  return addrs
}

/** The binder owns the pipe, or shows the owner's capability for just this. */
async function permitted (b, ad) {
  if (equal(b.binder, ad.owner)) {
    if (b.capability !== undefined) refuse('bad-request', 'the owner shows no capability')
    return undefined
  }
  if (b.capability === undefined) refuse('forbidden', 'the binder is not the owner and shows no capability')
  const c = await openCapability(b.capability)
  const right = equal(c.issuer, ad.owner) && equal(c.subject, b.binder) && equal(c.object, b.pipe) && c.right === rights.bind
  if (!right || (c.term ?? 0n) !== (b.term ?? 0n)) refuse('forbidden', 'the capability does not permit this binding')
  if (b.issued >= c.expiry) refuse('expired', 'the capability was over when the binding was signed')
  if (!validAt(c, b.issued)) refuse('forbidden', 'the capability was not valid yet when the binding was signed')
  return c
}

export const bindingBody = (b) => write({ ...b, withdrawn: b.withdrawn ? 1 : undefined }, bindingTable)
export const signBinding = (key, b) => seal(key, domains.binding, bindingBody(b))

/** Opens and verifies a revocation. */
export async function openRevocation (envelope) {
  if (envelope.length > 19 << 10) refuse('too-large', 'the revocation is too long')
  const { body, key } = await open(envelope, domains.revocation)
  const r = read(body, revocationTable)
  needs(r, ['pipe', 'advertisement', 'issuer', 'nonce', 'expiry', 'issued'])
  const ad = describes(r)
  principalKind(r.issuer)
  if (r.nonce.length !== 16 || isZero(r.nonce)) refuse('bad-request', 'a nonce is 16 bytes that are not all zero')
  if (r.expiry > endOfTime || r.issued > endOfTime) refuse('bad-request', 'a time after the year 9999')
  if (r.proof?.length > maxProof) refuse('too-large', 'the proof is too long')
  if (!equal(r.issuer, ad.owner)) refuse('forbidden', 'the revocation is not by the owner')
  if (r.proof !== undefined || principalKind(r.issuer) !== PEER) refuse('unsupported', 'revocations by accounts are not acted on')
  if (!isOfKey(r.issuer, key)) refuse('bad-request', 'the revocation is not signed by its issuer')
  return { ...r, envelope }
}

export const revocationBody = (r) => write(r, revocationTable)

export const isAhead = (record, now) => record.issued > now + skew

export const isOver = (binding, now) =>
  now >= binding.issued + binding.life * 1000n + skew || (binding.grant !== undefined && now >= binding.grant.expiry)

export const isRevocationOver = (revocation, now) => now >= revocation.expiry + skew

/** Whether one of the revocations (of the same pipe) voids what the binding rests on. */
export const isVoid = (binding, revocations) =>
  binding.grant !== undefined && revocations.some((r) => equal(r.pipe, binding.pipe) && equal(r.nonce, binding.grant.nonce))
