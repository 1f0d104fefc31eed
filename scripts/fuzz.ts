/**
 * `npm run fuzz -- --seconds 60 [--inputs N] [--seed S] [--target NAME …]`: gives everything that reads what strangers send spoiled inputs, and
 * looks for errors that are no refusals, hangs, and memory that grows. What breaks something is printed and kept beside the code as a
 * regression, which `npm test` tries from then on.
 */
import { cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { addRegression } from './fuzz/regressions.ts'
import { runFuzz } from './fuzz/run-fuzz.ts'
import { fuzzTargets } from './fuzz/targets.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    inputs: { type: 'string', default: '0' },
    seed: { type: 'string' },
    target: { type: 'string', multiple: true },
  },
})
const known = fuzzTargets.map(({ name }) => name)
const names = values.target ?? known
const unknown = names.filter((name) => !known.includes(name))
const [seconds, inputs] = [Number(values.seconds), Number(values.inputs)]
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed)
if (unknown.length > 0 || !(seconds > 0) || !(inputs >= 0) || !Number.isInteger(seed)) {
  console.error(`npm run fuzz -- --seconds N [--inputs N] [--seed N] [--target ${known.join('|')}]`)
  process.exit(2)
}

console.log(`Seed ${seed}; ${names.join(', ')}; load ${loadavg()[0]?.toFixed(1)} on ${cpus().length} cores`)
const result = await runFuzz({
  targets: new URL('./fuzz/targets.ts', import.meta.url),
  names,
  seed,
  seconds,
  inputs,
  onProgress: (count) => console.log(`${count.toLocaleString('en').padStart(29)} inputs`),
  onFinding: ({ target: name, what, hex }) => {
    console.error(`\n${name} (seed ${seed}): ${what}\ninput ${hex}`)
    const target = fuzzTargets.find((one) => one.name === name)
    if (target !== undefined && hex !== '') addRegression(target, { hex, found: `seed ${seed}: ${what.split('\n')[0]}` })
  },
})
const total = Object.values(result.inputs).reduce((sum, count) => sum + count, 0)
for (const [name, count] of Object.entries(result.inputs))
  console.log(`${name.padEnd(16)} ${count.toLocaleString('en').padStart(12)}`)
console.log(
  `${'all'.padEnd(16)} ${total.toLocaleString('en').padStart(12)} inputs in ${(result.tookMs / 1000).toFixed(0)} s, ` +
    `${Math.round(total / (result.tookMs / 1000)).toLocaleString('en')} a second; ` +
    `memory ${result.grewBytes >= 0 ? '+' : ''}${(result.grewBytes / 2 ** 20).toFixed(1)} MiB; ${result.findings.length} findings`,
)
process.exit(result.findings.length > 0 ? 1 : 0)
