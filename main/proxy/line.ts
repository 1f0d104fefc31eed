import { encode } from '../protocol/tl/codec.ts'
import { TlError } from '../protocol/tl/tl-error.ts'
import type { TlObject } from '../protocol/tl/types.ts'
import type { PacketConnection } from '../protocol/wire/connection.ts'
import { Refusal } from './refusal.ts'

/**
 * Wraps the answer to a query of a peer: a `Refusal` that closes lets the error leave first. During the handshake a query that
 * cannot be parsed closes too (50 §2.2).
 */
export async function answerQuery(
  connection: Pick<PacketConnection, 'close'>,
  handshaking: boolean,
  answer: () => TlObject | Promise<TlObject>,
): Promise<Uint8Array> {
  try {
    return encode(await answer())
  } catch (thrown) {
    const closes = thrown instanceof Refusal ? thrown.closes : handshaking && thrown instanceof TlError
    if (closes && thrown instanceof Error) setImmediate(() => connection.close(thrown.message))
    throw thrown
  }
}

/** A wire type that never appears in the schema answers like any unknown query (10 §2). */
export const lostPromise = (): Refusal => new Refusal(0, 'Lost promise')
