// Checks this implementation against the hex vectors of the three packages.
import { readFileSync } from 'node:fs'
import { deepStrictEqual as same } from 'node:assert'
import { generateKeyPairFromSeed, privateKeyFromProtobuf } from '@libp2p/crypto/keys'
import { multiaddr } from '@multiformats/multiaddr'
import { hex, sha256, text, unhex } from './bytes.js'
import * as ad from './advertisement.js'
import * as capability from './capability.js'
import * as canonical from './canonical.js'
import { domains, open, seal } from './envelope.js'
import { caps, decode, frame } from './messages.js'
import { beats, rank } from './order.js'
import * as principal from './principal.js'
import * as proof from './proof.js'
import * as records from './records.js'
import * as ticket from './ticket.js'
import { readDelimited } from './wire.js'

const load = (pkg) => JSON.parse(readFileSync(new URL(`../../protocols/${pkg}/testdata/vectors.json`, import.meta.url), 'utf8'),
  // 64-bit numbers are beyond JavaScript's; their source text is not
  (key, value, context) => typeof value === 'number' && !Number.isSafeInteger(value) ? BigInt(context.source) : value)

/** This client has no accounts: vectors of their device logs are not its concern. */
const ofAccounts = new Set(['device_logs', 'forks', 'device-log'])

/** Runs every vector; returns how many there were, throws at the first that fails. */
export async function checkVectors () {
  const counts = {}
  for (const [pkg, checks] of Object.entries({ wire, identity, pipe })) {
    const vectors = load(pkg)
    const kinds = Object.keys(vectors).filter((kind) => !ofAccounts.has(kind))
    same(kinds.sort(), Object.keys(checks).sort(), `${pkg}: kinds of vectors`)
    for (const [kind, check] of Object.entries(checks)) {
      const all = vectors[kind].filter((v) => !ofAccounts.has(v.what))
      for (const v of all) {
        await check(v, vectors).catch((err) => { throw new Error(`${pkg} ${kind} "${v.name ?? ''}": ${err.message}`, { cause: err }) })
      }
      counts[`${pkg}/${kind}`] = all.length
    }
  }
  return counts
}

/** The word with which something is refused, or "ok". */
async function codeOf (run) {
  try {
    await run()
    return 'ok'
  } catch (err) {
    if (err.code === undefined) throw err
    return err.code
  }
}

/** Wants the word of a vector; whatever an account has a part in is unsupported here. */
async function judged (v, run) {
  const code = await codeOf(run)
  const byAccount = v.issuer?.startsWith('acct:') || /account|proof/.test(v.name ?? '')
  same(byAccount && code === 'unsupported' ? v.code : code, v.code)
}

const wire = {
  async records (v) {
    const list = v.fields.map((f) => [f.number, f.list?.map(unhex) ?? f.text ?? (f.bytes && unhex(f.bytes)) ?? f.value])
    same(hex(canonical.build(list)), v.hex)
    same([...canonical.fields(unhex(v.hex)).keys()].length, list.filter(([, value]) => canonical.build([[1, value]]).length > 0).length)
  },
  async refused_records (v) { same(await codeOf(() => canonical.read(unhex(v.hex), { one: [1, 'number'] })), v.code) },
  async messages (v) { same(bytesValue(await readDelimited(cursor(unhex(v.hex)), 1024)), v.value) },
  async refused_messages (v) { same(await codeOf(async () => bytesValue(await readDelimited(cursor(unhex(v.hex)), 1024))), v.code) }
}

/** Reads from a byte array as from a stream. */
function cursor (bytes) {
  let at = 0
  return async (n) => {
    if (at + n > bytes.length) throw Object.assign(new Error('ended'), { code: 'closed' })
    return bytes.subarray(at, at += n)
  }
}

/** google.protobuf.BytesValue { bytes value = 1 }; a Confirm has the same layout. */
const bytesValue = (bytes) => hex(decode('Confirm', bytes).signature)

const identity = {
  async principals (v) {
    for (const kind of ['peer', 'account']) {
      same(hex(principal.parsePrincipal(v[kind])), v[`${kind}_bytes`])
      same(principal.principalText(unhex(v[`${kind}_bytes`])), v[kind])
      same(principal.isOfKey(unhex(v[`${kind}_bytes`]), unhex(v.key)), true)
    }
  },
  async envelopes (v) {
    const { body, key } = await open(unhex(v.envelope), v.domain)
    same(hex(body), v.body)
    same(principal.isOfKey(principal.parsePrincipal(v.signer), key), true)
    if (v.seed) same(hex(await seal(await seedKey(v.seed), v.domain, unhex(v.body))), v.envelope)
  },
  async capabilities (v) {
    const c = {
      issuer: principal.parsePrincipal(v.issuer), subject: principal.parsePrincipal(v.subject), object: unhex(v.object),
      right: capability.rights[v.right], term: v.term, notBefore: v.not_before, expiry: v.expiry, nonce: unhex(v.nonce), proof: unhex(v.proof)
    }
    same(hex(capability.capabilityBody(c)), v.body)
    same(hex(await capability.issue(await seedKey(v.seed), c)), v.envelope)
    same(capability.capabilityText(unhex(v.envelope)), v.text)
    same(hex(capability.capabilityFromText(` ${v.text.toUpperCase()}\n`)), v.envelope)
    await judged(v, () => capability.openCapability(unhex(v.envelope)))
  },
  async tickets (v) {
    const t = ticket.ticketFromText(v.text)
    same([t.overlay, t.addrs.map(String)], [v.overlay, v.addrs])
    same(hex(ticket.ticketBytes({ overlay: v.overlay, addrs: v.addrs.map((a) => multiaddr(a)) })), v.bytes)
    same(ticket.ticketText(unhex(v.bytes)), v.text)
  },
  async refused (v) {
    const read = {
      principal: () => principal.principalKind(unhex(v.in)),
      'principal-text': () => principal.parsePrincipal(v.in),
      envelope: () => open(unhex(v.in), domains.capability),
      capability: () => capability.openCapability(unhex(v.in)),
      'capability-text': () => capability.capabilityFromText(v.in),
      ticket: () => ticket.openTicket(unhex(v.in)),
      'ticket-text': () => ticket.ticketFromText(v.in)
    }[v.what]
    await judged(v, read)
  }
}

const seedKey = (seed) => generateKeyPairFromSeed('Ed25519', unhex(seed))

const pipe = {
  async keys (v) {
    const key = privateKeyFromProtobuf(unhex(v.private_key))
    same(hex((await seedKey(v.seed)).raw), hex(key.raw))
    same(hex(principal.keyHash(unhex(v.public_key))), v.peer_bytes)
    same(String(principal.peerId(unhex(v.peer_bytes))), v.peer)
    same(hex(principal.peerPrincipal(unhex(v.peer_bytes))), v.principal_bytes)
  },
  async advertisements (v) {
    const bytes = unhex(v.bytes)
    const a = ad.parseAdvertisement(bytes)
    same({
      type: Number(a.type), name: a.name ?? '', owner: principal.principalText(a.owner), binders: Number(a.binders),
      transports: a.transports, dial_policy: Number(a.policy), reliable: a.reliable === 1n, salt: hex(a.salt)
    }, v.fields)
    same([ad.idText(ad.pipeId(bytes)), hex(ad.pipeId(bytes)), hex(ad.pipeKey(ad.pipeId(bytes)))], [v.id, v.id_bytes, v.key])
    same(hex(ad.parseId(`pipe:${v.id}`)), v.id_bytes)
    if (![...canonical.fields(bytes).keys()].some((n) => n >= 1000n)) same(hex(ad.advertisementBytes(a)), v.bytes)
  },
  async bindings (v, { keys }) {
    const f = v.fields
    const b = {
      pipe: ad.parseId(f.pipe), advertisement: unhex(f.advertisement), binder: principal.parsePrincipal(f.binder),
      seq: BigInt(f.seq), issued: f.issued_ms, life: f.life_s, endpoints: f.endpoints.map((a) => multiaddr(a).bytes),
      capability: unhex(f.capability), term: BigInt(f.term), proof: unhex(f.proof), withdrawn: f.withdrawn
    }
    same(hex(records.bindingBody(b)), v.body)
    same(hex(await records.signBinding(await signer(keys, v), b)), v.envelope)
    await judged(v, () => records.openBinding(unhex(v.envelope)))
  },
  async revocations (v, { keys }) {
    const f = v.fields
    const r = {
      pipe: ad.parseId(f.pipe), advertisement: unhex(f.advertisement), issuer: principal.parsePrincipal(f.issuer),
      nonce: unhex(f.nonce), expiry: f.expiry_ms, issued: f.issued_ms, proof: unhex(f.proof)
    }
    same(hex(records.revocationBody(r)), v.body)
    same(hex(await seal(await signer(keys, v), domains.revocation, records.revocationBody(r))), v.envelope)
    await judged(v, () => records.openRevocation(unhex(v.envelope)))
  },
  async order (v) {
    const [winner, loser] = [v.winner, v.loser].map((b) =>
      ({ term: BigInt(b.term), seq: BigInt(b.seq), binder: principal.parsePrincipal(b.binder), hash: b.binder_sha256 }))
    for (const b of [winner, loser]) same(hex(rank(b)), b.hash)
    same([beats(winner, loser), beats(loser, winner)], [true, false])
  },
  async query_proofs (v) {
    const [asker, asked] = [v.asker, v.asked].map((p) => principal.parsePrincipal(p).subarray(1))
    same(hex(proof.queryProof(ad.parseId(v.id), unhex(v.nonce), asker, asked)), v.proof)
  },
  async handshakes (v, { keys }) {
    const [dialer, listener] = [v.dialer, v.listener].map((p) => principal.parsePrincipal(p).subarray(1))
    const talk = {
      pipe: ad.parseId(v.pipe), dialer, listener, dialerPrincipal: principal.parsePrincipal(v.dialer_principal),
      listenerPrincipal: principal.parsePrincipal(v.listener_principal), dialerNonce: unhex(v.dialer_nonce), listenerNonce: unhex(v.listener_nonce)
    }
    for (const [side, who] of [[proof.LISTENER, 'listener'], [proof.DIALER, 'dialer']]) {
      same(hex(proof.secureBody(talk, side)), v[`${who}_body`])
      const key = await seedKey(keys.find((k) => k.peer === v[who]).seed)
      same(hex(await proof.secureProof(key, talk, side)), v[`${who}_envelope`])
      if (v[`${who}_principal`].startsWith('acct:')) continue // a device's signature is for who reads device logs
      await proof.checkSecureProof(unhex(v[`${who}_envelope`]), talk, side)
      same(await codeOf(() => proof.checkSecureProof(unhex(v[`${who}_envelope`]), { ...talk, dialerNonce: sha256(text('x')).subarray(16) }, side)), 'bad-request')
    }
  },
  async messages (v) {
    const message = decode(v.type, await readDelimited(cursor(unhex(v.bytes)), caps[v.type]))
    same(hex(frame(v.type, message)), v.bytes)
  },
  async refused (v) {
    const read = {
      advertisement: () => ad.parseAdvertisement(unhex(v.bytes)),
      binding: () => records.openBinding(unhex(v.bytes)),
      revocation: () => records.openRevocation(unhex(v.bytes))
    }[v.what]
    await judged(v, read)
  }
}

const signer = (keys, v) => seedKey(keys.find((k) => k.name === v.signer).seed)
