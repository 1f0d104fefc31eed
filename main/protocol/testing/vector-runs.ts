import { appendFileSync } from 'node:fs'
import { casesOf, type VectorFile } from './vector-cases.ts'
import { excluded } from './vector-exclusions.ts'

/** Where `npm run test:vectors` gathers what ran in all test files. */
const gathered = process.env.COCOON_VECTOR_RUNS
const here = new Map<VectorFile, Set<string>>()

/** Says that a case of a golden file was replayed and agreed. Call it behind the last assertion of the case. */
export function ran(file: VectorFile, name: string): void {
  const names = here.get(file) ?? new Set()
  here.set(file, names)
  if (names.has(name)) return
  names.add(name)
  if (gathered !== undefined) appendFileSync(gathered, `${JSON.stringify([file, name])}\n`)
}

/** Cases of a file that did not run in this test file, but for the ones that are excluded. For the last test of a file. */
export function notRun(file: VectorFile, concerns: (name: string) => boolean = () => true): string[] {
  const names = here.get(file) ?? new Set()
  return casesOf(file).filter((name) => concerns(name) && !names.has(name) && excluded(file, name) === undefined)
}
