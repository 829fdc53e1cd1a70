// A js-libp2p node that joins an overlay as a client: package discovery,
// sections "Joining" and "Servers, role and reachability".
import { createLibp2p } from 'libp2p'
import { generateKeyPair, generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import { kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import { noise } from '@chainsafe/libp2p-noise'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@chainsafe/libp2p-yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { equal, hex, unhex } from './bytes.js'
import { Refusal, refuse } from './codes.js'
import { hashOf, peerId, peerPrincipal } from './principal.js'
import { endpoint, transportOf } from './transports.js'
import { ticketFromText } from './ticket.js'
import { inTime } from './time.js'

const dialTimeout = 10_000
export const P2P = 421 // multicodec of a multiaddr's /p2p part

/** Starts a node: { overlay, seed (hex, optional), listen (multiaddrs) }. */
export async function startNode ({ overlay, seed, listen = [] }) {
  const key = seed ? await generateKeyPairFromSeed('Ed25519', unhex(seed)) : await generateKeyPair('Ed25519')
  const libp2p = await createLibp2p({
    privateKey: key,
    addresses: { listen },
    transports: [tcp(), webSockets()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: {
      identify: identify(),
      ping: ping(),
      dht: kadDHT({ protocol: `/${overlay}/kad/1.0.0`, clientMode: true, peerInfoMapper: passthroughMapper })
    }
  })
  return new Node(overlay, key, libp2p)
}

class Node {
  /** Servers of the overlay that were met: hex of the peer's hash → { hash, addrs }. */
  servers = new Map()
  #identities = new Map()

  constructor (overlay, key, libp2p) {
    Object.assign(this, { overlay, key, libp2p, hash: hashOf(libp2p.peerId) })
    this.principal = peerPrincipal(this.hash)
    libp2p.addEventListener('connection:close', ({ detail }) => this.#identities.delete(detail.id))
    libp2p.addEventListener('peer:identify', ({ detail }) => this.#identity(detail.connection.id).resolve(detail.protocols))
  }

  /** The promise of what identify says on a connection, which may be known before it is asked for. */
  #identity (connection) {
    if (!this.#identities.has(connection)) this.#identities.set(connection, Promise.withResolvers())
    return this.#identities.get(connection)
  }

  /** Joins through multiaddrs and tickets; ready as soon as one server of the overlay is connected. */
  async join (places) {
    const failures = []
    for (const addr of places.flatMap((place) => this.#addresses(place))) {
      try {
        await this.#meet(addr)
      } catch (err) {
        failures.push(err instanceof Refusal ? err.message : `${addr}: ${err.message}`)
      }
    }
    if (this.servers.size === 0) refuse('not-ready', failures.join('; '))
  }

  #addresses (place) {
    if (place.startsWith('/')) return [multiaddr(place)]
    const ticket = ticketFromText(place)
    if (ticket.overlay !== this.overlay) refuse('bad-request', `the ticket is for overlay ${ticket.overlay}, this node is of ${this.overlay}`)
    return ticket.addrs.filter((addr) => dialable(addr))
  }

  /** A node is a server when identify says that it speaks the overlay's DHT. */
  async #meet (addr) {
    const connection = await this.libp2p.dial(addr, { signal: AbortSignal.timeout(dialTimeout) })
    const protocols = await inTime(dialTimeout, 'identify', this.#identity(connection.id).promise)
    if (!protocols.includes(`/${this.overlay}/kad/1.0.0`)) refuse('unreachable', `${addr} is no server of overlay ${this.overlay}`)
    const hash = hashOf(connection.remotePeer)
    this.servers.set(hex(hash), { hash, addrs: [addr.decapsulateCode(P2P)] })
  }

  /** A connection to a peer: one that there is, or a new one to its addresses. */
  async connect (hash, addrs) {
    const peer = peerId(hash)
    const [open] = this.libp2p.getConnections(peer).filter((c) => c.status === 'open')
    if (open) return open
    const usable = addrs.filter(dialable).map((addr) => addr.encapsulate(`/p2p/${peer}`))
    if (usable.length === 0) refuse('unreachable', `${peer} has no address that this program can dial`)
    return this.libp2p.dial(usable, { signal: AbortSignal.timeout(dialTimeout) })
  }

  /** A connection on a named transport to one endpoint, beside whatever else there is. */
  async connectOn (hash, addr) {
    const peer = peerId(hash)
    const [open] = this.libp2p.getConnections(peer).filter((c) => c.status === 'open' && transportOf(c.remoteAddr) === transportOf(addr))
    return open ?? this.libp2p.dial(addr.encapsulate(`/p2p/${peer}`), { force: true, signal: AbortSignal.timeout(dialTimeout) })
  }

  /** Own endpoints as a binding lists them: without /p2p at their end. */
  endpoints () {
    return this.libp2p.getMultiaddrs().map((addr) => addr.decapsulateCode(P2P)).filter(dialable).slice(0, 8)
  }

  isSelf (hash) { return equal(hash, this.hash) }
  stop () { return this.libp2p.stop() }
}

const dialable = (addr) => ['tcp', 'ws'].includes(transportOf(addr))

/** What an answer tells of a peer: { hash, addrs }, or undefined where it makes no sense. */
export function usablePeer ({ id, addrs }) {
  const good = addrs.slice(0, 8).flatMap((bytes) => {
    try { return [endpoint(bytes)].filter(dialable) } catch { return [] }
  })
  try {
    return good.length > 0 && { hash: hashOf(peerId(id)), addrs: good }
  } catch {
    return false
  }
}
