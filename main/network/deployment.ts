import type { Address, Cell } from '@ton/core'
import { LayoutError } from '../../contracts/cells.ts'
import { contractCode } from '../../contracts/code.ts'
import { parseRootState, type RootState, rootData } from '../../contracts/root.ts'
import { Failure } from '../base/failure.ts'
import type { Chain } from '../ton/chain.ts'
import { type OtherReading, readAgreed } from '../ton/root-agreement.ts'
import { type RootConfig, readAgreedRoot } from '../ton/root-config.ts'
import { deployRoot } from '../ton/root-orders.ts'
import type { ChainNetwork } from './network-file.ts'
import type { Payer, Stage } from './rehearsal.ts'
import { type Difference, differences, type Fact, rootFacts } from './root-report.ts'
import { type NetworkTerms, rootSeed, termsFailure, warningsOf } from './terms.ts'

/** All that is decided before the first message goes out. */
export interface DeploymentPlan {
  readonly name: string
  readonly kind: ChainNetwork['kind']
  readonly root: Address
  /** First data of the network contract, and what they say. */
  readonly data: Cell
  readonly state: RootState
  readonly facts: readonly Fact[]
  readonly rootCodeHash: string
  /** Empty when the contract is on chain already. */
  readonly stages: readonly Stage[]
  /** What other endpoints said that were asked for the contract. */
  readonly others: readonly OtherReading[]
  /** What the owner has changed since; empty for a contract that is not there yet. */
  readonly changedSince: readonly Difference[]
  readonly warnings: readonly string[]
}

/**
 * Plans a network contract with everything in its first state. Where it is on chain already nothing is left to send.
 * @param others asked too whether the contract is there, and what it says
 * @throws Failure `terms-invalid`, `endpoints-disagree`, or of the chain; nothing is sent here.
 */
export async function planDeployment(
  chain: Chain,
  terms: NetworkTerms,
  payer: Payer,
  others: readonly Chain[] = [],
): Promise<DeploymentPlan> {
  const testOnly = chain.kind === 'testnet'
  const seed = rootSeed(terms, payer.address)
  const { deployed, data } = built(() => ({ deployed: deployRoot(seed, terms.reserve), data: rootData(seed) }))
  const state = parseRootState(data)
  const facts = rootFacts(state, { testOnly })
  const { account, others: told } = await readAgreed(chain, others, deployed.address)
  if (account.status === 'frozen')
    throw new Failure('root-frozen', 'TON has frozen the network contract because it owed storage fees.', {
      money: 'Nothing was sent.',
    })
  const present = account.status === 'active' ? (await readAgreedRoot(chain, deployed.address, others)).config : null
  const warnings = warningsOf(terms, chain.kind)
  if (terms.owner !== undefined && !terms.owner.address.equals(payer.address))
    warnings.push('The owner is another wallet than the one that pays: only that wallet can change the network afterwards.')
  return {
    name: terms.name,
    kind: chain.kind === 'local' ? 'local' : terms.isTest ? 'open' : 'attested',
    root: deployed.address,
    data,
    state,
    facts,
    rootCodeHash: contractCode.root.hash().toString('hex'),
    stages: present === null ? [{ payer, orders: [deployed.order] }] : [],
    others: told,
    changedSince: present === null ? [] : differences(facts, rootFacts(present, { testOnly })),
    warnings,
  }
}

/**
 * Reads the deployed contract and compares it with the plan, field by field.
 * @throws Failure `not-as-planned` naming what differs
 */
export async function confirmDeployment(chain: Chain, plan: DeploymentPlan, others: readonly Chain[] = []): Promise<RootConfig> {
  const { config: root } = await readAgreedRoot(chain, plan.root, others)
  const differ = differences(plan.facts, rootFacts(root, { testOnly: chain.kind === 'testnet' }))
  if (differ.length === 0) return root
  throw new Failure(
    'not-as-planned',
    `The network contract does not say what was planned: ${differ.map(({ label }) => label).join(', ')}.`,
    {
      money: 'The contract is deployed and keeps its reserve.',
      advice: 'Read it with "network show". If nobody but you could have changed it, do not use this network.',
    },
  )
}

function built<T>(build: () => T): T {
  try {
    return build()
  } catch (thrown) {
    if (thrown instanceof RangeError || thrown instanceof LayoutError) throw termsFailure(thrown)
    throw thrown
  }
}
