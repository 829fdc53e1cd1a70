// The walk towards a key: package discovery, section "The walk". It leaves out
// what only makes a busy node fast: slots by kind, hedging by the median, asking
// once more.
import { compare, hex, sha256 } from './bytes.js'
import { usablePeer } from './node.js'

const window = 20 // the nearest that have not failed; it is also how many a node tells
const atATime = 10
const mostAsked = 200

const distance = (key, hash) => sha256(hash).map((b, i) => b ^ key[i])

/**
 * Puts one question to the nodes nearest to a key: ask({ hash, addrs }) gives
 * an answer with closer peers. Returns the nodes of the final window that
 * answered, nearest first, and how many were asked.
 */
export async function walk (node, key, ask) {
  const known = new Map()
  const learn = ({ hash, addrs }) => {
    if (!known.has(hex(hash)) && !node.isSelf(hash)) known.set(hex(hash), { hash, addrs, distance: distance(key, hash), state: 'new' })
  }
  for (const server of node.servers.values()) learn(server)

  let asked = 0
  const nearest = () => [...known.values()].filter((n) => n.state !== 'failed').sort((a, b) => compare(a.distance, b.distance)).slice(0, window)
  const visit = async (n) => {
    n.state = 'asked'
    asked++
    try {
      const { closer } = await ask(n)
      closer.map(usablePeer).filter(Boolean).forEach(learn)
      n.state = 'answered'
    } catch (err) {
      n.state = 'failed'
      n.error = err
    }
  }
  const workers = new Set()
  for (;;) {
    const wanted = nearest().filter((n) => n.state === 'new').slice(0, atATime - workers.size)
    for (const n of wanted.slice(0, mostAsked - asked)) {
      const work = visit(n).finally(() => workers.delete(work))
      workers.add(work)
    }
    if (workers.size === 0) break
    await Promise.race(workers)
  }
  return { closest: nearest(), asked, failed: [...known.values()].filter((n) => n.state === 'failed') }
}
