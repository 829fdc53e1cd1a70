// Uvarints and canonical bytes: package wire, section "Canonical bytes".
import { concat, fromText, text } from './bytes.js'
import { refuse } from './codes.js'

const firstIgnorable = 1000n // unknown fields below are critical
const maxFields = 64
const maxUint64 = (1n << 64n) - 1n

const bad = (sentence) => refuse('bad-request', sentence)

/** The uvarint of a number (bigint or integer), in as few bytes as it needs. */
export function uvarint (n) {
  const out = []
  for (n = BigInt(n); n >= 128n; n >>= 7n) out.push(Number(n & 127n) | 128)
  out.push(Number(n))
  return Uint8Array.from(out)
}

/** Reads a uvarint at an offset: [value, offset behind it]. */
export function readUvarint (b, at) {
  let n = 0n
  for (let shift = 0n, i = at; ; shift += 7n, i++) {
    if (i >= b.length) bad('half a uvarint')
    if (i - at > 9) bad('a uvarint of more than 64 bits')
    n |= BigInt(b[i] & 127) << shift
    if (b[i] >= 128) continue
    if (b[i] === 0 && i > at) bad('a uvarint in more bytes than it needs')
    if (n > maxUint64) bad('a uvarint of more than 64 bits')
    return [n, i + 1]
  }
}

/** A run of length-prefixed pieces, none of them empty. */
function * pieces (b, what) {
  for (let at = 0; at < b.length;) {
    const [length, from] = readUvarint(b, at)
    at = from + Number(length)
    if (length === 0n) bad(`${what} is empty`)
    if (at > b.length) bad(`${what} is longer than what is left`)
    yield b.subarray(from, at)
  }
}

/** Canonical bytes of fields: [[number, value], …], where a value is bytes, text, a number or a list of bytes. */
export function build (fields) {
  const out = []
  for (const [number, value] of fields) {
    const bytes = encode(value)
    if (bytes.length > 0) out.push(uvarint(number), uvarint(bytes.length), bytes)
  }
  return concat(...out)
}

function encode (value) {
  switch (typeof value) {
    case 'undefined': return new Uint8Array()
    case 'string': return text(value)
    case 'number': case 'bigint': return BigInt(value) === 0n ? new Uint8Array() : uvarint(value)
  }
  if (value instanceof Uint8Array) return value
  return concat(...value.flatMap((item) => [uvarint(item.length), item]))
}

/** Takes a record apart into Map(number → bytes); what is not canonical is refused. */
export function fields (b) {
  const out = new Map()
  let last = 0n
  for (let at = 0; at < b.length;) {
    const [number, behind] = readUvarint(b, at)
    if (number <= last) bad(`field ${number} after field ${last}`)
    const [length, from] = readUvarint(b, behind)
    at = from + Number(length)
    if (length === 0n) bad(`field ${number} is empty`)
    if (at > b.length) bad(`field ${number} is longer than the record`)
    if (out.size === maxFields) refuse('too-large', `more than ${maxFields} fields`)
    out.set(number, b.subarray(from, at))
    last = number
  }
  return out
}

export const parse = {
  bytes: (b) => b,
  text: (b) => { try { return fromText(b) } catch { return bad('a text that is not UTF-8') } },
  list: (b) => [...pieces(b, 'an item')],
  number: (b) => {
    const [n, end] = readUvarint(b, 0)
    if (end !== b.length || n === 0n) bad('not a number from 1')
    return n
  }
}

/**
 * Reads a record by its table: { name: [field number, kind, check?], … }.
 * Absent fields are undefined; unknown critical ones are "unsupported", once
 * the record is known to be canonical.
 */
export function read (b, table) {
  const got = fields(b)
  const out = {}
  for (const [name, [number, kind]] of Object.entries(table)) {
    const value = got.get(BigInt(number))
    if (value !== undefined) out[name] = parse[kind](value)
    got.delete(BigInt(number))
  }
  for (const number of got.keys()) {
    if (number < firstIgnorable) refuse('unsupported', `field ${number} is unknown and critical`)
  }
  return out
}

/** The canonical bytes of an object by its table. */
export const write = (object, table) => build(Object.entries(table).map(([name, [number]]) => [number, object[name]]))
