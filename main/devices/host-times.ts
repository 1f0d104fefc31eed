/** Bounds that one host keeps, and in what times; tests shorten them. */
export interface HostLimits {
  /** TLS handshake, and the first message after it. */
  readonly handshakeMs: number
  /** A watching guest that is not heard for so long is gone. */
  readonly silenceMs: number
  /** The host says at least so often that it is there. */
  readonly aliveMs: number
  /** No connection gets older: the keys are agreed anew. */
  readonly oldestMs: number
  readonly mostConnections: number
  readonly mostConnectionsPerGuest: number
  readonly mostQuestionsPerGuest: number
  readonly mostAnswerTokens: number
}

export const dayMs = 86_400_000

export const hostLimits: HostLimits = {
  handshakeMs: 10_000,
  silenceMs: 60_000,
  aliveMs: 15_000,
  oldestMs: dayMs,
  mostConnections: 64,
  mostConnectionsPerGuest: 8,
  mostQuestionsPerGuest: 2,
  mostAnswerTokens: 4_096,
}
