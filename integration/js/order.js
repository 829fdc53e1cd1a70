// Who serves a pipe: package pipe, section "Order".
import { compare, hex, sha256 } from './bytes.js'
import { binders } from './advertisement.js'
import { isAhead, isOver, isVoid } from './records.js'

/** A binder's place among binders of the same term: the higher hash wins. */
export const rank = (binding) => sha256(binding.binder)

/** Whether binding a beats b, both of one exclusive pipe: term, then the binder's hash, then (one binder) seq. */
export function beats (a, b) {
  if (a.term !== b.term) return a.term > b.term
  const order = compare(rank(a), rank(b))
  return order !== 0 ? order > 0 : a.seq > b.seq
}

/**
 * Of several verified bindings of one pipe, those that serve it; and the
 * highest term that a revocation has voided, below which only the binder
 * itself is believed.
 */
export function serving (bindings, revocations, now) {
  const inTime = bindings.filter((b) => !isAhead(b, now))
  const voided = inTime.filter((b) => isVoid(b, revocations)).reduce((max, b) => b.term > max ? b.term : max, 0n)
  const newest = newestOfEach(inTime.filter((b) => !isVoid(b, revocations)))
  const exclusive = newest.some((b) => b.ad.binders === binders.exclusive)
  const alive = (exclusive ? ofHighestTerm(newest) : newest).filter((b) => !isOver(b, now) && !b.withdrawn)
  if (!exclusive || alive.length === 0) return { alive, voided: exclusive ? voided : 0n }
  return { alive: [alive.reduce((best, b) => beats(b, best) ? b : best)], voided }
}

function newestOfEach (bindings) {
  const best = new Map()
  for (const b of bindings) {
    const other = best.get(hex(b.binder))
    if (other === undefined || b.seq > other.seq) best.set(hex(b.binder), b)
  }
  return [...best.values()]
}

function ofHighestTerm (bindings) {
  const highest = bindings.reduce((max, b) => b.term > max ? b.term : max, 0n)
  return bindings.filter((b) => b.term === highest)
}
