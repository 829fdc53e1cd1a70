// Length-delimited messages on a stream: package wire, section "Messages".
import { Refusal, refuse } from './codes.js'
import { concat } from './bytes.js'
import { readUvarint } from './canonical.js'
import { caps, decode, frame } from './messages.js'
import { inTime } from './time.js'

const enough = 256 << 10 // bytes buffered before the far side is made to wait

/** What a stream brings, to be read in exact portions. One reader a stream. */
export class Inbox {
  #chunks = []
  #length = 0
  #ended = false
  #error
  #wake = () => {}

  constructor (stream) {
    this.stream = stream
    stream.addEventListener('message', ({ data }) => this.#take(data.subarray()))
    for (const event of ['end', 'remoteCloseWrite']) stream.addEventListener(event, () => this.#finishIfDrained())
    stream.addEventListener('close', ({ error }) => this.#finish(error))
    this.#finishIfDrained()
  }

  #take (chunk) {
    this.#chunks.push(chunk)
    this.#length += chunk.length
    if (this.#length > enough && this.stream.readStatus === 'readable') this.stream.pause()
    this.#finishIfDrained()
    this.#wake()
  }

  /**
   * A stream can say its end before its last bytes: protocol negotiation reads
   * ahead and pushes back. The end is when both have been seen.
   */
  #finishIfDrained () {
    if (this.stream.remoteWriteStatus !== 'writable' && this.stream.readBufferLength === 0) this.#finish()
  }

  #finish (error) {
    this.#ended = true
    this.#error ??= error
    this.#wake()
  }

  /** Waits for bytes; false at the end of the stream. */
  async #more () {
    const had = this.#length
    while (this.#length === had) {
      if (this.#error) throw new Refusal('closed', `the stream was cut: ${this.#error.message}`)
      if (this.#ended) return false
      await new Promise((resolve) => { this.#wake = resolve })
    }
    return true
  }

  #give (n) {
    const all = concat(...this.#chunks)
    this.#chunks = n < all.length ? [all.subarray(n)] : []
    this.#length -= n
    if (this.#length <= enough && this.stream.readStatus === 'paused') this.stream.resume()
    return all.subarray(0, n)
  }

  /** Exactly n bytes; "closed" where the stream ends before. */
  async read (n) {
    while (this.#length < n) if (!await this.#more()) refuse('closed', 'the stream ended within a message')
    return this.#give(n)
  }

  /** Whatever is next, or undefined at the end. */
  async next () {
    if (this.#length === 0 && !await this.#more()) return undefined
    return this.#give(this.#length)
  }

  /** One message; no byte behind it is taken. */
  async message (name) {
    return decode(name, await readDelimited((n) => this.read(n), caps[name]))
  }
}

/** The bytes of a delimited message, asked for in exact portions; refused by its length before it is read. */
export async function readDelimited (read, cap) {
  const prefix = []
  do prefix.push((await read(1))[0])
  while (prefix.at(-1) >= 128 && prefix.length < 10)
  const [length] = readUvarint(Uint8Array.from(prefix), 0)
  if (length > BigInt(cap)) refuse('too-large', `a message of ${length} bytes`)
  return length === 0n ? new Uint8Array() : read(Number(length))
}

/** Sends bytes and waits until more may be sent. */
export async function send (stream, bytes) {
  if (!stream.send(bytes)) await stream.onDrain()
}

export const sendMessage = (stream, name, object) => send(stream, frame(name, object))

/** Runs something with a deadline; at the deadline the stream is reset. */
export const within = (ms, stream, what, run) => inTime(ms, what, run(), (err) => stream.abort(err))
