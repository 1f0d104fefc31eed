import { z } from 'zod'
import { engineKey, engineName, mostEngines, serving } from '../../../preload/api/engines.ts'
import { id, timeMs } from '../../../preload/api/scalars.ts'
import { asError, Failure } from '../../base/failure.ts'
import type { Logger } from '../../base/logger.ts'
import { mostUrlLength } from '../../inference/engine-address.ts'
import type { SecretStore } from '../../wallet/secret-store.ts'

const engineRecord = z.object({
  id,
  name: engineName,
  url: z.url().max(mostUrlLength),
  key: engineKey.optional(),
  addedAtMs: timeMs,
})
export type EngineRecord = z.output<typeof engineRecord>

const contents = z.object({
  version: z.literal(1),
  engines: z.array(engineRecord).max(mostEngines),
  chosen: z.object({ id, model: z.string().max(300) }).nullable(),
  /** What the worker serves with in place of this app's engine. */
  serving: serving.nullable().default(null),
})
export type EngineBookContents = Omit<z.output<typeof contents>, 'version'>

/** Of the one secret that holds everything. */
const secretName = 'engines'

/**
 * Which external engines the user added, with their keys, which one chats use and which one serves. All of it lies sealed in the secret store: whoever could write it from
 * outside would name the address that keys and questions go to.
 */
export class EngineBook {
  readonly #secrets: Pick<SecretStore, 'put'>
  #now: EngineBookContents
  readonly #isReadable: boolean

  constructor(secrets: Pick<SecretStore, 'get' | 'put'>, logger: Logger) {
    this.#secrets = secrets
    const kept = read(secrets, logger)
    this.#isReadable = kept !== undefined
    this.#now = kept ?? none
  }

  get value(): EngineBookContents {
    return this.#now
  }

  /**
   * Durable when it returns.
   * @throws Failure `disk-full` or `write-failed`, `engines-unreadable` where engines and keys are kept that could not be read; the book is then as before
   */
  write(next: EngineBookContents): void {
    if (!this.#isReadable)
      throw new Failure('engines-unreadable', 'The list of engines could not be read, so it is not written over.', {
        advice: 'A newer version of the app may read it.',
      })
    // What could not be read again would be lost with the next start.
    const checked = contents.parse({ version: 1, ...next })
    this.#secrets.put(secretName, new TextEncoder().encode(JSON.stringify(checked)))
    this.#now = next
  }
}

const none: EngineBookContents = { engines: [], chosen: null, serving: null }

/** Undefined where something is kept that cannot be read. */
function read(secrets: Pick<SecretStore, 'get'>, logger: Logger): EngineBookContents | undefined {
  const kept = secrets.get(secretName)
  if (kept === undefined) return none
  try {
    const { version: _, ...book } = contents.parse(JSON.parse(new TextDecoder().decode(kept)))
    return book
  } catch (thrown) {
    // Of a newer version: nothing is sent to an engine that is not understood.
    logger.warn('the list of engines could not be read', { reason: asError(thrown).name })
    return undefined
  }
}
