import { randomBytes } from 'node:crypto'
import { decode } from '../tl/codec.ts'
import { TlError } from '../tl/tl-error.ts'
import type { TlObject } from '../tl/types.ts'
import { mostPayloadBytes } from './frames.ts'
import { peerErrorCodes, QueryRefused, WireError } from './wire-error.ts'

const names = [
  'tcp.ping',
  'tcp.pong',
  'tcp.packet',
  'tcp.queryAnswer',
  'tcp.queryError',
  'tcp.query',
  'tcp.connected',
  'tcp.connect',
] as const

/** What a frame holds (10 §2). */
export type TcpPacket = TlObject<(typeof names)[number]>

/** The largest `data` of a packet or query that fits into a frame with its id, query id and length header. */
export const mostDataBytes = mostPayloadBytes - 16 - 4

/** @throws TlError when the payload of a frame is no `tcp.Packet` */
export function readTcpPacket(payload: Uint8Array): TcpPacket {
  return decode(payload, ...names)
}

/** A random signed 64-bit number: ids of pings, queries and connects. */
export function randomLong(): bigint {
  return randomBytes(8).readBigInt64LE()
}

/** The `tcp.queryError` that a failed query handler is answered with. What the error says is kept from the peer unless it was meant for it. */
export function refusalOf(error: unknown): { code: number; message: string } {
  if (error instanceof QueryRefused) return { code: error.code, message: error.message }
  if (error instanceof TlError) {
    const unknown = error.code === 'tl-unexpected-constructor' && error.offset === 0
    return { code: peerErrorCodes.none, message: unknown ? 'Lost promise' : error.message }
  }
  return { code: peerErrorCodes.failure, message: 'Internal error' }
}

/** Why the connection ends when a packet handler threw. */
export function handlerFailure(error: unknown): WireError {
  return error instanceof TlError
    ? new WireError('protocol-violation', `The peer sent a malformed packet: ${error.message}`, { cause: error })
    : new WireError('handler-failed', 'A packet could not be handled', { cause: error })
}
