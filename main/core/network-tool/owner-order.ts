import { type Address, Cell, type Transaction } from '@ton/core'
import { parseRootState } from '../../../contracts/root.ts'
import { Failure } from '../../base/failure.ts'
import { type OwnerOrder, type OwnerWish, orderFor, type RootAccount } from '../../network/owner-wish.ts'
import type { Stage } from '../../network/rehearsal.ts'
import { addressText, differences, type Fact, rootFacts } from '../../network/root-report.ts'
import { type RootConfig, readAgreedRoot } from '../../ton/root-config.ts'
import { orderToRoot } from '../../ton/root-orders.ts'
import { beforeSending, readingFacts } from './agreed.ts'
import { afterMoney, afterTransactions, awaitSent, carryOutStages, prepare, requirePossible } from './carry-out-plan.ts'
import { isToBeSent, type Operator, printAll } from './operator.ts'
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
  const { root, account } = await beforeSending(tool.chain.kind, () => readContract(tool, address))
  const order = orderFor(root, account, wish)
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
      ...readingFacts(chain.endpoint, root.source?.others),
    ]),
    ...order.warnings.map((warning) => `\nNote: ${warning}`),
  ])
  const stage = { payer: signer.payer, orders: [orderToRoot(root, order.request, order.title)] }
  const before = rootFacts(root, { testOnly })
  const sent = await awaitSent(tool, signer, [stage], operator)
  const transactions =
    sent ?? (await sendAgreed({ tool, signer, stage, data: account.data, before, order, wish, dryRun, address, operator }))
  if (transactions === null) return false
  return afterMoney('The message was carried out; its value returned, less the fees.', async () => {
    const { root: now, account: present } = await afterTransactions(chain, address, transactions, () =>
      readContract(tool, address),
    )
    if (orderFor(now, present, wish) !== null)
      throw new Failure('not-as-planned', 'The network contract does not say what was wished.', {
        advice: 'Read it with "network show". Perhaps another message of the owner arrived at the same time.',
      })
    printAll(operator, [
      `Read back from ${chain.endpoint}:`,
      ...differenceLines(differences(before, rootFacts(now, { testOnly }))),
    ])
    return true
  })
}

interface Agreement extends Pick<OwnerOrderOptions, 'wish' | 'dryRun'> {
  readonly tool: ToolChain
  readonly signer: Signer
  readonly stage: Stage
  readonly address: Address
  /** Of the network contract, as the order was made from. */
  readonly data: Cell
  readonly before: readonly Fact[]
  readonly order: OwnerOrder
  readonly operator: Operator
}

/** Rehearses, shows, asks and sends; null when the operator said no or wanted to see the plan only. */
async function sendAgreed(agreement: Agreement): Promise<Transaction[] | null> {
  const { tool, signer, stage, address, data, before, order, wish, dryRun, operator } = agreement
  const testOnly = tool.chain.kind === 'testnet'
  const prepared = await prepare(tool, signer, [stage], operator)
  const planned = await prepared.rehearsal.dataOf(address)
  requirePossible(prepared, signer.payer)
  const after = rootFacts(parseRootState(planned ?? Cell.EMPTY), { testOnly })
  printAll(operator, ['', 'What changes', ...differenceLines(differences(before, after)), ''])
  if (!(await isToBeSent(operator, dryRun, () => agreed(operator, order.irreversible, wish, testOnly)))) return null
  return carryOutStages(tool, signer, prepared.stages, operator, () => requireUnchanged(tool, address, data))
}

/** The order may carry much of what the contract said when it was read; what happened since would be taken back. */
async function requireUnchanged(tool: ToolChain, address: Address, data: Cell): Promise<void> {
  if ((await beforeSending(tool.chain.kind, () => readContract(tool, address))).account.data.equals(data)) return
  throw new Failure('root-changed', 'The network contract was changed while this command waited.', {
    money: 'Nothing was sent.',
    advice: 'Run the command again: it starts from the contract as it is now.',
    retryable: true,
  })
}

/** As all endpoints tell it that were asked. Throws Failure as `readAgreedRoot`. */
async function readContract(
  { chain, others }: ToolChain,
  address: Address,
): Promise<{ readonly root: RootConfig; readonly account: RootAccount }> {
  const { config: root, account } = await readAgreedRoot(chain, address, others)
  const { code, data } = account
  if (code !== null && data !== null) return { root, account: { code, data } }
  throw new Failure('root-absent', 'The network contract is gone.', { money: 'Nothing was sent.' })
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
