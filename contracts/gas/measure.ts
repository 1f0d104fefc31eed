import type { Step } from '../random/ledger.ts'
import type { Measured } from './operations.ts'
import { Stage } from './stage.ts'

/** What one operation costs until nothing is on its way any more. Everything in nanoton but gas. */
export interface Cost {
  readonly operation: string
  /** Gas in order of execution; messages that found nothing to run with are left out. */
  readonly gas: readonly (readonly [contract: string, gas: number])[]
  /** What messages cost on their way, the first one apart: its sender pays that. */
  readonly forwardFees: number
  /** Gas and forward fees. Rent is no cost of an operation. */
  readonly fees: number
  readonly messages: number
  /** The account that the message went to, afterwards, as the chain counts it for rent. */
  readonly cells: number
  readonly bits: number
}

const GAS_PRICE = 400

/** Runs one operation on a stage of its own. Throws when the contract that was asked refuses it. */
export async function measure(measured: Measured): Promise<Cost> {
  const stage = await Stage.create(measured.params)
  await measured.before(stage)
  const steps = await measured.run(stage)
  const [first] = steps
  if (first === undefined || !first.success) throw new Error(`${measured.name} was refused with code ${first?.exitCode}`)
  return costOf(measured.name, steps, stage)
}

export function costOf(operation: string, steps: readonly Step[], stage: Stage): Cost {
  const ran = steps.filter((step) => step.skipped === null)
  const gas = ran.map((step) => [stage.names.get(step.parcel.to) ?? 'other', step.gas] as const)
  const fees = steps.reduce((sum, step) => sum + Number(step.fees - step.rent), 0)
  const gasFees = ran.reduce((sum, step) => sum + step.gas * GAS_PRICE, 0)
  const { cells = 0, bits = 0 } = steps[0]?.after.used ?? {}
  const messages = steps.reduce((sum, step) => sum + step.out.length, 0)
  return { operation, gas, forwardFees: fees - gasFees, fees, messages, cells, bits }
}

export interface Rise {
  readonly operation: string
  readonly what: string
}

const TOLERATED = 1.03

/** Where gas or fees of an operation are more than 3 % above the table, or an operation is missing on either side. */
export function rises(table: readonly Cost[], now: readonly Cost[]): Rise[] {
  const found: Rise[] = []
  const byName = new Map(table.map((cost) => [cost.operation, cost]))
  for (const cost of now) {
    const known = byName.get(cost.operation)
    if (known === undefined) {
      found.push({ operation: cost.operation, what: 'is not in the table' })
      continue
    }
    const [was, is] = [totalGas(known), totalGas(cost)]
    if (is > was * TOLERATED) found.push({ operation: cost.operation, what: `gas rose from ${was} to ${is}` })
    if (cost.fees > known.fees * TOLERATED)
      found.push({ operation: cost.operation, what: `fees rose from ${known.fees} to ${cost.fees}` })
  }
  return found
}

export function totalGas(cost: Cost): number {
  return cost.gas.reduce((sum, [, gas]) => sum + gas, 0)
}
