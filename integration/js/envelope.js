// Signed envelopes: package identity, section "Envelopes and signing domains".
import { publicKeyToProtobuf } from '@libp2p/crypto/keys'
import { build, fields, uvarint } from './canonical.js'
import { concat, text } from './bytes.js'
import { refuse } from './codes.js'
import { publicKey } from './keys.js'

export const domains = {
  capability: 'panpipe/capability/1',
  binding: 'panpipe/binding/1',
  revocation: 'panpipe/revocation/1',
  secure: 'panpipe/secure/1'
}

const toSign = (domain, body) => concat(uvarint(text(domain).length), text(domain), body)

/** Signs a body under a domain and wraps it. */
export async function seal (privateKey, domain, body) {
  const signature = await privateKey.sign(toSign(domain, body))
  return build([[1, body], [2, publicKeyToProtobuf(privateKey.publicKey)], [3, signature]])
}

/** Opens an envelope: { body, key } with the signer's public key as its protobuf. */
export async function open (envelope, domain) {
  const got = fields(envelope)
  const [body, key, signature] = [1n, 2n, 3n].map((n) => got.get(n))
  if (got.size !== 3 || !body || !key || !signature) refuse('bad-request', 'an envelope has the fields 1, 2, 3 and no other')
  const signer = publicKey(key)
  let holds
  try {
    holds = await signer.verify(toSign(domain, body), signature)
  } catch {
    holds = false // bytes that are no signature of this kind of key
  }
  if (!holds) refuse('bad-request', `not signed under ${domain} by the key that it names`)
  return { body, key }
}
