// Serving a pipe: package pipe, sections "Advertisement", "Binding", "Store",
// "Replaced", and "Renewal and withdrawal".
import { equal, random } from './bytes.js'
import { advertisementBytes, binders, parseAdvertisement, pipeId, pipeKey } from './advertisement.js'
import { openCapability } from './capability.js'
import { refuse, word } from './codes.js'
import { beats } from './order.js'
import { isAhead, isOver, isVoid, openBinding, openRevocation, signBinding } from './records.js'
import { request } from './request.js'
import { resolve } from './resolve.js'
import { now } from './time.js'

const enoughHolders = 5
const mostTries = 3

/** A pipe by its description. */
export const pipeOf = (bytes) => ({ bytes, ad: parseAdvertisement(bytes), id: pipeId(bytes), key: pipeKey(pipeId(bytes)) })

/** A new pipe that this node owns. */
export function createPipe (node, { name, type, policy, transports = [], many = false }) {
  return pipeOf(advertisementBytes({
    type, name, owner: node.principal, binders: many ? binders.many : binders.exclusive, transports, policy, reliable: 1, salt: random(16)
  }))
}

/** A pipe that this node has bound. Its state changes in publish, withdraw and replaced alone. */
export class Served {
  seq = 0n
  term = 0n
  holders = []
  revocations = []
  replacedTold = []

  constructor (node, pipe, { life = 1800, allow = [], capability, onConn }) {
    Object.assign(this, { node, life, allow, capability, onConn, id: pipe.id, ad: pipe.ad, advertisement: pipe.bytes, key: pipe.key })
  }

  /** Takes a term (the capability's, or as owner one above all known) and stores the record at the closest holders. */
  async bind () {
    const found = await resolve(this.node, this.id)
    this.revocations = found.revocations
    if (this.capability) this.term = (await openCapability(this.capability)).term ?? 0n
    else if (this.ad.binders === binders.exclusive) this.term = 1n + highestTerm(found)
    await this.publish()
    this.renewal = setInterval(() => this.publish().then(() => this.onRenewed?.(), () => {}), this.life * 500)
  }

  /** Signs a record with the next seq and brings those bytes to everybody. */
  async publish () {
    for (let tries = 1; ; tries++) {
      await this.#sign(false)
      const { closest } = await resolve(this.node, this.id)
      const { ok, obstacle } = await this.#store(closest)
      if (ok.length >= Math.min(enoughHolders, closest.length) && ok.length > 0) {
        this.holders = ok
        return
      }
      if (tries === mostTries) refuse(obstacle?.code ?? 'unreachable', obstacle?.reason ?? 'too few holders took the binding')
      if (!this.capability && obstacle?.term >= this.term) this.term = obstacle.term + 1n
    }
  }

  async #sign (withdrawn) {
    const seq = [this.seq + 1n, now()].reduce((a, b) => a > b ? a : b)
    this.seq = seq
    this.envelope = await signBinding(this.node.key, {
      pipe: this.id, advertisement: this.advertisement, binder: this.node.principal, seq, issued: now(), life: this.life,
      endpoints: withdrawn ? [] : this.node.endpoints().map((addr) => addr.bytes), capability: this.capability, term: this.term, withdrawn
    })
  }

  /** Brings the record to nodes: those that hold it now, and what stands in the way. */
  async #store (nodes) {
    const ok = []
    let obstacle
    await Promise.all(nodes.map(async (n) => {
      try {
        const answer = await request(this.node, n.hash, n.addrs, { store: { records: [{ binding: this.envelope }] } })
        const [result] = answer.results
        await this.#learn(answer.revocations)
        if (result?.code === 0) {
          ok.push(n)
          for (const displaced of result.displaced) await this.#tellReplaced(displaced)
        } else if (result) {
          obstacle = { code: word(result.code), reason: result.reason, term: await standingTerm(result.standing) }
        }
      } catch { /* a holder that does not answer is none */ }
    }))
    return { ok, obstacle }
  }

  async #learn (envelopes) {
    for (const envelope of envelopes) {
      const r = await openRevocation(envelope).catch(() => undefined)
      if (r && equal(r.pipe, this.id)) this.revocations.push(r)
    }
  }

  /** The binder that lost an exclusive pipe is told, once, with the proof. */
  async #tellReplaced (envelope) {
    const old = await openBinding(envelope)
    if (!equal(old.pipe, this.id) || this.replacedTold.some((p) => equal(p, old.binder))) return
    this.replacedTold.push(old.binder)
    await request(this.node, old.binder.subarray(1), old.addrs, { replaced: { binding: this.envelope } }).catch(() => {})
  }

  /** Request{replaced}: stops to serve if the binding beats this one. */
  replaced (b) {
    if (this.gone) return
    if (isVoid(b, this.revocations)) refuse('forbidden', "the new binding's capability is revoked")
    const known = this.moved ?? { term: this.term, binder: this.node.principal, seq: this.seq }
    const stands = this.ad.binders !== binders.exclusive || isAhead(b, now()) || isOver(b, now()) || b.withdrawn || !beats(b, known)
    if (stands && this.moved) return
    if (stands) refuse('taken', 'the binding here stands')
    this.moved = b
    clearInterval(this.renewal)
    this.onReplaced?.(b)
  }

  /** Stores a tombstone wherever the record is held. */
  async withdraw () {
    clearInterval(this.renewal)
    this.gone = true
    await this.#sign(true)
    const { ok } = await this.#store(this.holders)
    return ok.length
  }
}

const highestTerm = ({ all, revocations }) =>
  all.filter((b) => !isVoid(b, revocations)).reduce((max, b) => b.term > max ? b.term : max, 0n)

async function standingTerm (envelope) {
  if (envelope.length === 0) return 0n
  return openBinding(envelope).then((b) => b.term, () => 0n)
}
