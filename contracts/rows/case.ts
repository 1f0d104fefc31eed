import { describe, it } from 'vitest'
import { type Hazard, ROWS, type RowId } from './rows.ts'

/** One example of a row of the protocol's tables: something that works, or something that is refused. */
export interface Case {
  readonly row: RowId
  readonly side: 'accepts' | 'refuses'
  readonly name: string
  /** The danger that it looks at, when the row lists it. */
  readonly hazard?: Hazard
  readonly run: () => Promise<void> | void
}

export function accepts(row: RowId, name: string, run: Case['run'], hazard?: Hazard): Case {
  return { row, side: 'accepts', name, run, ...(hazard === undefined ? {} : { hazard }) }
}

export function refuses(row: RowId, name: string, run: Case['run'], hazard?: Hazard): Case {
  return { row, side: 'refuses', name, run, ...(hazard === undefined ? {} : { hazard }) }
}

/** Registers cases as tests, grouped by row. */
export function runCases(cases: readonly Case[]): void {
  for (const row of new Set(cases.map((one) => one.row))) {
    describe(`${row}: ${ROWS[row].text}`, () => {
      for (const { side, name, run, ...one } of cases) if (one.row === row) it(`${side}: ${name}`, run)
    })
  }
}
