// One request on a stream of /<overlay>/pipe-binding/1: package pipe, sections
// "Query", "Store" and "Replaced".
import { equal, random } from './bytes.js'
import { refuse, word } from './codes.js'
import { queryProof } from './proof.js'
import { Inbox, sendMessage, within } from './wire.js'

const answerTimeout = 10_000

/** Asks a node one thing; the answer, its lists cut to their caps. */
export async function request (node, hash, addrs, message) {
  const connection = await node.connect(hash, addrs)
  const stream = await connection.newStream(`/${node.overlay}/pipe-binding/1`, { signal: AbortSignal.timeout(answerTimeout) })
  const answer = await within(answerTimeout, stream, 'the answer', async () => {
    const inbox = new Inbox(stream)
    await sendMessage(stream, 'Request', message)
    await stream.close()
    return inbox.message('Answer')
  })
  if (answer.code !== 0) refuse(word(answer.code), answer.reason)
  return { ...answer, records: answer.records.slice(0, 64), revocations: answer.revocations.slice(0, 64), closer: answer.closer.slice(0, 20) }
}

/** A query that proves that the asker knows the ID; without an ID, closer peers alone come back. */
export async function query (node, hash, addrs, { key, id, ...wishes }) {
  const nonce = random(16)
  const proof = id && queryProof(id, nonce, node.hash, hash)
  const answer = await request(node, hash, addrs, { query: { nonce, key, proof, ...wishes } })
  if (!equal(answer.nonce, nonce)) refuse('bad-request', 'the answer is to another query')
  return answer
}
