import { expect, it } from 'vitest'
import { type Case, runCases } from './case.ts'
import { clientCases } from './client-cases.ts'
import { commonCases } from './common-cases.ts'
import { exitCases } from './exit-cases.ts'
import { layoutCases } from './layout-cases.ts'
import { proxyCases } from './proxy-cases.ts'
import { requestCases } from './request-cases.ts'
import { rootCases } from './root-cases.ts'
import { ROWS, type RowId } from './rows.ts'
import { signedCases } from './signed-cases.ts'
import { unpaidCases } from './unpaid-cases.ts'
import { walletCases } from './wallet-cases.ts'
import { workerCases } from './worker-cases.ts'

// The layouts need no chain and are shown here; the others run in the test files beside this one and are only counted here.
runCases(layoutCases)

const all: readonly Case[] = [
  ...clientCases,
  ...commonCases,
  ...exitCases,
  ...layoutCases,
  ...proxyCases,
  ...requestCases,
  ...rootCases,
  ...signedCases,
  ...unpaidCases,
  ...walletCases,
  ...workerCases,
]
const rows = Object.keys(ROWS) as RowId[]

it.each(['accepts', 'refuses'] as const)('has an example of every row that it %s', (side) => {
  const shown = new Set(all.filter((one) => one.side === side).map((one) => one.row))
  const missing = rows.filter((row) => !shown.has(row) && ROWS[row].oneSided === undefined)
  expect(missing).toEqual([])
})

it('has an example of every danger of every row', () => {
  const missing = rows.flatMap((row) => {
    const shown = new Set(all.filter((one) => one.row === row).map((one) => one.hazard))
    return ROWS[row].hazards.filter((hazard) => !shown.has(hazard)).map((hazard) => `${row} ${hazard}`)
  })
  expect(missing).toEqual([])
})

it('has something to say where only one side can be shown', () => {
  for (const row of rows) {
    const sides = new Set(all.filter((one) => one.row === row).map((one) => one.side))
    if (ROWS[row].oneSided !== undefined) expect([row, sides.size]).toEqual([row, 1])
  }
})
