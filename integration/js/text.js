// Texts of capabilities and tickets: package identity, section "Texts".
import { base32 } from 'multiformats/bases/base32'
import { concat, equal, sha256 } from './bytes.js'
import { refuse } from './codes.js'

const sumLength = 4

export const toText = (prefix, bytes) => prefix + base32.baseEncode(concat(bytes, sha256(bytes).subarray(0, sumLength)))

/** White space and case are ignored; unused bits that are not zero are refused. */
export function fromChecked (prefix, text) {
  const plain = text.replace(/\s/gu, '').toLowerCase()
  if (!plain.startsWith(prefix)) refuse('bad-request', `the text does not begin with ${prefix}`)
  const bytes = decodeBase32(plain.slice(prefix.length))
  const [body, sum] = [bytes.subarray(0, -sumLength), bytes.subarray(-sumLength)]
  if (bytes.length < sumLength || !equal(sha256(body).subarray(0, sumLength), sum)) refuse('bad-request', 'the text was hurt on its way: its checksum is wrong')
  return body
}

/** RFC 4648's alphabet in lower case, without padding; one spelling a value. */
export function decodeBase32 (s) {
  let bytes
  try {
    bytes = base32.baseDecode(s)
  } catch (err) {
    refuse('bad-request', `not base32: ${err.message}`)
  }
  if (base32.baseEncode(bytes) !== s) refuse('bad-request', 'base32 with padding or with unused bits that are not zero')
  return bytes
}
