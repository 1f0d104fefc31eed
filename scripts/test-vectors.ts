/**
 * `npm run test:vectors`: replays every golden file, then compares what ran with what the files hold, case by case. Fails when a case did
 * not run that is not excluded with a reason, when something ran that the files do not hold, and when an exclusion excludes nothing.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { casesOf, type VectorFile, vectorFiles } from '../main/protocol/testing/vector-cases.ts'
import { excluded, exclusions } from '../main/protocol/testing/vector-exclusions.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'cocoon-vectors-'))
const gathered = join(folder, 'runs.jsonl')

const tests = spawnSync(
  process.execPath,
  [join(root, 'node_modules/vitest/vitest.mjs'), 'run', 'vectors.test', ...process.argv.slice(2)],
  { cwd: root, stdio: 'inherit', env: { ...process.env, COCOON_VECTOR_RUNS: gathered } },
)

const runs = new Map<string, Set<string>>(vectorFiles.map((file) => [file, new Set()]))
const lines = existsSync(gathered) ? readFileSync(gathered, 'utf8').split('\n').filter(Boolean) : []
rmSync(folder, { recursive: true, force: true })
for (const line of lines) {
  const [file, name] = JSON.parse(line) as [string, string]
  runs.get(file)?.add(name)
}

const problems: string[] = []
const total = { held: 0, ran: 0, excluded: 0 }
const rows: string[][] = [['file', 'cases held', 'ran', 'excluded']]
for (const file of vectorFiles) {
  const { held, ran, left } = judge(file)
  rows.push([file, String(held), String(ran), String(left)])
  total.held += held
  total.ran += ran
  total.excluded += left
}
rows.push(['all', String(total.held), String(total.ran), String(total.excluded)])
const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
console.log(
  `\n${rows.map((row) => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  ')).join('\n')}`,
)
for (const { file, cases, why } of exclusions) {
  const names = casesOf(file).filter((name) => cases.test(name))
  console.log(`\nExcluded from ${file}: ${names.join(', ')}\n  ${why}`)
  if (names.length === 0) problems.push(`an exclusion of ${file} excludes nothing: ${cases}`)
}
if (tests.status !== 0) problems.push('tests failed')
for (const problem of problems) console.error(`\n${problem}`)
process.exit(problems.length > 0 ? 1 : 0)

function judge(file: VectorFile): { held: number; ran: number; left: number } {
  const held = new Set(casesOf(file))
  const ran = runs.get(file) ?? new Set()
  const left = [...held].filter((name) => excluded(file, name) !== undefined)
  const missing = [...held].filter((name) => !ran.has(name) && !left.includes(name))
  if (missing.length > 0)
    problems.push(`${file}: ${missing.length} of ${held.size} cases did not run, e.g. ${missing.slice(0, 5).join('; ')}`)
  const unknown = [...ran].filter((name) => !held.has(name))
  if (unknown.length > 0) problems.push(`${file}: cases ran that it does not hold, e.g. ${unknown.slice(0, 5).join('; ')}`)
  return { held: held.size, ran: [...ran].filter((name) => held.has(name)).length, left: left.length }
}
