import type { ClientState } from '../../contracts/client.ts'
import type { ProxyState } from '../../contracts/proxy.ts'
import type { Chain } from '../ton/chain.ts'

/** So long after the unlocking the stake limits a forced refund no longer, whatever the proxy did (contracts/client.tolk). */
const patienceSec = 30 * 86_400
/** What one asking costs in fees, at most; asking for less brings nothing. nanoton */
const worthAsking = 100_000_000n

/**
 * nanoton that a closed client contract would be paid if its owner asked for what it still owes now (protocol 60 §5.3): as much as the stake
 * of the proxy contract covers, or all that it holds above its commission when it is closed, or long after the unlocking.
 * @param proxy undefined while the proxy contract is not deployed
 * @param held balance of the proxy contract's account
 */
export function payableNow(
  client: Pick<ClientState, 'balance' | 'unlockAtSec'>,
  proxy: Pick<ProxyState, 'state' | 'balance' | 'stake'> | undefined,
  held: bigint,
  nowSec: number,
): bigint {
  if (proxy === undefined) return 0n
  const free = held - proxy.balance
  const isLimited = proxy.state !== 'closed' && nowSec < client.unlockAtSec + patienceSec
  const limit = isLimited && proxy.stake < free ? proxy.stake : free
  const payable = limit < client.balance ? limit : client.balance
  return payable >= worthAsking ? payable : 0n
}

const longestPauses = 7

/**
 * When a closed contract is asked again for what it owes: only where something can come, and after an asking that brought nothing each time
 * twice as late. Times in ms of one clock, money in nanoton.
 */
export class RefundPace {
  readonly #firstPauseMs: number
  readonly #sheets = new Map<string, { owed: bigint; failures: number; notBeforeMs: number }>()

  /** @param firstPauseMs the longest one is 128 times as long */
  constructor(firstPauseMs: number) {
    this.#firstPauseMs = firstPauseMs
  }

  mayAsk(contract: string, nowMs: number): boolean {
    return nowMs >= (this.#sheets.get(contract)?.notBeforeMs ?? 0)
  }

  /** It is asked now, with so much owed. */
  asked(contract: string, owed: bigint, nowMs: number): void {
    const before = this.#sheets.get(contract)
    const failures = before === undefined || owed < before.owed ? 0 : Math.min(before.failures + 1, longestPauses)
    this.#sheets.set(contract, { owed, failures, notBeforeMs: nowMs + this.#firstPauseMs * 2 ** failures })
  }
}

/** How long a closed contract has to be empty before that is believed: a forced close empties it, and what could not be paid comes back later. */
const settleMs: Readonly<Record<Chain['kind'], number>> = { local: 0, testnet: 60_000, mainnet: 60_000 }

/** Which closed contracts are empty for good. */
export class EmptyContracts {
  readonly #sinceMs = new Map<string, number>()

  /** A look at a contract. Returns whether it is closed, and nothing will come back to it. */
  saw(contract: string, state: Pick<ClientState, 'state' | 'balance'>, kind: Chain['kind'], nowMs: number): boolean {
    if (state.state !== 'closed' || state.balance > 0n) {
      this.#sinceMs.delete(contract)
      return false
    }
    const sinceMs = this.#sinceMs.get(contract) ?? nowMs
    this.#sinceMs.set(contract, sinceMs)
    return nowMs - sinceMs >= settleMs[kind]
  }
}
