// Small helpers for byte arrays. They know nothing of Panpipe.
import { createHash, createHmac } from 'node:crypto'

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export const text = (s) => new TextEncoder().encode(s)
export const fromText = (b) => utf8.decode(b) // throws at what is not UTF-8
export const hex = (b) => Buffer.from(b).toString('hex')
export const unhex = (s) => Uint8Array.from(Buffer.from(s, 'hex'))
/** Joins byte arrays and lists of numbers. */
export const concat = (...parts) => Uint8Array.from(Buffer.concat(parts.map((p) => Array.isArray(p) ? Uint8Array.from(p) : p)))
export const equal = (a, b) => Buffer.compare(a, b) === 0
export const compare = (a, b) => Buffer.compare(a, b)
export const isZero = (b) => b.every((x) => x === 0)
export const sha256 = (...parts) => Uint8Array.from(createHash('sha256').update(concat(...parts)).digest())
export const hmac = (key, ...parts) => Uint8Array.from(createHmac('sha256', key).update(concat(...parts)).digest())
export const random = (n) => crypto.getRandomValues(new Uint8Array(n))
