/**
 * `npm run test:mutations`: takes one check at a time out of the code, on its way into the tests, and proves that a named test fails without
 * it. The sources are never changed. `-- --only WORD` runs the mutations whose name holds the word.
 *
 * Each file in `scripts/mutations/lists` exports `mutations`: what is taken out, and which test must notice. The command fails when a
 * mutation does not apply to the code as it is, when its test does not exist or fails without the mutation, and when the test passes with it.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Mutation } from './mutations/mutation.ts'
import { runTests } from './mutations/run-tests.ts'

const root = new URL('..', import.meta.url)
const lists = new URL('./mutations/lists/', import.meta.url)
const { values } = parseArgs({ options: { only: { type: 'string', default: '' } } })

const mutations: Mutation[] = []
for (const file of readdirSync(lists).sort()) {
  const list = (await import(new URL(file, lists).href)) as { readonly mutations: readonly Mutation[] }
  mutations.push(...list.mutations.filter(({ name }) => name.includes(values.only)))
}
if (mutations.length === 0) {
  console.log(`no mutation is called ${values.only}`)
  process.exit(1)
}

const problems: string[] = []
const names = new Set<string>()
for (const { name, file, find } of mutations) {
  if (names.has(name)) problems.push(`${name}: there are two of that name`)
  names.add(name)
  const places = readFileSync(fileURLToPath(new URL(file, root)), 'utf8').split(find).length - 1
  if (places !== 1) problems.push(`${name}: its text stands ${places} times in ${file}`)
}
if (problems.length === 0) problems.push(...(await problemsWithoutMutations()))
let noticed = 0
if (problems.length === 0) await inTurns(mutations, availableParallelism())

for (const problem of problems) console.log(`✗ ${problem}`)
console.log(`\n${noticed} passed, ${problems.length} failed`)
process.exit(problems.length > 0 ? 1 : 0)

/** A test that fails anyway, or is not there, proves nothing. */
async function problemsWithoutMutations(): Promise<string[]> {
  const found: string[] = []
  for (const [testFile, all] of Map.groupBy(mutations, (one) => one.testFile)) {
    const { results } = await runTests(testFile, [...new Set(all.map(({ test }) => test))])
    for (const { name, test } of all) {
      const result = results.get(test)
      if (result !== 'passed') found.push(`${name}: without it, "${test}" ${result ?? 'is not there'}`)
    }
  }
  return found
}

async function inTurns(all: readonly Mutation[], lanes: number): Promise<void> {
  const left = all.values()
  const lane = async (): Promise<void> => {
    for (const mutation of left) {
      const problem = await problemOf(mutation)
      if (problem === undefined) {
        noticed++
        console.log(`✓ ${mutation.name}: noticed by "${mutation.test}"`)
      } else problems.push(`${mutation.name}: ${problem}`)
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
}

async function problemOf(mutation: Mutation): Promise<string | undefined> {
  const { results, applied, output } = await runTests(mutation.testFile, [mutation.test], mutation)
  const result = results.get(mutation.test)
  if (!applied) return `it reached no code of "${mutation.test}"`
  // A source that no longer loads would fail every test.
  if (result === undefined) return `"${mutation.test}" could not run: ${output.slice(0, 500)}`
  return result === 'failed' ? undefined : `"${mutation.test}" passes all the same`
}
