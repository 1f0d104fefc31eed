import { retold } from '../../base/failure.ts'
import type { Fact } from '../../network/root-report.ts'
import { EndpointsDisagree, endpointsThat, type OtherReading } from '../../ton/root-agreement.ts'

/**
 * Work on the network contract before anything is sent.
 * @throws Failure `endpoints-disagree`, which says that nothing was; whatever else `work` throws
 */
export async function beforeSending<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    if (!(thrown instanceof EndpointsDisagree)) throw thrown
    throw retold(thrown, { money: 'Nothing was sent.', advice: `${thrown.advice} ${askEach}` })
  }
}

const askEach = 'What each of them says shows "network show" with --endpoint.'

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
