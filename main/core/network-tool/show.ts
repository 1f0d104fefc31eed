import type { Address } from '@ton/core'
import { amountText } from '../../network/quantities.ts'
import { addressText, rootFacts } from '../../network/root-report.ts'
import { readRoot } from '../../ton/root-config.ts'
import { type Operator, printAll } from './operator.ts'
import { factLines } from './plan-text.ts'
import type { ToolChain } from './tool-chain.ts'

/** Prints all that the network contract says, and who told it. Throws Failure of `readRoot`. */
export async function showNetwork({ chain, source }: ToolChain, address: Address, operator: Operator): Promise<void> {
  const testOnly = chain.kind === 'testnet'
  const root = await readRoot(chain, address)
  const { balance, code } = await chain.account(address)
  printAll(operator, [
    ...factLines([
      { label: 'Network contract', value: addressText(address, testOnly) },
      { label: 'Its balance', value: amountText(balance) },
      { label: 'Its code', value: code?.hash().toString('hex') ?? 'none' },
      { label: 'Read through', value: `${chain.endpoint} (${source})` },
      { label: 'Read at', value: new Date(root.readAtMs).toISOString() },
    ]),
    '',
    ...factLines(rootFacts(root, { testOnly })),
    ...(root.proxies.length === 0 ? ['\n  No proxy is listed: nobody can connect.'] : []),
  ])
}
