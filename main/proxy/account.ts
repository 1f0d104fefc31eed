import type { Address } from '@ton/core'
import type { LifeState } from '../../contracts/cells.ts'

export type AccountKind = 'client' | 'worker'

/** State of a client contract as its last message to the proxy contract told it (60 §5.2). Amounts in nanoton. */
export interface ClientContractState {
  readonly state: LifeState
  readonly balance: bigint
  readonly stake: bigint
  readonly used: bigint
  readonly secretHash: Uint8Array
}

/** Closed, and everything is paid back: a forced close may leave the contract owing the rest. */
export const isRefunded = ({ state, balance }: ClientContractState): boolean => state === 'closed' && balance === 0n

/** State of a worker contract as its last message told it. */
export interface WorkerContractState {
  readonly state: LifeState
  readonly tokens: bigint
}

/**
 * Counters of one client or worker of one proxy contract: adjusted tokens in total, never falling (50 §5).
 * chain ≤ db ≤ max holds always.
 */
export class Account {
  readonly kind: AccountKind
  readonly owner: Address
  /** The client's or worker's contract. */
  readonly contract: Address
  readonly key: string
  #max = 0n
  #db = 0n
  #chain = 0n
  /** Reserved by admitted requests; lives in memory only, as running requests do. */
  reserved = 0n
  running = 0
  /** Undefined until a message of the client contract was seen on chain. */
  client: ClientContractState | undefined
  worker: WorkerContractState | undefined

  constructor(
    kind: AccountKind,
    owner: Address,
    contract: Address,
    levels: { db: bigint; chain: bigint } = { db: 0n, chain: 0n },
  ) {
    this.kind = kind
    this.owner = owner
    this.contract = contract
    this.key = accountKey(kind, owner)
    this.#max = levels.db
    this.#db = levels.db
    this.#chain = levels.chain
  }

  get max(): bigint {
    return this.#max
  }

  get db(): bigint {
    return this.#db
  }

  get chain(): bigint {
    return this.#chain
  }

  /** Tokens that the contract itself has already settled. */
  get settled(): bigint {
    return this.kind === 'client' ? (this.client?.used ?? 0n) : (this.worker?.tokens ?? 0n)
  }

  /** Adds the tokens of one finished request. Throws `RangeError` on a negative number: counters never fall. */
  count(tokens: bigint): void {
    if (tokens < 0n) throw new RangeError('an account never falls')
    this.#max += tokens
  }

  /** Told that a total of `tokens` is on disk. */
  committedToDb(tokens: bigint): void {
    if (tokens > this.#max) throw new RangeError('more on disk than was counted')
    if (tokens > this.#db) this.#db = tokens
  }

  /** Told that a total of `tokens` is final on chain. */
  committedToChain(tokens: bigint): void {
    if (tokens > this.#db) throw new RangeError('more on chain than on disk')
    if (tokens > this.#chain) this.#chain = tokens
  }

  /**
   * The contract has settled more than this database knows of: after a lost database the chain is right. Raises `max` only;
   * the next commit carries it on.
   */
  raiseTo(tokens: bigint): boolean {
    if (tokens <= this.#max) return false
    this.#max = tokens
    return true
  }
}

export function accountKey(kind: AccountKind, owner: Address): string {
  return `${kind}:${owner.toRawString()}`
}
