// Time: the clock of records, and deadlines.
import { Refusal } from './codes.js'

/** Unix ms, as records have it. */
export const now = () => BigInt(Date.now())

/** A promise's outcome, or "timeout" when it takes too long; onLate cleans up then. */
export async function inTime (ms, what, promise, onLate = () => {}) {
  let timer
  const late = new Promise((resolve, reject) => {
    timer = setTimeout(() => {
      const err = new Refusal('timeout', `${what} took longer than ${ms} ms`)
      onLate(err)
      reject(err)
    }, ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
