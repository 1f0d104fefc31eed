import { createHash } from 'node:crypto'
import { type Address, toNano } from '@ton/core'
import { z } from 'zod'
import { contractCode } from '../../contracts/code.ts'
import type { RootSeed } from '../../contracts/root.ts'
import { asError, Failure } from '../base/failure.ts'
import type { Chain } from '../ton/chain.ts'
import { rootReserve } from '../ton/root-orders.ts'
import { parseBy } from './json-file.ts'
import { networkName } from './network-file.ts'
import { amount, duration, factor } from './quantities.ts'
import { flagFault, hash256, modelName, ownerAddress, proxyEntry } from './scalars.ts'

/** What fits into one message together with the code, with room. More can be added afterwards. */
const mostListed = 200

/** A proxy commits to the chain within 30 to 60 s after a count has changed (protocol 50 §5). */
const longestCommitDelaySec = 60
/** nanoton */
const leastReserve = toNano('0.1')

const u32 = z.number().int().min(0).max(0xffff_ffff)
const listed = <T extends z.ZodType>(item: T) => z.array(item).max(mostListed).default([])

/** The operator's own words: `deploy.json`, with the command line's options over it. */
const deployConfig = z.strictObject({
  name: networkName,
  owner: ownerAddress.optional(),
  structVersion: z.number().int().min(0).max(5).default(3),
  uniqueId: u32.optional(),
  isTest: z.boolean(),
  price: amount,
  workerFee: amount,
  multipliers: z
    .strictObject({ prompt: factor, cached: factor, completion: factor, reasoning: factor })
    .default({ prompt: 10_000, cached: 1000, completion: 80_000, reasoning: 80_000 }),
  proxyDelay: duration,
  clientDelay: duration,
  minProxyStake: amount,
  minClientStake: amount,
  proxyHashes: listed(hash256),
  workerHashes: listed(hash256),
  modelHashes: listed(hash256),
  models: listed(modelName),
  proxies: listed(proxyEntry),
  reserve: amount.default(rootReserve),
})

/** What an operator decides about a new network. */
export type NetworkTerms = z.infer<typeof deployConfig>

/** With test coins nothing is at stake, so nothing has to be decided. The values are those of the local network. */
const practiceTerms = {
  isTest: true,
  price: '200000 nano',
  workerFee: '150000 nano',
  proxyDelay: '60 s',
  clientDelay: '30 s',
  minProxyStake: '1 TON',
  minClientStake: '5 TON',
}

/**
 * Reads the terms of a new network. On a chain with real coins every price, stake, delay and `isTest` has to be written down; the local
 * chain has values of its own for what is left out.
 * @throws Failure `file-malformed` with one sentence a fault, or `terms-invalid`
 */
export function readTerms(config: Readonly<Record<string, unknown>>, chain: Chain['kind']): NetworkTerms {
  const terms = parseBy(
    deployConfig,
    { ...(chain === 'local' ? practiceTerms : {}), ...config },
    'The description of the network',
  )
  const fault = (message: string): Failure =>
    new Failure('terms-invalid', `The description of the network does not add up: ${message}`)
  if (terms.price === 0n) throw fault('a price of 0 leaves nothing to count in.')
  if (terms.workerFee > terms.price) throw fault('workers would receive more than clients pay.')
  const misplaced = terms.owner && flagFault(terms.owner.testOnly, chain)
  if (misplaced !== undefined) throw fault(`the owner ${misplaced}.`)
  return terms
}

/** First state of the network contract. Throws Failure `terms-invalid` for a value that its struct version cannot hold. */
export function rootSeed(terms: NetworkTerms, payer: Address): RootSeed {
  const named = createHash('sha256').update(terms.name).digest().readUInt32BE()
  const seed: RootSeed = {
    owner: terms.owner?.address ?? payer,
    params: {
      structVersion: terms.structVersion,
      paramsVersion: 1,
      // The same name, terms and owner are the same network: a deployment that was interrupted finds its contract again.
      uniqueId: terms.uniqueId ?? named,
      isTest: terms.isTest,
      pricePerToken: terms.price,
      workerFeePerToken: terms.workerFee,
      multipliers: terms.multipliers,
      proxyDelaySec: terms.proxyDelay,
      clientDelaySec: terms.clientDelay,
      minProxyStake: terms.minProxyStake,
      minClientStake: terms.minClientStake,
      codes: { proxy: contractCode.proxy, worker: contractCode.worker, client: contractCode.client },
    },
    proxies: terms.proxies.map((endpoints, index) => ({ seqno: index + 1, ...endpoints })),
    proxyHashes: terms.proxyHashes,
    workerHashes: terms.workerHashes,
    modelHashes: [...terms.modelHashes, ...terms.models.map(modelHash)],
  }
  return seed
}

/** SHA-256 of a full model name, as the network contract lists it. */
export function modelHash(fullName: string): Uint8Array {
  return new Uint8Array(createHash('sha256').update(fullName).digest())
}

/** What an operator should know before the money goes out; none of it forbids the deployment. */
export function warningsOf(terms: NetworkTerms, chain: Chain['kind']): string[] {
  const warnings: string[] = []
  if (terms.minClientStake === 0n)
    warnings.push('With a client stake of 0 no client gets credit: proxies serve at most what the stake of a client covers.')
  if (terms.minProxyStake === 0n)
    warnings.push(
      'With a proxy stake of 0 a forced refund pays nothing in its first 30 days; only after them it pays all that is left.',
    )
  if (chain !== 'local' && terms.clientDelay < longestCommitDelaySec)
    warnings.push(
      `Clients can take their money back ${terms.clientDelay} s after they ask, but proxies put their counts on chain up to ${longestCommitDelaySec} s later: what was just used may stay unpaid.`,
    )
  if (terms.reserve < leastReserve)
    warnings.push(
      'The reserve is small: the deployment itself takes about 0.03 TON of it, and the rest has to pay the storage rent.',
    )
  if (terms.workerFee === terms.price) warnings.push('Workers receive the whole price; proxies earn nothing.')
  if (!terms.isTest && (terms.proxyHashes.length === 0 || terms.workerHashes.length === 0))
    warnings.push('An attested network without image hashes: nobody can serve in it before hashes are added.')
  if (terms.proxies.length === 0) warnings.push('No proxy is listed yet: nobody can connect before one is registered.')
  return warnings
}

/** What was thrown by a builder of cells, as a failure that names the field. */
export function termsFailure(thrown: unknown): Failure {
  if (thrown instanceof Failure) return thrown
  return new Failure('terms-invalid', `The network contract cannot hold these terms: ${asError(thrown).message}.`, {
    cause: thrown,
  })
}
