import { accessSync, constants, existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Transaction } from '@ton/core'
import { asError, Failure } from '../../base/failure.ts'
import { confirmDeployment, type DeploymentPlan, planDeployment } from '../../network/deployment.ts'
import { type ChainNetwork, readChainNetwork, writeNetworkFile } from '../../network/network-file.ts'
import { addressText } from '../../network/root-report.ts'
import type { NetworkTerms } from '../../network/terms.ts'
import { publicEndpoints } from '../../ton/api-key.ts'
import { beforeSending, readingFacts } from './agreed.ts'
import { afterMoney, afterTransactions, awaitSent, carryOutStages, prepare, requirePossible } from './carry-out-plan.ts'
import { isToBeSent, type Operator, printAll } from './operator.ts'
import { differenceLines, factLines } from './plan-text.ts'
import type { Signer } from './signer.ts'
import type { ToolChain } from './tool-chain.ts'

export interface DeployOptions {
  readonly terms: NetworkTerms
  /** Network file to write. */
  readonly out: string
  readonly dryRun: boolean
  /** Written into the file for testnet and mainnet. */
  readonly endpoints?: readonly string[]
}

/**
 * Deploys a network contract after showing everything and asking. What is on chain already is not sent again; then only the file is
 * written. Resolves with true when the network is there, false when the operator said no or wanted to see the plan only.
 * @throws Failure that says what became of the money
 */
export async function deployNetwork(
  tool: ToolChain,
  signer: Signer,
  options: DeployOptions,
  operator: Operator,
): Promise<boolean> {
  const { chain, others } = tool
  const { terms, out } = options
  const plan = await beforeSending(chain.kind, () => planDeployment(chain, terms, signer.payer, others))
  requireFree(out, plan)
  requireWritable(out)
  const testOnly = chain.kind === 'testnet'
  printAll(operator, [
    `Deploy the network "${plan.name}" (${plan.kind}) on ${tool.source}`,
    '',
    ...factLines([
      { label: 'Network contract', value: addressText(plan.root, testOnly) },
      { label: 'Its code', value: plan.rootCodeHash },
      { label: 'Paid by', value: `${signer.payer.label} ${addressText(signer.payer.address, testOnly)}` },
      ...readingFacts(chain.endpoint, plan.others),
      { label: 'Network file', value: out },
    ]),
    '',
    'Terms',
    ...factLines(plan.facts),
    ...plan.warnings.map((warning) => `\nNote: ${warning}`),
  ])
  if (plan.stages.length === 0) return alreadyThere(tool, plan, options, operator)

  const sent = await awaitSent(tool, signer, plan.stages, operator)
  const transactions = sent ?? (await sendAgreed(tool, signer, plan, options, operator))
  if (transactions === null) return false
  await afterMoney(`The contract ${addressText(plan.root, testOnly)} is deployed and keeps its reserve.`, async () => {
    await afterTransactions(chain, plan.root, transactions, () => confirmDeployment(chain, plan, others))
    operator.print(`On chain as planned: ${plan.facts.length} facts read back from ${chain.endpoint}.`)
    writeFile(tool, plan, options, operator)
  })
  operator.print(`The network "${plan.name}" is there: ${addressText(plan.root, testOnly)}`)
  return true
}

/** Rehearses, shows, asks and sends; null when the operator said no or wanted to see the plan only. */
async function sendAgreed(
  tool: ToolChain,
  signer: Signer,
  plan: DeploymentPlan,
  { dryRun }: DeployOptions,
  operator: Operator,
): Promise<Transaction[] | null> {
  const prepared = await prepare(tool, signer, plan.stages, operator)
  const planned = await prepared.rehearsal.dataOf(plan.root)
  requirePossible(prepared, signer.payer)
  if (planned === null || !planned.equals(plan.data))
    throw new Failure('not-as-planned', 'The rehearsal made another contract than the plan.', { money: 'Nothing was sent.' })
  operator.print('')
  if (!(await isToBeSent(operator, dryRun))) return null
  return carryOutStages(tool, signer, prepared.stages, operator)
}

function alreadyThere(tool: ToolChain, plan: DeploymentPlan, options: DeployOptions, operator: Operator): boolean {
  printAll(operator, ['', 'The network contract is on chain already; nothing is left to send.'])
  if (plan.changedSince.length > 0)
    printAll(operator, ['It was changed since it was deployed:', ...differenceLines(plan.changedSince)])
  if (options.dryRun) return false
  writeFile(tool, plan, options, operator)
  return true
}

/** Another network's file is not overwritten. */
function requireFree(out: string, plan: DeploymentPlan): void {
  if (!existsSync(out)) return
  if (readChainNetwork(out).root.equals(plan.root)) return
  throw new Failure('out-taken', `${out} belongs to another network.`, {
    money: 'Nothing was sent.',
    advice: 'Choose another file with --out. (The address of a network follows from its name, terms, owner and code.)',
  })
}

/** Found out before the money goes, not after. */
function requireWritable(out: string): void {
  try {
    accessSync(existsSync(out) ? out : dirname(resolve(out)), constants.W_OK)
  } catch (thrown) {
    throw new Failure('out-unwritable', `${out} cannot be written: ${asError(thrown).message}`, {
      money: 'Nothing was sent.',
      advice: 'Choose another place with --out.',
      cause: thrown,
    })
  }
}

function writeFile({ chain }: ToolChain, plan: DeploymentPlan, { out, endpoints }: DeployOptions, operator: Operator): void {
  if (existsSync(out)) return
  const network: ChainNetwork = {
    mode: 'chain',
    format: 'cocoon-network',
    version: 1,
    name: plan.name,
    kind: plan.kind,
    chain:
      chain.kind === 'local'
        ? { kind: 'local' }
        : { kind: chain.kind, endpoints: [...(endpoints ?? publicEndpoints[chain.kind])] },
    root: plan.root,
    createdAt: new Date().toISOString(),
  }
  writeNetworkFile(out, network)
  operator.print(`Wrote ${out}. The app opens it with: cocoon-desktop serve --network ${out}`)
}
