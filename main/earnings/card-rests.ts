import { asError } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import type { Database } from '../storage/database.ts'

/** What each card draws at rest, W, by its name and place. */
export interface CardRests {
  get(card: string): number | undefined
  set(card: string, watt: number): void
}

/** Kept, so that a card that is never quiet long enough after a start is measured by what it was before. @param database opened with `earningsMigrations` */
export function openCardRests(database: Database, logger: Logger): CardRests {
  const rows = database.prepare<{ card: string; watt: number }>('SELECT card, watt FROM card_rest').all()
  const known = new Map(rows.map(({ card, watt }) => [card, watt]))
  const keep = database.prepare('INSERT OR REPLACE INTO card_rest (card, watt) VALUES (?, ?)')
  return {
    get: (card) => known.get(card),
    set: (card, watt) => {
      known.set(card, watt)
      try {
        keep.run(card, watt)
      } catch (thrown) {
        // It is known until the app ends, and seen again after the next start.
        logger.warn('what a card draws at rest could not be written down', { reason: asError(thrown).message })
      }
    },
  }
}
