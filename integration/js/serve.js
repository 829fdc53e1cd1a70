// What a node that has bound pipes answers: queries for what it serves itself,
// `replaced`, and dialers. Package pipe, sections "Query", "Replaced", "Connection".
import { equal, hex } from './bytes.js'
import { Refusal, number, refuse } from './codes.js'
import { answerDialer } from './conn.js'
import { origins } from './messages.js'
import { hashOf } from './principal.js'
import { queryProof } from './proof.js'
import { openBinding } from './records.js'
import { transportOf } from './transports.js'
import { Inbox, sendMessage, within } from './wire.js'

const requestTimeout = 10_000

/** Registers both protocols. Returns the table of served pipes, by the hex of the ID. */
export async function serve (node) {
  const pipes = new Map()
  const byId = (id) => pipes.get(hex(id))
  const guarded = (run) => (stream, connection) => run(stream, connection).catch((err) => {
    console.error(err) // on standard error, for people; the far side sees a reset
    stream.abort(err)
  })
  await node.libp2p.handle(`/${node.overlay}/pipe-conn/1`, guarded((stream, connection) => answerDialer(node, byId, stream, connection)))
  await node.libp2p.handle(`/${node.overlay}/pipe-binding/1`, guarded((stream, connection) => answerRequest(node, pipes, stream, connection)))
  return pipes
}

async function answerRequest (node, pipes, stream, connection) {
  await within(requestTimeout, stream, 'a request', async () => {
    const asked = await new Inbox(stream).message('Request')
    const answer = await judge(node, pipes, asked, connection).catch((err) => {
      if (!(err instanceof Refusal)) throw err
      return { code: number(err.code), reason: err.message.slice(0, 200) }
    })
    await sendMessage(stream, 'Answer', { ...answer, clock_ms: BigInt(Date.now()) })
    await stream.close()
  })
}

async function judge (node, pipes, { query, replaced }, connection) {
  if (query) return authoritative(node, [...pipes.values()], query, hashOf(connection.remotePeer))
  if (!replaced) refuse('unsupported', 'this client holds nothing for others')
  const binding = await openBinding(replaced.binding)
  pipes.get(hex(binding.pipe))?.replaced(binding)
  return {} // ok too where the pipe is not served here
}

/** The record that this node serves itself, for those who prove that they know its ID. */
function authoritative (node, pipes, { nonce, key, proof, transport, only_peers: only }, asker) {
  const wanted = pipes.find((p) => equal(p.key, key) && equal(proof, queryProof(p.id, nonce, asker, node.hash)))
  const matches = wanted?.envelope && !wanted.moved && (only.length === 0 || only.some((hash) => node.isSelf(hash))) &&
    (transport === '' || wanted.gone || node.endpoints().some((addr) => transportOf(addr) === transport))
  if (!matches) return { nonce }
  return { nonce, found: true, records: [{ envelope: wanted.envelope, origin: origins.ORIGIN_AUTHORITATIVE }], advertisement: wanted.advertisement }
}
