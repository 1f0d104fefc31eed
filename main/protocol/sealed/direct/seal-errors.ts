import type { SealBreak } from '../outcome.ts'

/** Why a worker's key is not one to seal to. */
export type KeyRefusal =
  | 'malformed'
  | 'other-network'
  | 'other-model'
  | 'owner-mismatch'
  | 'bad-signature'
  | 'not-yet-valid'
  | 'expired'
  | 'lives-too-long'
  | 'not-attested'

/** A worker's key that does not hold what a key must. The message names no secret. */
export class KeyRefused extends Error {
  readonly reason: KeyRefusal

  constructor(reason: KeyRefusal, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'KeyRefused'
    this.reason = reason
  }
}

/** Why a worker does not open a request. */
export type SealRefusal = 'malformed' | 'unknown-key' | 'other-proxy' | 'other-model' | 'replayed' | 'altered' | 'above-limit'

/** A sealed request that is not opened, or not served as it says. */
export class SealRefused extends Error {
  readonly reason: SealRefusal

  constructor(reason: SealRefusal, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'SealRefused'
    this.reason = reason
  }
}

/** An answer that is not what the worker sealed. */
export class SealBroken extends Error {
  readonly reason: SealBreak

  constructor(reason: SealBreak, message: string) {
    super(message)
    this.name = 'SealBroken'
    this.reason = reason
  }
}
