// Pipe IDs and advertisements: package pipe, sections "Pipe ID and key" and "Advertisement".
import { base32 } from 'multiformats/bases/base32'
import { compare, concat, equal, sha256, text } from './bytes.js'
import { read, write } from './canonical.js'
import { refuse } from './codes.js'
import { principalKind } from './principal.js'
import { decodeBase32 } from './text.js'

export const types = { unicast: 1n, secure: 2n, propagate: 3n }
export const binders = { exclusive: 1n, many: 2n }
export const policies = { open: 1n, listed: 2n, capability: 3n }

const idPrefix = Uint8Array.of(0x01, 0x55, 0x12, 0x20)

const table = {
  type: [1, 'number'], name: [2, 'text'], owner: [3, 'bytes'], binders: [4, 'number'], transports: [5, 'list'],
  policy: [6, 'number'], reliable: [7, 'number'], salt: [8, 'bytes']
}

export const pipeId = (advertisement) => concat(idPrefix, sha256(advertisement))
export const pipeKey = (id) => sha256(text('panpipe/key'), id)
export const idText = (id) => 'b' + base32.baseEncode(id)

export function parseId (s) {
  const plain = s.replace(/^pipe:/, '')
  if (plain.length !== 59 || plain[0] !== 'b') refuse('bad-request', 'a pipe ID has 59 characters and begins with b')
  return checkId(decodeBase32(plain.slice(1)))
}

export function checkId (id) {
  if (id.length !== 36 || !equal(id.subarray(0, 4), idPrefix)) refuse('bad-request', 'not a pipe ID')
  return id
}

/** Reads and checks an advertisement; transports become strings. */
export function parseAdvertisement (bytes) {
  if (bytes.length > 1024) refuse('too-large', 'an advertisement of more than 1024 bytes')
  const a = read(bytes, table)
  for (const need of ['type', 'owner', 'binders', 'policy', 'reliable', 'salt']) {
    if (a[need] === undefined) refuse('bad-request', `the advertisement has no ${need}`)
  }
  known(a)
  principalKind(a.owner)
  if (a.salt.length !== 16) refuse('bad-request', 'a salt is 16 bytes')
  checkName(a.name ?? '')
  return { ...a, transports: transportNames(a.transports ?? []) }
}

function known (a) {
  for (const [field, values] of [['type', types], ['binders', binders], ['policy', policies], ['reliable', { yes: 1n, no: 2n }]]) {
    if (!Object.values(values).includes(a[field])) refuse('unsupported', `${field} ${a[field]} is unknown`)
  }
}

function checkName (name) {
  if (text(name).length > 128) refuse('too-large', 'a name of more than 128 bytes')
  if (/[\u0000-\u001f\u007f-\u009f]/.test(name)) refuse('bad-request', 'a name with control characters')
}

function transportNames (list) {
  if (list.length > 16) refuse('too-large', 'more than 16 transports')
  return list.map((bytes, i) => {
    const name = Buffer.from(bytes).toString('latin1')
    if (!/^[a-z0-9-]{1,32}$/.test(name)) refuse('bad-request', 'not the name of a transport')
    if (i > 0 && compare(list[i - 1], bytes) >= 0) refuse('bad-request', 'transports are sorted, each once')
    return name
  })
}

/** Canonical bytes of an advertisement with the names of transports as strings. */
export const advertisementBytes = (a) => write({ ...a, transports: [...a.transports].sort().map((name) => text(name)) }, table)
