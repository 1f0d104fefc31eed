import { beginningOf } from '../../base/beginning-of.ts'
import { Failure, type FailureOptions } from '../../base/failure.ts'

export type WireErrorCode =
  /** This side closed the connection. */
  | 'closed-here'
  /** The peer closed the connection in order. */
  | 'closed-by-peer'
  /** The socket failed. */
  | 'connection-lost'
  /** The connection is not (or not yet) ready to send. */
  | 'not-ready'
  /** What the peer sent could not be handled, by no fault of the peer that is known. */
  | 'handler-failed'
  /** The peer sent what the protocol forbids. */
  | 'protocol-violation'
  /** Nothing was received within the idle limit. */
  | 'peer-silent'
  /** The peer does not read what it is sent. */
  | 'peer-stalled'
  /** A query was not answered in time; the connection is still open. */
  | 'query-timeout'
  /** The waiter of a query gave up; the connection is still open. */
  | 'query-aborted'
  /** More bytes than one frame can carry, or than the buffer of this connection holds. Nothing was sent. */
  | 'send-too-large'
  | 'send-buffer-full'
  /** No TCP connection to the peer. */
  | 'connect-failed'
  /** Proof of work and TLS were not through in time. */
  | 'handshake-timeout'
  /** TLS failed. */
  | 'tls-failed'
  /** The router that was asked to connect did not. */
  | 'router-refused'
  /** The caller gave up. */
  | 'dial-aborted'
  /** The port cannot be listened on. */
  | 'listen-failed'

/** Something that ended or prevented a connection, or one query on it. */
export class WireError extends Failure<WireErrorCode> {
  constructor(
    code: WireErrorCode,
    message: string,
    options: Pick<FailureOptions, 'advice' | 'retryable' | 'cause' | 'words'> = {},
  ) {
    super(code, message, options)
    this.name = 'WireError'
  }
}

/** Error codes of `tcp.queryError` and of all `error_code` fields (10 §2). */
export const peerErrorCodes = {
  none: 0,
  failure: 601,
  error: 602,
  warning: 603,
  protocolViolation: 621,
  notReady: 651,
  timeout: 652,
  cancelled: 653,
} as const

/** Of what a peer says so much goes on, into logs and to the user. */
const mostWordsLetters = 300

/** The peer answered a query with `tcp.queryError`. The text is the peer's, cut to 300 letters: show it as such. */
export class TcpQueryError extends Failure<'query-refused'> {
  readonly peerCode: number
  readonly peerMessage: string

  constructor(peerCode: number, peerMessage: string) {
    const words = beginningOf(peerMessage, mostWordsLetters)
    super('query-refused', `The peer refused (${peerCode}): ${words}`)
    this.name = 'TcpQueryError'
    this.peerCode = peerCode
    this.peerMessage = words
  }
}

/** Thrown by a query handler to answer with `tcp.queryError`. */
export class QueryRefused extends Error {
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.name = 'QueryRefused'
    this.code = code
  }
}
