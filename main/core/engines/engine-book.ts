import { existsSync, readFileSync, renameSync } from 'node:fs'
import { z } from 'zod'
import { engineName, mostEngines } from '../../../preload/api/engines.ts'
import { id, timeMs } from '../../../preload/api/scalars.ts'
import { writeFileAtomic } from '../../base/atomic-file.ts'
import { asError } from '../../base/failure.ts'
import type { Logger } from '../../base/logger.ts'

const engineRecord = z.object({ id, name: engineName, url: z.url().max(500), hasKey: z.boolean(), addedAtMs: timeMs })
export type EngineRecord = z.output<typeof engineRecord>

const contents = z.object({
  version: z.literal(1),
  engines: z.array(engineRecord).max(mostEngines),
  chosen: z.object({ id, model: z.string().max(300) }).nullable(),
})
export type EngineBookContents = Omit<z.output<typeof contents>, 'version'>

const empty: EngineBookContents = { engines: [], chosen: null }

/**
 * Which external engines the user added, as JSON in `path`. Their keys are not in it. A file that cannot be read is renamed, not deleted: nothing is
 * sent to an engine that is not listed.
 */
export class EngineBook {
  readonly #path: string
  #now: EngineBookContents

  constructor(path: string, logger: Logger) {
    this.#path = path
    this.#now = read(path, logger)
  }

  get value(): EngineBookContents {
    return this.#now
  }

  /** Durable when it returns. @throws Failure `disk-full` or `write-failed`; the book is then as before */
  write(next: EngineBookContents): void {
    writeFileAtomic(this.#path, `${JSON.stringify({ version: 1, ...next }, null, 2)}\n`)
    this.#now = next
  }
}

function read(path: string, logger: Logger): EngineBookContents {
  if (!existsSync(path)) return empty
  try {
    const { engines, chosen } = contents.parse(JSON.parse(readFileSync(path, 'utf8')))
    return { engines, chosen }
  } catch (thrown) {
    const aside = `${path}.unreadable-${new Date().toISOString().replaceAll(':', '-')}`
    renameSync(path, aside)
    logger.warn('the list of engines could not be read; it is empty now', { path, aside, reason: asError(thrown).name })
    return empty
  }
}
