import { Cell, toNano } from '@ton/core'
import golden from '../vectors/contracts.json' with { type: 'json' }
import { costOf, totalGas } from './measure.ts'
import { MEASURED, type Measured } from './operations.ts'
import { GAS_PARAMS, Stage } from './stage.ts'

/** How the older code of the golden data does with an operation of today. */
export interface Older {
  readonly operation: string
  readonly comparable: boolean
  readonly why: string
}

const [variant] = golden.variants
if (variant === undefined) throw new Error('no golden data')
const PARAMS = {
  ...GAS_PARAMS,
  codes: {
    proxy: Cell.fromHex(variant.proxy_contract.code.boc_hex),
    worker: Cell.fromHex(variant.worker_contract.code.boc_hex),
    client: Cell.fromHex(variant.client_contract_owner_is_owner_address.code.boc_hex),
  },
}

/**
 * Sends today's messages to the older code with today's data. It counts as the same operation only if all of it succeeded
 * and the contracts' data still have their layout.
 */
export async function compareOlder(): Promise<Older[]> {
  const results: Older[] = []
  for (const name of ['client', 'proxy', 'worker'] as const) results.push(await empty(name))
  for (const measured of MEASURED) {
    if (/^(client|proxy|worker)/.test(measured.name)) results.push(await attempt(measured))
  }
  return results
}

/** A deployment without a word: the only thing that the generations certainly have in common. */
async function empty(name: 'client' | 'proxy' | 'worker'): Promise<Older> {
  const gas: number[] = []
  for (const params of [GAS_PARAMS, PARAMS]) {
    const stage = await Stage.create(params)
    gas.push(totalGas(costOf(name, await stage.send(stage.owner, stage[name], toNano('1'), Cell.EMPTY), stage)))
  }
  return { operation: `${name}: deployment without a word`, comparable: true, why: `gas ${gas[0]}, older ${gas[1]}` }
}

/** Today's operation, with everything before it: comparable if nothing of it is refused anywhere. */
async function attempt(measured: Measured): Promise<Older> {
  const stage = await Stage.create(PARAMS)
  await measured.before(stage)
  const prepared = stage.history.length
  const steps = await measured.run(stage)
  const index = stage.history.findIndex((step) => step.skipped === null && !step.success)
  const failed = stage.history[index]
  const { name } = measured
  if (failed === undefined) return { operation: name, comparable: true, why: `older gas ${totalGas(costOf(name, steps, stage))}` }
  const what = index < prepared ? 'what has to come before it' : 'it'
  const contract = stage.names.get(failed.parcel.to) ?? 'another contract'
  return { operation: name, comparable: false, why: `${what} stops with code ${failed.exitCode} in the ${contract} contract` }
}
