import { asError } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import type { Database } from '../storage/database.ts'
import { addEnergy, type Energy, noEnergy } from './energy.ts'
import { quarterMs } from './quarter.ts'

interface Row {
  serving_ms: number
  measured_ms: number
  drawn_j: number
  rest_j: number
}

/** What answering requests took, by quarters of an hour as in the ledger. Written from time to time: a crash loses what came since. */
export interface EnergyBook {
  /** @param atMs Unix time */
  add(atMs: number, energy: Energy): void
  /** Of the quarters that begin at `sinceMs` or later. */
  since(sinceMs: number): Energy
  /** Writes down what waits. When the storage takes nothing now, it goes on waiting. */
  write(): void
}

/** @param database opened with `earningsMigrations` */
export function openEnergyBook(database: Database, logger: Logger): EnergyBook {
  const insert = database.prepare(
    `INSERT INTO energy (quarter, serving_ms, measured_ms, drawn_j, rest_j) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (quarter) DO UPDATE SET serving_ms = serving_ms + excluded.serving_ms, measured_ms = measured_ms + excluded.measured_ms,
       drawn_j = drawn_j + excluded.drawn_j, rest_j = rest_j + excluded.rest_j`,
  )
  const sums = database.prepare<Row>(
    `SELECT total(serving_ms) AS serving_ms, total(measured_ms) AS measured_ms, total(drawn_j) AS drawn_j, total(rest_j) AS rest_j
     FROM energy WHERE quarter >= ?`,
  )
  const waiting = new Map<number, Energy>()
  let jammed = false
  return {
    add: (atMs, energy) => {
      const quarter = Math.floor(atMs / quarterMs)
      waiting.set(quarter, addEnergy(waiting.get(quarter) ?? noEnergy, energy))
    },
    since: (sinceMs) => {
      const from = Math.ceil(sinceMs / quarterMs)
      const row = sums.get(from)
      const written = row
        ? { servingMs: row.serving_ms, measuredMs: row.measured_ms, drawnJ: row.drawn_j, restJ: row.rest_j }
        : noEnergy
      return [...waiting].filter(([quarter]) => quarter >= from).reduce((all, [, energy]) => addEnergy(all, energy), written)
    },
    write: () => {
      if (waiting.size === 0) return
      try {
        database.transaction(() => {
          for (const [quarter, { servingMs, measuredMs, drawnJ, restJ }] of waiting)
            insert.run(quarter, servingMs, measuredMs, drawnJ, restJ)
        })
        waiting.clear()
        jammed = false
      } catch (thrown) {
        // One line for each jam: a full disk takes no log either.
        if (!jammed) logger.warn('what answering took could not be written down', { reason: asError(thrown).message })
        jammed = true
      }
    },
  }
}
