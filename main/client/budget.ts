import { adjustTokens, type Multipliers } from '../protocol/accounting/adjusted-tokens.ts'

/** Counters of one client contract as known now; tokens are adjusted tokens since its creation (protocol 30 §4). */
export interface Counters {
  /** Newest chain state of the contract; undefined while it is not deployed. Balance and stake in nanoton. */
  readonly chain: { readonly balance: bigint; readonly stake: bigint; readonly tokensUsed: bigint } | undefined
  /** Largest valid signed payment. */
  readonly signedTokens: bigint
  readonly committedTokens: bigint
  /** Everything used, as the proxy last told. */
  readonly maxTokens: bigint
}

/** Adjusted tokens ever paid for: what is left and what was used. */
export function payedTotal(chain: { balance: bigint; tokensUsed: bigint }, pricePerToken: bigint): bigint {
  return pricePerToken === 0n ? chain.tokensUsed : (chain.balance + chain.tokensUsed * pricePerToken) / pricePerToken
}

/**
 * Adjusted tokens that may still be spent: `min(payed_total, used + stake/price) − max`, never below zero. With a price of 0 there is no
 * limit: undefined. The stake bounds what may be used between two charges, however large the balance (protocol 30 §4, 70 §1).
 */
export function spendableTokens(counters: Counters, pricePerToken: bigint): bigint | undefined {
  if (pricePerToken === 0n) return undefined
  const { chain, maxTokens } = counters
  if (chain === undefined) return 0n
  const payed = payedTotal(chain, pricePerToken)
  const byStake = chain.tokensUsed + chain.stake / pricePerToken
  const limit = payed < byStake ? payed : byStake
  return limit > maxTokens ? limit - maxTokens : 0n
}

/** How much of the money a request may still reserve, in nanoton; `most` is what it could with nothing used (protocol 30 §4, 50 §3). */
export interface Funds {
  readonly free: bigint
  readonly most: bigint
  /** What bounds `free`: the money on the contract, or the stake, which frees itself when used answers are charged on chain. */
  readonly boundBy: 'balance' | 'stake'
}

/** Undefined while nothing limits the client, or nothing is known. `reserved`: adjusted tokens that own running requests hold. */
export function fundsOf(counters: Counters, pricePerToken: bigint, reserved: bigint): Funds | undefined {
  const { chain, maxTokens } = counters
  if (pricePerToken === 0n || chain === undefined) return undefined
  const stake = chain.stake / pricePerToken
  const payed = payedTotal(chain, pricePerToken)
  const byStake = chain.tokensUsed + stake
  const free = (payed < byStake ? payed : byStake) - maxTokens - reserved
  return {
    free: (free > 0n ? free : 0n) * pricePerToken,
    most: stake * pricePerToken,
    boundBy: payed < byStake ? 'balance' : 'stake',
  }
}

/** Whether the stored signed charge is worth sending, so that the stake's credit becomes free again (protocol 30 §5 rule 7). */
export function shouldCharge(counters: Counters, pricePerToken: bigint): boolean {
  const { chain, maxTokens, signedTokens } = counters
  if (pricePerToken === 0n || chain === undefined) return false
  return maxTokens > chain.tokensUsed + chain.stake / pricePerToken / 2n && signedTokens > chain.tokensUsed
}

/** nanoton used and not charged on chain yet. */
export function pendingCharge(counters: Counters, pricePerToken: bigint): bigint {
  const used = counters.chain?.tokensUsed ?? 0n
  return counters.maxTokens > used ? (counters.maxTokens - used) * pricePerToken : 0n
}

/**
 * Most that an answer can be expected to cost, in nanoton, before it is asked for: one prompt token per 4 bytes, and the full length of the
 * answer (protocol 70 §4). `coefficient` in thousandths.
 */
export function estimatedCost(
  request: { readonly promptBytes: number; readonly maxTokens: number; readonly coefficient: number },
  terms: { readonly multipliers: Multipliers; readonly pricePerToken: bigint },
): bigint {
  const prompt = adjustTokens(Math.ceil(request.promptBytes / 4), request.coefficient, terms.multipliers.prompt)
  const completion = adjustTokens(request.maxTokens, request.coefficient, terms.multipliers.completion)
  return (prompt + completion) * terms.pricePerToken
}
