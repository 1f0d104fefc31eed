import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { FuzzTarget } from './target.ts'

/** An input that once broke something. */
export interface Regression {
  readonly hex: string
  /** What happened, and the seed that found it. */
  readonly found: string
}

const root = new URL('../../', import.meta.url)
const pathOf = ({ regressions }: FuzzTarget): string => fileURLToPath(new URL(regressions, root))

export function readRegressions(target: FuzzTarget): Regression[] {
  const path = pathOf(target)
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Regression[]) : []
}

/** Keeps an input beside the code of its target. */
export function addRegression(target: FuzzTarget, regression: Regression): void {
  const known = readRegressions(target)
  if (known.some(({ hex }) => hex === regression.hex)) return
  writeFileSync(pathOf(target), `${JSON.stringify([...known, regression], null, 2)}\n`)
}
