// Connections of a pipe, /<overlay>/pipe-conn/1, both sides: package pipe,
// section "Connection".
import { equal, random } from './bytes.js'
import { policies, types } from './advertisement.js'
import { openCapability, rights, validAt } from './capability.js'
import { Refusal, number, refuse, word } from './codes.js'
import { P2P } from './node.js'
import { peerPrincipal, hashOf } from './principal.js'
import { DIALER, LISTENER, checkSecureProof, secureProof } from './proof.js'
import { isVoid } from './records.js'
import { now } from './time.js'
import { allowed } from './transports.js'
import { Inbox, send, sendMessage, within } from './wire.js'

const handshakeTimeout = 10_000
const portion = 64 << 10 // bytes sent at a time

/** An established connection: bytes both ways, each with an end of its own. */
class PipeConn {
  constructor (stream, inbox, remote, connection) { Object.assign(this, { stream, inbox, remote, over: connection.remoteAddr }) }
  closeWrite () { return this.stream.close() }
  reset (err) { this.stream.abort(err) }

  async write (bytes) {
    for (let at = 0; at < bytes.length; at += portion) await send(this.stream, bytes.subarray(at, at + portion))
  }

  /** All bytes until the far side ends its data. */
  async rest () {
    const parts = []
    for (let part; (part = await this.inbox.next()) !== undefined;) parts.push(Buffer.from(part))
    return Buffer.concat(parts)
  }
}

/** The peers, principals and nonces that both proofs of a secure pipe are over. */
function talk (pipe, dialer, listener, dialerNonce, listenerNonce) {
  return { pipe, dialer, listener, dialerPrincipal: peerPrincipal(dialer), listenerPrincipal: peerPrincipal(listener), dialerNonce, listenerNonce }
}

/** Principals are those of the peers themselves; accounts are not spoken for yet. */
function checkPrincipal ({ principal, proof }, hash) {
  if (proof.length > 0) refuse('unsupported', 'proofs of accounts are not acted on')
  if (principal.length > 0 && !equal(principal, peerPrincipal(hash))) refuse('forbidden', 'the principal is another than the peer')
}

/** Dials a binding over a connection that is there. "moved" has the new binding in err.moved. */
export async function dialOver (node, connection, binding, { capability, probe = false } = {}) {
  if (binding.ad.type === types.propagate) refuse('unsupported', 'propagate pipes are not served yet')
  const stream = await connection.newStream(`/${node.overlay}/pipe-conn/1`, { signal: AbortSignal.timeout(handshakeTimeout) })
  return within(handshakeTimeout, stream, 'the handshake', async () => {
    const inbox = new Inbox(stream)
    const nonce = random(16)
    await sendMessage(stream, 'Open', { pipe: binding.pipe, nonce, capability, term: binding.term, probe })
    const reply = await inbox.message('OpenReply')
    if (reply.code !== 0) {
      stream.close().catch(() => {})
      refuse(word(reply.code), reply.reason, { moved: reply.moved })
    }
    const listener = hashOf(connection.remotePeer)
    if (binding.ad.type === types.secure) await confirm(node, stream, reply, talk(binding.pipe, node.hash, listener, nonce, reply.nonce), probe)
    return new PipeConn(stream, inbox, peerPrincipal(listener), connection)
  })
}

/** The dialer's half of a secure pipe: the listener's proof first, then its own. */
async function confirm (node, stream, reply, about, probe) {
  try {
    checkPrincipal(reply, about.listener)
    if (reply.nonce.length !== 16) refuse('bad-request', 'the listener shows no nonce')
    await checkSecureProof(reply.signature, about, LISTENER)
  } catch (err) {
    stream.abort(err)
    throw err
  }
  if (!probe) await sendMessage(stream, 'Confirm', { signature: await secureProof(node.key, about, DIALER) })
}

/**
 * Answers dialers of a pipe. The served pipe is looked up by ID:
 * { id, ad, moved (binding), gone, allow (principals), revocations, onConn }.
 */
export async function answerDialer (node, serves, stream, connection) {
  await within(handshakeTimeout, stream, 'the handshake', async () => {
    const inbox = new Inbox(stream)
    const open = await inbox.message('Open')
    const dialer = hashOf(connection.remotePeer)
    const served = serves(open.pipe)
    try {
      await admit(served, open, dialer, connection)
    } catch (err) {
      if (!(err instanceof Refusal)) throw err
      await sendMessage(stream, 'OpenReply', { code: number(err.code), reason: err.message.slice(0, 200), moved: err.moved })
      return stream.close()
    }
    const conn = new PipeConn(stream, inbox, peerPrincipal(dialer), connection)
    const about = talk(served.id, dialer, node.hash, open.nonce, random(16))
    if (served.ad.type === types.secure) return proveToDialer(node, served, conn, about, open.probe)
    await sendMessage(stream, 'OpenReply', {})
    open.probe ? await stream.close() : served.onConn(conn)
  })
}

/** The listener's half of a secure pipe: nothing is delivered before Confirm holds. */
async function proveToDialer (node, served, conn, about, probe) {
  await sendMessage(conn.stream, 'OpenReply', { nonce: about.listenerNonce, signature: await secureProof(node.key, about, LISTENER) })
  if (probe) return conn.stream.close()
  try {
    const { signature } = await conn.inbox.message('Confirm')
    await checkSecureProof(signature, about, DIALER)
  } catch (err) {
    return conn.reset(err)
  }
  served.onConn(conn)
}

/** Throws the word with which a dialer is refused. */
async function admit (served, open, dialer, connection) {
  if (open.nonce.length !== 16) refuse('bad-request', 'a nonce is 16 bytes')
  if (served === undefined || served.gone) refuse('unbound', 'this node does not serve the pipe')
  if (served.moved && isVoid(served.moved, served.revocations)) refuse('unbound', 'this node does not serve the pipe any more')
  if (served.moved) refuse('moved', 'the pipe is served by another node', { moved: served.moved.envelope })
  checkPrincipal(open, dialer)
  if (!allowed(served.ad.transports, connection.remoteAddr.decapsulateCode(P2P))) refuse('unsupported', 'the pipe is not served on this transport')
  const who = peerPrincipal(dialer)
  if (served.ad.policy === policies.open || equal(who, served.ad.owner) || served.allow.some((p) => equal(p, who))) return
  if (open.capability.length === 0) refuse('forbidden', 'the pipe is not open to everybody')
  const c = await openCapability(open.capability)
  const right = equal(c.issuer, served.ad.owner) && equal(c.subject, who) && equal(c.object, served.id) && c.right === rights.dial
  if (!right || served.revocations.some((r) => equal(r.nonce, c.nonce))) refuse('forbidden', 'the capability does not permit this')
  if (now() >= c.expiry) refuse('expired', 'the capability is over')
  if (!validAt(c, now())) refuse('forbidden', 'the capability is not valid yet')
}
