import type { Address, Cell, Transaction, TupleItem, TupleReader } from '@ton/core'

/** State of one account at the newest block that the chain answered from. */
export interface AccountState {
  readonly status: 'uninit' | 'active' | 'frozen'
  /** nanoton */
  readonly balance: bigint
  readonly code: Cell | null
  readonly data: Cell | null
  /** Newest transaction; null for an account that never had one. */
  readonly last: { readonly lt: bigint; readonly hash: Uint8Array } | null
  /** The block of that state, as far as the endpoint tells it. */
  readonly block?: { readonly seqno: number; readonly timeMs: number }
}

/** The TON chain as every room above sees it; the adapters (local network, testnet, mainnet) differ only behind it. */
export interface Chain {
  readonly kind: 'local' | 'testnet' | 'mainnet'
  /** HTTP endpoint that answers, shown to the user. */
  readonly endpoint: string
  account(address: Address): Promise<AccountState>
  /** Runs a get-method. Throws `Failure<'getter-failed'>` with the exit code in the message. */
  runGetter(address: Address, name: string, args?: TupleItem[]): Promise<TupleReader>
  /** Newest first. `before` continues below a known transaction (exclusive). */
  transactions(address: Address, limit: number, before?: { lt: bigint; hash: Uint8Array }): Promise<Transaction[]>
  /** Hands a serialized external message (BoC) to the network. Resolves when it was accepted, not when it was executed. */
  send(boc: Uint8Array): Promise<void>
  /**
   * Every transaction of `address` with lt greater than `afterLt`, oldest first, each exactly once, until `signal` aborts.
   * Failures of the endpoint are retried inside, with a growing pause. Throws `Failure` `history-pruned`, and `chain-closed` where nobody asks it any more.
   */
  watch(address: Address, afterLt: bigint, signal: AbortSignal): AsyncIterable<Transaction>
}
