import { beginCell, toNano } from '@ton/core'
import type { Params } from './params.ts'

const stand = (n: number) => beginCell().storeUint(n, 8).endCell()

/** The params of protocol 60 §2's example, with three small cells where it has code that is not ours to have. For tests. */
export const EXAMPLE_PARAMS: Params = {
  structVersion: 3,
  paramsVersion: 1,
  uniqueId: 13,
  isTest: true,
  pricePerToken: 20n,
  workerFeePerToken: 15n,
  multipliers: { prompt: 10_000, cached: 1_000, completion: 80_000, reasoning: 80_000 },
  proxyDelaySec: 600,
  clientDelaySec: 300,
  minProxyStake: toNano('1'),
  minClientStake: toNano('15'),
  codes: { proxy: stand(1), worker: stand(2), client: stand(3) },
}
