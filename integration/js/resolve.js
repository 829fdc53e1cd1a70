// Finding who serves a pipe: package pipe, sections "Query", "Clocks" and "Order".
import { equal } from './bytes.js'
import { pipeId, pipeKey } from './advertisement.js'
import { origins } from './messages.js'
import { serving } from './order.js'
import { isRevocationOver, openBinding, openRevocation } from './records.js'
import { query } from './request.js'
import { now } from './time.js'
import { transportOf } from './transports.js'
import { walk } from './walk.js'

/** What the walk has brought of one pipe; only what verifies gets in. */
class Findings {
  bindings = new Map() // envelope as a string of bytes → binding
  revocations = []
  refused = []

  constructor (id) { this.id = id }

  /** Takes an answer in; from is the hash of the node that gave it. */
  async take (answer, from) {
    for (const held of answer.records) await this.#try(() => this.#binding(held, from))
    for (const envelope of answer.revocations) await this.#try(() => this.#revocation(envelope))
    if (answer.advertisement.length > 0 && equal(pipeId(answer.advertisement), this.id)) this.advertisement = answer.advertisement
  }

  async #try (run) {
    try { await run() } catch (err) { this.refused.push(err.message) }
  }

  async #binding ({ envelope, unproven, origin }, from) {
    const b = await openBinding(envelope)
    if (!equal(b.pipe, this.id)) throw new Error('a binding of another pipe')
    const name = Buffer.from(envelope).toString('latin1')
    const known = this.bindings.get(name) ?? Object.assign(b, { unproven: new Set(b.addrs.keys()), authoritative: false })
    // authoritative counts from the binder alone; an endpoint is proven when one holder saw the binder at it
    if (origin === origins.ORIGIN_AUTHORITATIVE && equal(b.binder.subarray(1), from)) known.authoritative = true
    for (const i of known.unproven) if (!unproven.includes(i)) known.unproven.delete(i)
    this.bindings.set(name, known)
  }

  async #revocation (envelope) {
    const r = await openRevocation(envelope)
    if (equal(r.pipe, this.id) && !isRevocationOver(r, now())) this.revocations.push(r)
  }
}

/**
 * Walks to the pipe's key with a proof. `alive` are the bindings that serve the
 * pipe (on the transport, if one is named), `all` every verified one.
 */
export async function resolve (node, id, { transport = '' } = {}) {
  const found = new Findings(id)
  const wishes = { key: pipeKey(id), id, transport, want_advertisement: true }
  const walked = await walk(node, wishes.key, async ({ hash, addrs }) => {
    const answer = await query(node, hash, addrs, wishes)
    await found.take(answer, hash)
    return answer
  })
  const ordered = await believed(node, found)
  const alive = ordered.filter((b) => transport === '' || b.addrs.some((addr) => transportOf(addr) === transport))
  return { ...walked, alive, all: [...found.bindings.values()], revocations: found.revocations, advertisement: found.advertisement, refused: found.refused }
}

/** Applies the order; below a term that a revocation voided, only the binder itself is believed, and asked. */
async function believed (node, found) {
  const { alive, voided } = serving([...found.bindings.values()], found.revocations, now())
  const doubtful = alive.filter((b) => b.term < voided && !b.authoritative)
  for (const b of doubtful) {
    const hash = b.binder.subarray(1)
    try {
      await found.take(await query(node, hash, b.addrs, { key: pipeKey(found.id), id: found.id, no_cache: true }), hash)
    } catch { /* it does not answer, so it does not serve */ }
  }
  return serving([...found.bindings.values()], found.revocations, now()).alive.filter((b) => b.term >= voided || b.authoritative)
}
