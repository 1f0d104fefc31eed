import type { Address } from '@ton/core'
import { Failure } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import { pause } from '../base/pause.ts'
import { apiKeyFor } from './api-key.ts'
import type { AccountState, Chain } from './chain.ts'
import { endpointPlace } from './endpoint-place.ts'
import { httpChain } from './http-chain.ts'

/** What another endpoint said of the network contract, beside the one that it is read through. */
export interface OtherReading {
  readonly endpoint: string
  /** `same`: code and data are what the first one told. `silent`: no answer came in time, or none that could be read. */
  readonly said: 'same' | 'silent'
}

/** Two endpoints that told different things of the network contract, again and again. */
export interface Dispute {
  readonly first: string
  readonly other: string
}

/**
 * They are some blocks apart at times: only what still differs after these pauses is a disagreement. The embedded chain is never behind; whoever passes its
 * answers on may be for a moment.
 */
const usualPausesMs: Readonly<Record<Chain['kind'], readonly number[]>> = {
  local: [250, 500, 1_000],
  testnet: [1_000, 3_000, 6_000],
  mainnet: [1_000, 3_000, 6_000],
}
/** An endpoint beside the first holds nothing up for longer. */
const silentAfterMs = 5_000

/**
 * Endpoints that are asked for the network contract alone, beside the one that everything goes through.
 * @param options.named those that the operator has named in the command: see `apiKeyFor`
 */
export function otherChains(
  kind: Chain['kind'],
  endpoints: readonly string[],
  logger: Logger,
  { timeoutMs = silentAfterMs, named = [] }: { readonly timeoutMs?: number | undefined; readonly named?: readonly string[] } = {},
): Chain[] {
  return endpoints.map((endpoint) =>
    httpChain({ kind, endpoint, timeoutMs, retryForMs: 0, logger, ...apiKeyFor(endpoint, named) }),
  )
}

/** The others beside an endpoint: one that is asked twice confirms nothing. */
export const besides = (first: Chain, others: readonly Chain[]): readonly Chain[] =>
  others.filter(({ endpoint }) => endpointPlace(endpoint) !== endpointPlace(first.endpoint))

/**
 * Reads an account through `first` and compares it with what `others` say: code and data, not blocks. No proof of a block is checked, so endpoints of one
 * operator prove no more together than one alone.
 * @param options.contradicting who told something else and has not said the same since, kept from one reading to the next by whoever reads again: an
 *   endpoint that contradicted and is silent afterwards, between two rounds too, has taken nothing back
 * @throws Failure `endpoints-disagree`, naming both; what `first` throws; the reason of `signal`
 */
export async function readAgreed(
  first: Chain,
  others: readonly Chain[],
  address: Address,
  {
    pausesMs = usualPausesMs[first.kind],
    signal,
    contradicting = new Set(),
  }: {
    readonly pausesMs?: readonly number[] | undefined
    readonly signal?: AbortSignal | undefined
    readonly contradicting?: Set<string> | undefined
  } = {},
): Promise<{ readonly account: AccountState; readonly others: readonly OtherReading[] }> {
  for (let round = 0; ; round += 1) {
    const [account, ...told] = await Promise.all([first.account(address), ...others.map((other) => contentOf(other, address))])
    const content = contentIn(account)
    for (const [index, { endpoint }] of others.entries()) {
      if (told[index] === content) contradicting.delete(endpoint)
      else if (told[index] !== null) contradicting.add(endpoint)
    }
    const differing = others.find(({ endpoint }) => contradicting.has(endpoint))
    if (differing === undefined)
      return {
        account,
        others: others.map(({ endpoint }, index) => ({ endpoint, said: told[index] === null ? 'silent' : 'same' })),
      }
    const pauseMs = pausesMs[round]
    if (pauseMs === undefined) throw new EndpointsDisagree({ first: first.endpoint, other: differing.endpoint })
    await pause(pauseMs, signal)
    signal?.throwIfAborted()
  }
}

/** What an endpoint says, or null when it says nothing: whoever is silent or answers with garbage confirms nothing and denies nothing. */
async function contentOf(chain: Chain, address: Address): Promise<string | null> {
  return chain.account(address).then(contentIn, () => null)
}

const contentIn = ({ status, code, data }: AccountState): string =>
  [status, ...[code, data].map((cell) => cell?.hash().toString('hex') ?? 'none')].join(' ')

/** What is concluded from the contract may be wrong then, whichever of both is. */
export class EndpointsDisagree extends Failure<'endpoints-disagree'> {
  readonly dispute: Dispute

  constructor(dispute: Dispute) {
    const { first, other } = dispute
    super('endpoints-disagree', disputeText(dispute), {
      advice: 'One of them is wrong or lies. In the network file, name only endpoints that you trust.',
      retryable: true,
      values: { first, other },
    })
    this.name = 'EndpointsDisagree'
    this.dispute = dispute
  }
}

export const disputeText = ({ first, other }: Dispute): string =>
  `The endpoints ${first} and ${other} tell different things about the network contract.`

/** The endpoints that a reading comes from, each of which said the same; the one that it was read through is the first. */
export function agreedEndpoints({
  source,
}: {
  readonly source?: { readonly endpoint: string; readonly others?: readonly OtherReading[] }
}): string[] {
  if (source === undefined) return []
  return [source.endpoint, ...endpointsThat('same', source.others)]
}

export const endpointsThat = (said: OtherReading['said'], others: readonly OtherReading[] = []): string[] =>
  others.filter((one) => one.said === said).map(({ endpoint }) => endpoint)
