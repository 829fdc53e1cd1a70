// The program: vectors, resolve, dial, listen. It speaks JSON lines on standard
// output; what fails is a line with the word of the vocabulary, and status 1.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { createInterface } from 'node:readline/promises'
import { Refusal } from './codes.js'
import { createPipe, pipeOf, Served } from './bind.js'
import { hex, sha256 } from './bytes.js'
import { idText, parseId, policies, types } from './advertisement.js'
import { capabilityFromText, capabilityText } from './capability.js'
import { dialOver } from './conn.js'
import { dial } from './dial.js'
import { grantBind, revoke, signRevocation } from './grant.js'
import { peerId, principalText, parsePrincipal } from './principal.js'
import { openRevocation } from './records.js'
import { resolve } from './resolve.js'
import { serve } from './serve.js'
import { P2P, startNode } from './node.js'
import { query } from './request.js'
import { walk } from './walk.js'
import { transportOf } from './transports.js'
import { checkVectors } from './vectors.js'

const tell = (event, more) => console.log(JSON.stringify({ event, ...more }, (key, value) => typeof value === 'bigint' ? String(value) : value))

const { values: flags, positionals: [command, ...args] } = parseArgs({
  allowPositionals: true,
  options: {
    overlay: { type: 'string', default: 'panpipe' },
    join: { type: 'string', multiple: true, default: [] }, // multiaddr or ticket
    seed: { type: 'string' }, // of the node's Ed25519 key, 32 bytes in hex
    transport: { type: 'string', default: 'tcp' },
    cap: { type: 'string' }, // text of a capability to dial, or to bind
    say: { type: 'string', default: '' }, // bytes for the far side
    send: { type: 'string' }, // file with the bytes for the far side, instead
    probe: { type: 'boolean', default: false },
    hold: { type: 'boolean', default: false }, // wait for a line of standard input between resolving and dialling
    type: { type: 'string', default: 'unicast' }, // of a pipe to serve
    policy: { type: 'string', default: 'open' },
    allow: { type: 'string', multiple: true, default: [] }, // principals that may dial
    life: { type: 'string', default: '1800' } // s
  }
})

const commands = {
  async vectors () { tell('vectors', { checked: await checkVectors() }) },

  /** Joins and tells which servers a plain kad-dht lookup finds, and which the walk does. */
  async join (node) {
    const kad = []
    for await (const { name, peer } of node.libp2p.services.dht.getClosestPeers(node.hash)) if (name === 'FINAL_PEER') kad.push(String(peer.id))
    const { closest } = await walk(node, sha256(node.hash), ({ hash, addrs }) => query(node, hash, addrs, { key: sha256(node.hash) }))
    const names = (nodes) => [...nodes].map(({ hash }) => String(peerId(hash)))
    tell('joined', { peer: String(node.libp2p.peerId), mode: node.libp2p.services.dht.getMode(), servers: names(node.servers.values()), kad, walked: names(closest) })
  },

  async resolve (node, [id]) {
    tellResolved(await resolve(node, parseId(id), { transport: flags.transport }))
  },

  async dial (node, [id]) {
    const capability = flags.cap && capabilityFromText(flags.cap)
    const resolved = async (found) => {
      tellResolved(found)
      if (!flags.hold) return
      tell('holding')
      await once(process.stdin, 'data')
      process.stdin.unref()
    }
    const { conn, binding } = await dial(node, parseId(id), { transport: flags.transport, capability, probe: flags.probe, resolved })
    tell('connected', { binder: principalText(binding.binder), term: binding.term, transport: transportOf(conn.over.decapsulateCode(P2P)) })
    if (flags.probe) return
    const [heard] = await Promise.all([conn.rest(), conn.write(toSay()).then(() => conn.closeWrite())])
    tellHeard(heard)
  },

  /** Dials a pipe at the node joined through, whoever serves it. */
  async ask (node, [id]) {
    const [connection] = node.libp2p.getConnections()
    await dialOver(node, connection, { pipe: parseId(id), ad: { type: types.unicast }, term: 0n })
  },

  /**
   * Serves a pipe until standard input ends: a new one, or one of somebody
   * else's by its ID and a capability. Each dialer hears --say and is told
   * what it said. Lines of standard input: "grant PEER" gives the right to
   * bind the pipe, at a term that moves it; "revoke" takes it back.
   */
  async listen (node, [id]) {
    const pipes = await serve(node)
    const pipe = id ? await foreignPipe(node, parseId(id)) : createPipe(node, { name: 'from JavaScript', type: types[flags.type], policy: policies[flags.policy] })
    const served = new Served(node, pipe, {
      life: Number(flags.life),
      allow: flags.allow.map(parsePrincipal),
      capability: flags.cap && capabilityFromText(flags.cap),
      onConn: (conn) => talk(conn).catch((err) => tell('lost', { why: err.message }))
    })
    served.onRenewed = () => tell('renewed', { seq: served.seq })
    served.onReplaced = (by) => tell('replaced', { by: principalText(by.binder), term: by.term })
    pipes.set(hex(pipe.id), served)
    await served.bind()
    tell('bound', { id: idText(pipe.id), holders: served.holders.map((n) => String(peerId(n.hash))), term: served.term, endpoints: node.endpoints().map(String) })
    await owner(node, pipe, served)
    if (served.moved === undefined) tell('withdrawn', { holders: await served.withdraw() })
  }
}

async function foreignPipe (node, id) {
  const { advertisement } = await resolve(node, id)
  if (advertisement === undefined) throw new Refusal('unknown', 'nobody could describe the pipe')
  return pipeOf(advertisement)
}

/** Does what the owner of a pipe types. */
async function owner (node, pipe, served) {
  let given
  for await (const line of createInterface({ input: process.stdin })) {
    const [verb, to] = line.split(' ')
    if (verb === 'grant') {
      given = await grantBind(node, pipe, parsePrincipal(to), served.term + 1n)
      tell('granted', { cap: capabilityText(given) })
    }
    if (verb === 'revoke') {
      const revocation = await signRevocation(node, pipe, given)
      served.revocations.push(await openRevocation(revocation))
      tell('revoked', { holders: await revoke(node, pipe, revocation) })
    }
  }
}

const tellResolved = (found) => tell('resolved', {
  asked: found.asked, refused: found.refused, advertised: found.advertisement !== undefined, records: found.all.length,
  binders: found.alive.map((b) => ({
    binder: principalText(b.binder), term: b.term, seq: b.seq, life: b.life, authoritative: b.authoritative,
    endpoints: b.addrs.map(String), proven: b.addrs.filter((_, i) => !b.unproven.has(i)).map(String)
  }))
})

async function talk (conn) {
  tell('accepted', { from: principalText(conn.remote), transport: transportOf(conn.over.decapsulateCode(P2P)) })
  const [heard] = await Promise.all([conn.rest(), conn.write(toSay())])
  tellHeard(heard)
  await conn.closeWrite()
}

const toSay = () => flags.send ? readFileSync(flags.send) : Buffer.from(flags.say)

const tellHeard = (bytes) => tell('heard', { length: bytes.length, sha256: hex(sha256(bytes)), begins: bytes.subarray(0, 64).toString('latin1') })

async function run () {
  if (!Object.hasOwn(commands, command)) throw new Error(`no such command: ${command}; there are ${Object.keys(commands).join(', ')}`)
  if (command === 'vectors') return commands.vectors()
  const listen = command === 'listen' ? [flags.transport === 'ws' ? '/ip4/127.0.0.1/tcp/0/ws' : '/ip4/127.0.0.1/tcp/0'] : []
  const node = await startNode({ overlay: flags.overlay, seed: flags.seed, listen })
  try {
    await node.join(flags.join)
    await commands[command](node, args)
  } finally {
    await node.stop()
  }
}

run().catch((err) => {
  tell('failed', { code: err instanceof Refusal ? err.code : 'internal', why: err.message })
  process.exitCode = 1
})
