import { reservedTokens } from '../protocol/accounting/adjusted-tokens.ts'
import { peerErrorCodes } from '../protocol/wire/wire-error.ts'
import type { Account } from './account.ts'
import { Refusal } from './refusal.ts'

/** A client's money as the proxy counts it. All in adjusted tokens, totals since the client contract exists (30 §4). */
export interface ClientFunds {
  /** Tokens ever paid for: (balance + used × price) / price. */
  readonly payedTotal: bigint
  /** stake / price. */
  readonly stakeTokens: bigint
  /** `tokens_used` in the client contract. */
  readonly scUsed: bigint
  readonly reserved: bigint
  /** Everything counted so far. */
  readonly max: bigint
}

/** What a free price stands for: more than any counter can reach, and still far inside 63 bits. */
export const unlimitedTokens = 1_000_000_000_000_000n

/**
 * Funds of a client contract. `balance` and `stake` in nanoton, `price` in nanoton per adjusted token.
 * With price 0 nothing limits the client (30 §4).
 */
export function clientFunds(
  contract: { balance: bigint; stake: bigint; used: bigint },
  price: bigint,
  counted: { reserved: bigint; max: bigint },
): ClientFunds {
  const free = price <= 0n
  return {
    payedTotal: free ? unlimitedTokens : contract.balance / price + contract.used,
    stakeTokens: free ? unlimitedTokens : contract.stake / price,
    scUsed: contract.used,
    reserved: counted.reserved,
    max: counted.max,
  }
}

/** Tokens that may still be reserved; negative when the client has used more than it may (50 §5). */
export function availableTokens(funds: ClientFunds): bigint {
  const bound = funds.stakeTokens + funds.scUsed
  return (funds.payedTotal < bound ? funds.payedTotal : bound) - funds.reserved - funds.max
}

/**
 * What a request may be charged at its end: what was reserved for it, and what is free beside that. The reservation leaves out the price
 * multipliers and the number of choices, so that an answer can use more (50 §3); the proxy promises its worker no more than the client covers.
 */
export function coveredTokens(funds: ClientFunds, reserved: bigint): bigint {
  const covered = reserved + availableTokens(funds)
  return covered > 0n ? covered : 0n
}

/** The contract of a client that was not seen on chain covers nothing. */
const noContract = { state: 'closed', balance: 0n, stake: 0n, used: 0n } as const

export const contractOf = ({ client }: Pick<Account, 'client'>) => client ?? noContract

export interface QueryDemand {
  readonly maxTokens: number
  readonly queryBytes: number
  readonly maxCoefficient: number
  readonly timeoutSeconds: number
  readonly minConfigVersion: number
}

export interface Desk {
  readonly funds: ClientFunds
  readonly rootVersion: number
  readonly clientClosing: boolean
  readonly proxyEnabled: boolean
}

/**
 * The checks before a worker is looked for, in the order of 50 §3. Returns the tokens to reserve.
 * Throws `Refusal` 602 (balance, version), 621 (numbers that no honest client sends) or 651 (closing, disabled, balance).
 */
export function admit(demand: QueryDemand, desk: Desk): bigint {
  if (demand.maxTokens < 0 || demand.maxCoefficient < 0)
    throw new Refusal(peerErrorCodes.protocolViolation, 'negative limits in the query')
  if (!Number.isFinite(demand.timeoutSeconds) || demand.timeoutSeconds <= 0) {
    throw new Refusal(peerErrorCodes.protocolViolation, 'timeout of the query is not a positive number')
  }
  const available = availableTokens(desk.funds)
  if (available < BigInt(demand.maxTokens)) {
    const { payedTotal, max, reserved, stakeTokens } = desk.funds
    throw new Refusal(
      peerErrorCodes.error,
      `client balance is too low: max_tokens=${demand.maxTokens} tokens_payed=${payedTotal} tokens_used=${max} ` +
        `tokens_reserved=${reserved} tokens_stake=${stakeTokens}`,
    )
  }
  if (demand.minConfigVersion > desk.rootVersion) throw new Refusal(peerErrorCodes.error, 'active config version is too low')
  if (desk.clientClosing) throw new Refusal(peerErrorCodes.notReady, 'client is closing')
  if (!desk.proxyEnabled) throw new Refusal(peerErrorCodes.notReady, 'proxy is disabled')
  const reserve = reservedTokens(demand.maxTokens, demand.queryBytes, demand.maxCoefficient)
  if (reserve > available) throw new Refusal(peerErrorCodes.notReady, 'balance is too low')
  return reserve
}
