// The error vocabulary: package wire, section "Vocabulary".

const words = [
  'ok', 'unbound', 'unknown', 'forbidden', 'not-close', 'taken', 'expired', 'too-large', 'busy', 'gone',
  'moved', 'replaced', 'closed', 'timeout', 'unreachable', 'limit', 'bad-request', 'unsupported', 'not-ready', 'internal',
  'refused', 'reset'
]

/** A failure told by one word of the vocabulary, with a sentence for people. */
export class Refusal extends Error {
  constructor (code, sentence, more = {}) {
    super(sentence === '' ? code : `${code}: ${sentence}`)
    this.code = code
    Object.assign(this, more)
  }
}

export const refuse = (code, sentence, more) => { throw new Refusal(code, sentence, more) }

/** Number on the wire to word; unknown ones count as "internal" and are shown as "code-N". */
export const word = (number) => words[number] ?? `code-${number}`

export const number = (code) => words.indexOf(code) === -1 ? words.indexOf('internal') : words.indexOf(code)
