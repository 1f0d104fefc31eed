import { type Address, Cell } from '@ton/core'
import { parseRootState } from '../../../contracts/root.ts'
import { Failure } from '../../base/failure.ts'
import { type OwnerWish, orderFor } from '../../network/owner-wish.ts'
import { addressText, differences, rootFacts } from '../../network/root-report.ts'
import { readRoot } from '../../ton/root-config.ts'
import { orderToRoot } from '../../ton/root-orders.ts'
import { carryOutStages, prepare, requirePossible } from './carry-out-plan.ts'
import { type Operator, printAll } from './operator.ts'
import { differenceLines, factLines } from './plan-text.ts'
import type { Signer } from './signer.ts'
import type { ToolChain } from './tool-chain.ts'

export interface OwnerOrderOptions {
  readonly root: Address
  readonly wish: OwnerWish
  readonly dryRun: boolean
}

/**
 * Carries out a wish of the network's owner: shows what changes and what it costs, asks, sends, and reads the contract back.
 * Resolves with true when the contract says what was wished, false when the operator said no or wanted to see the plan only.
 * @throws Failure that says what became of the money
 */
export async function carryOutWish(
  tool: ToolChain,
  signer: Signer,
  { root: address, wish, dryRun }: OwnerOrderOptions,
  operator: Operator,
): Promise<boolean> {
  const { chain } = tool
  const testOnly = chain.kind === 'testnet'
  const root = await readRoot(chain, address)
  const { code, data } = await chain.account(address)
  if (code === null || data === null)
    throw new Failure('root-absent', 'The network contract is gone.', { money: 'Nothing was sent.' })
  const order = orderFor(root, { code, data }, wish)
  if (order === null) {
    operator.print('The network contract says so already; nothing is left to send.')
    return true
  }
  if (!root.owner.equals(signer.payer.address))
    throw new Failure(
      'not-owner',
      `The network belongs to ${addressText(root.owner, testOnly)}, not to ${signer.payer.label} ${addressText(signer.payer.address, testOnly)}.`,
      {
        money: 'Nothing was sent.',
        advice: "Sign with the owner's wallet. A wallet has another address on each kind of network.",
      },
    )
  printAll(operator, [
    `${order.title} on ${tool.source}`,
    '',
    ...factLines([
      { label: 'Network contract', value: addressText(address, testOnly) },
      { label: 'Owner', value: `${signer.payer.label} ${addressText(root.owner, testOnly)}` },
      { label: 'Read through', value: chain.endpoint },
    ]),
    ...order.warnings.map((warning) => `\nNote: ${warning}`),
  ])
  const stage = { payer: signer.payer, orders: [orderToRoot(root, order.request, order.title)] }
  const prepared = await prepare(tool, signer, [stage], operator)
  const planned = await prepared.rehearsal.dataOf(address)
  const factsOf = (cell: Cell | null) => rootFacts(parseRootState(cell ?? Cell.EMPTY), { testOnly })
  const before = factsOf(data)
  requirePossible(prepared, signer.payer)
  const after = factsOf(planned)
  printAll(operator, ['', 'What changes', ...differenceLines(differences(before, after)), ''])
  if (dryRun) {
    operator.print('This was a dry run: nothing was sent.')
    return false
  }
  if (!(await agreed(operator, order.irreversible, wish, testOnly))) {
    operator.print('Nothing was sent.')
    return false
  }
  await carryOutStages(tool, signer, prepared.stages, operator)
  const now = rootFacts(await readRoot(chain, address), { testOnly })
  const differ = differences(after, now)
  if (differ.length > 0)
    throw new Failure(
      'not-as-planned',
      `The network contract does not say what was planned: ${differ.map(({ label }) => label).join(', ')}.`,
      {
        money: 'The message was carried out; its value returned, less the fees.',
        advice: 'Read it with "network show". Perhaps another message of the owner arrived at the same time.',
      },
    )
  printAll(operator, [`Read back from ${chain.endpoint}:`, ...differenceLines(differences(before, now))])
  return true
}

/** What cannot be taken back is asked for twice, the second time in a way that no habit answers. */
async function agreed(operator: Operator, irreversible: boolean, wish: OwnerWish, testOnly: boolean): Promise<boolean> {
  if (!(await operator.confirm('Type yes to send: '))) return false
  if (!irreversible || wish.kind !== 'change-owner') return true
  return operator.retype(
    'This cannot be taken back. Type the address of the new owner once more: ',
    addressText(wish.owner, testOnly),
  )
}
