// Public keys as libp2p's protobuf (peer-ids specification), of all four kinds.
// js-libp2p does Ed25519, Secp256k1 and RSA; its ECDSA is not that of the
// specification (PKIX keys, signatures in ASN.1 DER), so Node's is used.
import { createPublicKey, verify as nodeVerify } from 'node:crypto'
import { publicKeyFromProtobuf, publicKeyToProtobuf } from '@libp2p/crypto/keys'
import { concat, equal, hex } from './bytes.js'
import { readUvarint, uvarint } from './canonical.js'
import { refuse } from './codes.js'

const ecdsaHead = '080312' // Type ECDSA, then Data

/** Reads a public key: { verify(message, signature) }; only the encoding that libp2p writes is taken. */
export function publicKey (bytes) {
  let key
  try {
    key = hex(bytes.subarray(0, 3)) === ecdsaHead ? ecdsa(bytes) : libp2pKey(bytes)
  } catch (err) {
    refuse('bad-request', `not a public key: ${err.message}`)
  }
  if (!equal(key.bytes, bytes)) refuse('bad-request', 'a public key in another encoding than libp2p writes')
  return key
}

function libp2pKey (bytes) {
  const key = publicKeyFromProtobuf(bytes)
  return { bytes: publicKeyToProtobuf(key), verify: (message, signature) => key.verify(message, signature) }
}

function ecdsa (bytes) {
  const [, from] = readUvarint(bytes, 3) // the length of Data
  const key = createPublicKey({ key: Buffer.from(bytes.subarray(from)), format: 'der', type: 'spki' })
  const der = key.export({ format: 'der', type: 'spki' })
  return {
    bytes: concat(bytes.subarray(0, 3), uvarint(der.length), der),
    verify: (message, signature) => nodeVerify('sha256', message, { key, dsaEncoding: 'der' }, signature)
  }
}
