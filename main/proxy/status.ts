import type { Address } from '@ton/core'
import { availableTokens, clientFunds } from './admission.ts'
import type { Exchange } from './exchange.ts'
import type { Instance } from './instance.ts'
import type { Rates } from './rates.ts'

export interface ModelStatus {
  /** Base name. */
  readonly model: string
  readonly workers: number
  readonly enabledWorkers: number
  /** Of the cheapest enabled worker, in thousandths; null when there is none. */
  readonly coefficient: number | null
  readonly runningQueries: number
}

/** What the Network screen shows of the proxy. Tokens are adjusted tokens. */
export interface ProxyStatus {
  readonly phase: 'stopped' | 'starting' | 'serving' | 'stopping'
  /** Why no queries are taken although the proxy serves; null when they are. */
  readonly trouble: string | null
  readonly contract: Address | null
  readonly workerPort: number | null
  readonly clientPort: number | null
  readonly models: readonly ModelStatus[]
  readonly workers: number
  readonly clients: number
  readonly runningQueries: number
  /** Contracts of former params that still hold money of others. */
  readonly oldContracts: number
  readonly totals: { readonly succeeded: number; readonly failed: number; readonly rejected: number; readonly tokens: number }
}

export const stoppedStatus: ProxyStatus = {
  phase: 'stopped',
  trouble: null,
  contract: null,
  workerPort: null,
  clientPort: null,
  models: [],
  workers: 0,
  clients: 0,
  runningQueries: 0,
  oldContracts: 0,
  totals: { succeeded: 0, failed: 0, rejected: 0, tokens: 0 },
}

export function modelStatuses(exchange: Exchange): ModelStatus[] {
  return [...exchange.models].sort().map((model) => {
    const seats = [...exchange.workersOf(model)]
    const enabled = seats.filter((seat) => seat.enabled)
    return {
      model,
      workers: seats.length,
      enabledWorkers: enabled.length,
      coefficient: enabled.length === 0 ? null : Math.min(...enabled.map((seat) => seat.coefficient)),
      runningQueries: seats.reduce((sum, seat) => sum + seat.running.size, 0),
    }
  })
}

export function totalsOf(rates: Rates): ProxyStatus['totals'] {
  return {
    succeeded: rates.success.total,
    failed: rates.failed.total,
    rejected: rates.rejected.total,
    tokens: rates.total_adjusted_tokens_used.total,
  }
}

/** Everything that the money of one client consists of, for status pages. */
export function clientSheets(instance: Instance) {
  const price = instance.identity.params.pricePerToken
  return [...instance.ledger.accounts]
    .filter((account) => account.kind === 'client')
    .map((account) => {
      const contract = account.client ?? { state: 'closed' as const, balance: 0n, stake: 0n, used: 0n }
      return { account, contract, available: availableTokens(clientFunds(contract, price, account)) }
    })
}
