// Tickets: package identity, section "Tickets".
import { multiaddr } from '@multiformats/multiaddr'
import { read, write } from './canonical.js'
import { refuse } from './codes.js'
import { fromChecked, toText } from './text.js'
import { parsePrincipal } from './principal.js'

const maxTicket = 4192
const table = { overlay: [1, 'text'], addrs: [2, 'list'] }

export function openTicket (bytes) {
  if (bytes.length > maxTicket) refuse('too-large', 'the ticket is too long')
  const t = read(bytes, table)
  if (!/^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/.test(t.overlay ?? '')) refuse('bad-request', 'the ticket names no overlay')
  if (t.addrs === undefined) refuse('bad-request', 'the ticket has no addresses')
  if (t.addrs.length > 16) refuse('too-large', 'a ticket of more than 16 addresses')
  return { overlay: t.overlay, addrs: t.addrs.map(address) }
}

/** A multiaddr that ends in /p2p with a peer ID. */
export function address (bytes) {
  if (bytes.length > 256) refuse('too-large', 'an address of more than 256 bytes')
  let addr
  try {
    addr = multiaddr(bytes)
  } catch (err) {
    refuse('bad-request', `not a multiaddr: ${err.message}`)
  }
  const last = addr.getComponents().at(-1)
  if (last?.name !== 'p2p') refuse('bad-request', `${addr} does not end in /p2p with a peer ID`)
  parsePrincipal(last.value)
  return addr
}

export const ticketBytes = ({ overlay, addrs }) => write({ overlay, addrs: addrs.map((a) => a.bytes) }, table)
export const ticketText = (bytes) => toText('ticket:', bytes)
export const ticketFromText = (text) => openTicket(fromChecked('ticket:', text))
