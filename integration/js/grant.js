// What the owner of a pipe gives and takes back: package identity, section
// "Capabilities"; package pipe, section "Revocation".
import { random } from './bytes.js'
import { issue, openCapability, rights } from './capability.js'
import { domains, seal } from './envelope.js'
import { revocationBody } from './records.js'
import { request } from './request.js'
import { resolve } from './resolve.js'
import { now } from './time.js'

const hour = 3_600_000n

/** The right to bind a pipe for an hour, at one term. */
export const grantBind = (node, pipe, subject, term) => issue(node.key, {
  issuer: node.principal, subject, object: pipe.id, right: rights.bind, term, expiry: now() + hour, nonce: random(16)
})

/** The revocation of a capability, as an envelope. */
export async function signRevocation (node, pipe, capability) {
  const { nonce, expiry } = await openCapability(capability)
  const body = revocationBody({ pipe: pipe.id, advertisement: pipe.bytes, issuer: node.principal, nonce, expiry, issued: now() })
  return seal(node.key, domains.revocation, body)
}

/** Brings a revocation to the holders of the pipe's key; returns how many took it. */
export async function revoke (node, pipe, revocation) {
  const { closest } = await resolve(node, pipe.id)
  const results = await Promise.all(closest.map((n) =>
    request(node, n.hash, n.addrs, { store: { records: [{ revocation }] } }).then((answer) => answer.results[0]?.code, () => undefined)))
  return results.filter((code) => code === 0).length
}
