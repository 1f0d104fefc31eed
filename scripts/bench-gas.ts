/**
 * `npm run bench:gas`: gas, forward fees and size of every operation of every contract, against the committed table
 * (contracts/gas-table.json). Exits with 1 when an operation costs more than 3 % above it; `-- --update` writes it anew.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { type Cost, measure, rises, totalGas } from '../contracts/gas/measure.ts'
import { compareOlder } from '../contracts/gas/older-generation.ts'
import { MEASURED } from '../contracts/gas/operations.ts'
import { rememberTableEntries } from '../contracts/random/fast-table.ts'

const tablePath = new URL('../contracts/gas-table.json', import.meta.url)
const ton = (nano: number) => (nano / 1e9).toFixed(6)

rememberTableEntries()
const measured: Cost[] = []
for (const operation of MEASURED) measured.push(await measure(operation))

const rows = measured.map((cost) => [
  cost.operation,
  cost.gas.map(([name, gas]) => `${gas} ${name}`).join(', '),
  String(totalGas(cost)),
  ton(cost.forwardFees),
  ton(cost.fees),
  String(cost.messages),
  `${cost.cells}/${cost.bits}`,
])
const head = ['operation', 'gas by contract', 'gas', 'forward, TON', 'fees, TON', 'messages', 'cells/bits']
const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)))
for (const row of [head, ...rows])
  console.log(
    row
      .map((text, column) => text.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )

console.log(
  '\nThe older code of the golden data (proxy 532e7076, worker 657cb7ca, client 5d8a54e4), with data and messages of today:',
)
for (const { operation, comparable, why } of await compareOlder()) {
  console.log(`${operation}: ${comparable ? '' : 'not comparable, '}${why}`)
}

if (process.argv.includes('--update')) {
  writeFileSync(tablePath, `[\n${measured.map((cost) => `  ${JSON.stringify(cost)}`).join(',\n')}\n]\n`)
  console.log('\nThe table is written.')
} else {
  const found = rises(JSON.parse(readFileSync(tablePath, 'utf8')) as Cost[], measured)
  for (const { operation, what } of found) console.error(`${operation}: ${what}`)
  if (found.length > 0) process.exit(1)
  console.log('\nNothing costs more than 3 % above the table.')
}
