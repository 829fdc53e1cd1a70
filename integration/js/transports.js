// Names of transports: package pipe, sections "Advertisement" and "Binding".
import { multiaddr } from '@multiformats/multiaddr'
import { refuse } from './codes.js'

/** The transport that a multiaddr is on, or undefined where none of the known ones fits. */
export function transportOf (addr) {
  const names = addr.getComponents().map((c) => c.name).filter((name) => name !== 'certhash')
  if (names.includes('p2p-circuit')) return 'relay'
  const stack = names.filter((name) => !['ip4', 'ip6', 'ip6zone', 'dns', 'dns4', 'dns6', 'dnsaddr', 'sni', 'p2p'].includes(name)).join('/')
  return {
    tcp: 'tcp',
    'udp/quic-v1': 'quic-v1',
    'tcp/ws': 'ws',
    'tcp/wss': 'wss',
    'tcp/tls/ws': 'wss',
    'udp/quic-v1/webtransport': 'webtransport',
    'udp/webrtc-direct': 'webrtc-direct'
  }[stack]
}

/** An endpoint of a binding: a multiaddr that does not end in /p2p. */
export function endpoint (bytes) {
  if (bytes.length > 256) refuse('too-large', 'an endpoint of more than 256 bytes')
  let addr
  try {
    addr = multiaddr(bytes)
  } catch (err) {
    refuse('bad-request', `an endpoint is not a multiaddr: ${err.message}`)
  }
  if (addr.getComponents().at(-1)?.name === 'p2p') refuse('bad-request', `the endpoint ${addr} ends in /p2p`)
  return addr
}

/** Whether a pipe that allows these transports (none named: every one) allows this endpoint. */
export const allowed = (transports, addr) => transports === undefined || transports.length === 0 || transports.includes(transportOf(addr))
