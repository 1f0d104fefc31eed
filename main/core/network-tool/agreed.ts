import { retold } from '../../base/failure.ts'
import type { Fact } from '../../network/root-report.ts'
import type { Chain } from '../../ton/chain.ts'
import { EndpointsDisagree, endpointsThat, type OtherReading } from '../../ton/root-agreement.ts'

/**
 * Work on the network contract before anything is sent.
 * @param kind where the contract is
 * @throws Failure `endpoints-disagree`, which says that nothing was; whatever else `work` throws
 */
export async function beforeSending<T>(kind: Chain['kind'], work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    if (!(thrown instanceof EndpointsDisagree)) throw thrown
    throw retold(thrown, { money: 'Nothing was sent.', advice: `${thrown.advice} ${askEach[kind]}` })
  }
}

const askOne = 'What each of them says shows "network show" with that one as the only --endpoint.'
/** On the local chain everything goes through the embedded one, and `--endpoint` only adds to it. */
const askEach: Readonly<Record<Chain['kind'], string>> = {
  local:
    'What the embedded chain says shows "network show <address> --on local" without --endpoint; each other one is asked only to confirm it.',
  testnet: askOne,
  mainnet: askOne,
}

/** Through whom the network contract was read, and what the others said that were asked beside. */
export function readingFacts(readThrough: string, others: readonly OtherReading[] = []): Pick<Fact, 'label' | 'value'>[] {
  const same = endpointsThat('same', others)
  const silent = endpointsThat('silent', others)
  return [
    { label: 'Read through', value: readThrough },
    ...(others.length === 0 ? [{ label: 'Also asked', value: 'nobody' }] : []),
    ...(same.length === 0 ? [] : [{ label: 'Said the same', value: same.join(', ') }]),
    ...(silent.length === 0 ? [] : [{ label: 'Did not answer', value: silent.join(', ') }]),
  ]
}
