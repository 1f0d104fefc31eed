import type { Address } from '@ton/core'
import { amountText } from '../../network/quantities.ts'
import { addressText, rootFacts } from '../../network/root-report.ts'
import { readAgreedRoot } from '../../ton/root-config.ts'
import { beforeSending, readingFacts } from './agreed.ts'
import { type Operator, printAll } from './operator.ts'
import { factLines } from './plan-text.ts'
import type { ToolChain } from './tool-chain.ts'

/** Prints all that the network contract says, who told it, and whether all who were asked said so. Throws Failure of `readAgreedRoot`. */
export async function showNetwork({ chain, others, source }: ToolChain, address: Address, operator: Operator): Promise<void> {
  const testOnly = chain.kind === 'testnet'
  const {
    config: root,
    account: { balance, code },
  } = await beforeSending(chain.kind, () => readAgreedRoot(chain, address, others))
  printAll(operator, [
    ...factLines([
      { label: 'Network contract', value: addressText(address, testOnly) },
      { label: 'Its balance', value: amountText(balance) },
      { label: 'Its code', value: code?.hash().toString('hex') ?? 'none' },
      ...readingFacts(`${chain.endpoint} (${source})`, root.source?.others),
      { label: 'Read at', value: new Date(root.readAtMs).toISOString() },
    ]),
    '',
    ...factLines(rootFacts(root, { testOnly })),
    ...(root.proxies.length === 0 ? ['\n  No proxy is listed: nobody can connect.'] : []),
  ])
}
