import { Address } from '@ton/core'
import { Failure } from '../../base/failure.ts'

/** What client and worker make of a proxy's words that do not hold (protocol 30 §3, 40 §2): the connection is closed and tried again later. */
export function handshakeFailure(message: string, cause?: unknown): Failure<'handshake-failed'> {
  return new Failure('handshake-failed', message, { retryable: true, ...(cause === undefined ? {} : { cause }) })
}

/** An address that a proxy wrote, in any of its text forms. Throws `Failure<'handshake-failed'>`. */
export function addressOf(text: string, whose: string): Address {
  try {
    return Address.parse(text)
  } catch (cause) {
    throw handshakeFailure(`The proxy named a ${whose} that is no address.`, cause)
  }
}
