// Reaching a pipe by its ID: package pipe, sections "Order" and "Connection".
import { equal } from './bytes.js'
import { Refusal, refuse } from './codes.js'
import { dialOver } from './conn.js'
import { beats } from './order.js'
import { isAhead, isOver, isVoid, openBinding } from './records.js'
import { resolve } from './resolve.js'
import { now } from './time.js'
import { transportOf } from './transports.js'

const mostMoves = 3

/** Resolves a pipe and dials a binder of it on a named transport; what `resolved` gives is waited for in between. */
export async function dial (node, id, { transport, resolved = () => {}, ...options }) {
  const found = await resolve(node, id, { transport })
  await resolved(found)
  if (found.alive.length === 0) refuse('unbound', `nobody serves the pipe on ${transport}; ${found.asked} nodes were asked`)
  const failures = []
  for (let binding of found.alive) {
    for (let moves = 0; binding; moves++) {
      try {
        return { conn: await dialBinder(node, binding, transport, options), binding }
      } catch (err) {
        failures.push(err)
        binding = moves < mostMoves ? await follow(err, binding, found.revocations) : undefined
      }
    }
  }
  throw failures.at(-1)
}

/** Tries the binder's endpoints on the transport, those first that a holder saw it at, one at a time. */
async function dialBinder (node, binding, transport, options) {
  const endpoints = binding.addrs.map((addr, i) => ({ addr, proven: !binding.unproven?.has(i) }))
    .filter(({ addr }) => transportOf(addr) === transport)
    .sort((a, b) => b.proven - a.proven)
  const failures = []
  for (const { addr } of endpoints) {
    try {
      const connection = await node.connectOn(binding.binder.subarray(1), addr)
      return await dialOver(node, connection, binding, options)
    } catch (err) {
      if (err instanceof Refusal) throw err
      failures.push(`${addr}: ${err.message}`)
    }
  }
  return refuse('unreachable', failures.join('; ') || `the binder has no endpoint on ${transport}`)
}

/** With `moved`: the binding to go to, if it verifies and beats the one that was followed. */
async function follow (err, binding, revocations) {
  if (err.code !== 'moved') return undefined
  const next = await openBinding(err.moved)
  const good = equal(next.pipe, binding.pipe) && beats(next, binding) && !next.withdrawn
  return good && !isAhead(next, now()) && !isOver(next, now()) && !isVoid(next, revocations) ? next : undefined
}
