// The protobuf messages, compiled at run time from the .proto file itself, and
// their caps: package pipe, section "Limits".
import { readFileSync } from 'node:fs'
import protobuf from 'protobufjs'
import { concat } from './bytes.js'
import { uvarint } from './canonical.js'
import { refuse } from './codes.js'

const file = new URL('../../protocols/pipe/pb/pipe.proto', import.meta.url)
const { root } = protobuf.parse(readFileSync(file, 'utf8'), { keepCase: true })

const KiB = 1024
export const caps = { Request: 128 * KiB, Answer: 256 * KiB, Open: 40 * KiB, OpenReply: 64 * KiB, Confirm: 4 * KiB }
export const origins = root.lookupEnum('panpipe.pipe.v1.Origin').values

const type = (name) => root.lookupType(`panpipe.pipe.v1.${name}`)

/** The protobuf bytes of a message given as an object with the names of the .proto file; zero values are left out. */
export const encode = (name, object) => Uint8Array.from(type(name).encode(type(name).fromObject(stripped(object))).finish())

function stripped (value) {
  if (Array.isArray(value)) return value.map(stripped)
  if (typeof value !== 'object' || value instanceof Uint8Array) return value
  const wanted = Object.entries(value).filter(([, v]) => v !== undefined && v !== null && v !== false && v !== '' && v != 0n && v.length !== 0)
  return Object.fromEntries(wanted.map(([k, v]) => [k, stripped(v)]))
}

/** Reads protobuf bytes; absent fields have their zero values, uint64 are bigint. */
export function decode (name, bytes) {
  try {
    const message = type(name).decode(bytes)
    return type(name).toObject(message, { longs: BigInt, defaults: true, oneofs: true, arrays: true })
  } catch (err) {
    return refuse('bad-request', `not a ${name}: ${err.message}`)
  }
}

/** A message as it goes on the wire: uvarint length ‖ protobuf. */
export function frame (name, object) {
  const bytes = encode(name, object)
  if (bytes.length > caps[name]) refuse('too-large', `the ${name} is too long`)
  return concat(uvarint(bytes.length), bytes)
}
