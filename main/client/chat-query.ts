import type { FormBytes } from '../protocol/requests/form.ts'
import type { RequestLimits } from '../protocol/requests/request-limits.ts'
import type { SealedWorker } from '../protocol/sealed/outcome.ts'
import type { PacketConnection } from '../protocol/wire/connection.ts'

/** Whether something may be sent over this connection now. */
export type MayGo = (connection: PacketConnection) => boolean

/** Why a worker may not read a question that goes over this connection; undefined when it may. */
export type ObjectionTo = (worker: SealedWorker, connection: PacketConnection) => string | undefined

export type SealWish = 'offered' | 'agreed' | 'required' | 'attested' | 'none'

/** A question as it is put to one proxy. */
export interface ChatQuery {
  /** Base name as the proxy lists it. */
  readonly model: string
  /** JSON text, or a form; validated. */
  readonly body: string | FormBytes
  readonly path: string
  /** For the reservation (protocol 50 §3). */
  readonly maxTokens: number
  /** Thousandths. */
  readonly maxCoefficient: number
  readonly timeoutMs: number
  /** The key that the body is encrypted for, 32 bytes (protocol 95 §4.1); undefined where it is not. */
  readonly publicKey: Uint8Array | undefined
  /** What a question asks of its seal: see `ChatRequest.seal`. */
  readonly seal: SealWish
  /** What the body itself allows its answer. */
  readonly limits: RequestLimits
  /** See `ChatRequest.mayGo`. */
  readonly mayGo: MayGo | undefined
  /** See `ChatRequest.objectionTo`. */
  readonly objectionTo: ObjectionTo | undefined
  /** Which scope of the prompt cache a conversation has at the worker with that key; undefined where nothing may be kept. Told inside a seal alone. */
  readonly cacheScope: ((keyId: Uint8Array) => string) | undefined
  /** Asks every hop for its times (`debug` of the end). */
  readonly debug: boolean
}
