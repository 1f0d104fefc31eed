import { randomBytes } from 'node:crypto'
import { encodeWithHeadroom, sharingDecoder } from '../tl/codec.ts'
import { plans } from '../tl/plan.ts'
import { TlError } from '../tl/tl-error.ts'
import type { TlObject } from '../tl/types.ts'
import { frameHeaderBytes, mostPayloadBytes } from './frames.ts'
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

/**
 * Reads the payload of a frame; `data` is a view of it.
 * @throws TlError when the payload is no `tcp.Packet`
 */
export const readTcpPacket: (payload: Uint8Array) => TcpPacket = sharingDecoder(...names)

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

/** A one-way packet in its frame, but for the frame's header. It belongs to one connection and is sent once. */
export interface EncodedPacket {
  readonly frame: Uint8Array<ArrayBuffer>
  /** Bytes of the object inside. */
  readonly dataBytes: number
}

const packetId = plans.get('tcp.packet')?.id ?? 0
const longHeaderBytes = 4

/**
 * `object` as the data of a `tcp.packet`, written once: wrapping it afterwards would copy it.
 * @throws TlError as `encode`
 */
export function encodePacket(object: TlObject): EncodedPacket {
  const ahead = frameHeaderBytes + 4 + longHeaderBytes
  const bytes = encodeWithHeadroom(object, ahead, longHeaderBytes)
  const dataBytes = bytes.length - ahead - longHeaderBytes
  const isLong = dataBytes >= 254
  const start = isLong ? 0 : longHeaderBytes - 1
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  view.setUint32(start + frameHeaderBytes, packetId, true)
  if (isLong) view.setUint32(ahead - longHeaderBytes, dataBytes * 256 + 0xfe, true)
  else bytes[ahead - 1] = dataBytes
  // The object's own length is a multiple of 4; with a short header one byte more has to be padded.
  const end = ahead + dataBytes + (isLong ? 0 : 3)
  return { frame: bytes.subarray(start, end), dataBytes }
}
