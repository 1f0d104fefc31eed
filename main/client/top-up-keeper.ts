import type { Address } from '@ton/core'
import { asError, Failure } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import type { Client } from './client.ts'

/** Test coins put on the chat balance when the account is opened, and whenever it runs low. nanoton */
const localTopUp = 5_000_000_000n
/** One that did not go through is not tried again at once; and after one that did, an endpoint that is behind may still show the old balance. */
const restMs = 30_000
/** One that may still be on its way: after so long it has arrived or never will. */
const underWayMs = 600_000
const mayBeUnderWay: ReadonlySet<string> = new Set(['send-unknown', 'not-confirmed'])

export interface TopUpTerms {
  /** nanoton put on the balance each time */
  readonly amount: bigint
  /** Below this much unspent money, in nanoton. */
  readonly lowMark: bigint
  /** Before each top-up: puts into the wallet what it lacks for it, where coins are for tests. */
  readonly fund?: () => Promise<void>
}

/** Below half of a top-up on the client contract the next answers could be refused. */
export const localTerms: TopUpTerms = { amount: localTopUp, lowMark: localTopUp / 2n }

/** Keeps the balance of a client filled: the chat balance of the local network, or what an operator has asked for. */
export class TopUpKeeper {
  readonly #client: Pick<Client, 'accounts' | 'state'>
  readonly #terms: TopUpTerms
  readonly #now: () => number
  readonly #stopWatching: () => void
  readonly #busy = new Set<string>()
  /** By contract: until when nothing is sent by itself, and what went wrong if something did. */
  readonly #rests = new Map<string, { readonly untilMs: number; readonly reason?: Error }>()
  #stopped = false

  constructor(client: Pick<Client, 'accounts' | 'state'>, logger: Logger, terms: TopUpTerms, now: () => number = Date.now) {
    this.#client = client
    this.#terms = terms
    this.#now = now
    this.#stopWatching = client.state.onChange(({ connections }) => {
      for (const { phase, clientContract, balance, pendingCharge = 0n } of connections) {
        if (phase !== 'ready' || !clientContract || balance === undefined || balance - pendingCharge >= terms.lowMark) continue
        const name = clientContract.toString()
        if (this.#busy.has(name) || this.#restOf(name)) continue
        this.#busy.add(name)
        this.#fill(clientContract, terms.lowMark)
          .catch((thrown: unknown) => logger.warn('a balance could not be topped up', { reason: asError(thrown).message }))
          .finally(() => this.#busy.delete(name))
      }
    })
  }

  /**
   * For a question that `missing` nanoton were lacking for: resolves when they are on the first balance.
   * @throws Failure why they cannot be put there now
   */
  async refill(missing: bigint): Promise<void> {
    const [{ clientContract, balance, pendingCharge = 0n } = {}] = this.#client.state.value.connections
    if (!clientContract || balance === undefined)
      throw new Failure('no-connection', 'No proxy is connected.', { retryable: true })
    const { reason } = this.#restOf(clientContract.toString()) ?? {}
    if (reason) throw reason
    await this.#fill(clientContract, balance - pendingCharge + missing)
  }

  async #fill(contract: Address, least: bigint): Promise<void> {
    if (this.#stopped) return
    const rest = (ms: number, reason?: Error): unknown =>
      this.#rests.set(contract.toString(), { untilMs: this.#now() + ms, ...(reason && { reason }) })
    try {
      await this.#terms.fund?.()
      await this.#client.accounts.fill(contract, { least, amount: this.#terms.amount })
      rest(restMs)
    } catch (thrown) {
      const reason = asError(thrown)
      rest(reason instanceof Failure && mayBeUnderWay.has(reason.code) ? underWayMs : restMs, reason)
      throw reason
    }
  }

  #restOf(contract: string): { readonly reason?: Error } | undefined {
    const rest = this.#rests.get(contract)
    return rest !== undefined && this.#now() < rest.untilMs ? rest : undefined
  }

  stop(): void {
    this.#stopped = true
    this.#stopWatching()
  }
}
