import { toNano } from '@ton/core'
import { expect, it } from 'vitest'
import { measure, rises } from './gas/measure.ts'
import { MAIN, MEASURED } from './gas/operations.ts'
import table from './gas-table.json' with { type: 'json' }
import { rememberTableEntries } from './random/fast-table.ts'

rememberTableEntries()

const costs = table as unknown as Parameters<typeof rises>[0]
/** In all, from file of figures by others about the deployed contracts, TON. */
const BELOW: Readonly<Record<(typeof MAIN)[number], string>> = {
  'client: top up': '0.012',
  'client: charge': '0.011',
  'worker: payout': '0.014',
}

// Gas is exact, so a rise is a change of the code. `npm run bench:gas -- --update` writes the table anew.
it('costs no more than the table says, and less than the deployed contracts are said to', async () => {
  const measured = []
  for (const operation of MEASURED) measured.push(await measure(operation))
  expect(rises(costs, measured)).toEqual([])
  expect(measured.map(({ operation }) => operation)).toEqual(costs.map(({ operation }) => operation))
  for (const name of MAIN) {
    const cost = measured.find(({ operation }) => operation === name)
    expect(cost?.fees, name).toBeLessThan(Number(toNano(BELOW[name])))
  }
})

it('notices a rise above 3 %, and a new operation', () => {
  const [first, second] = costs
  if (first === undefined || second === undefined) throw new Error('an empty table')
  const dearer = { ...first, fees: Math.ceil(first.fees * 1.031) }
  const heavier = { ...first, gas: first.gas.map(([name, gas]) => [name, Math.ceil(gas * 1.031)] as const) }
  expect(rises([first], [first])).toEqual([])
  expect(rises([first], [dearer])).toHaveLength(1)
  expect(rises([first], [heavier])).toHaveLength(1)
  expect(rises([second], [first])).toHaveLength(1)
})
