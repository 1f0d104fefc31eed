import { asError } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'

/** What has been opened, closed in the opposite order: at the end, or when a later step of the start fails. */
export class Closers {
  readonly #logger: Logger
  readonly #open: Array<() => Promise<unknown> | unknown> = []

  constructor(logger: Logger) {
    this.#logger = logger
  }

  add(close: () => Promise<unknown> | unknown): void {
    this.#open.push(close)
  }

  /** Closes everything; one part that cannot be closed does not keep the others open. */
  async close(): Promise<void> {
    for (const close of this.#open.splice(0).reverse()) {
      try {
        await close()
      } catch (thrown) {
        this.#logger.error('a part could not be closed in order', { reason: asError(thrown).message })
      }
    }
  }

  /** Runs a start; when it throws, what it had opened is closed again. */
  async during<T>(start: () => Promise<T>): Promise<T> {
    try {
      return await start()
    } catch (thrown) {
      await this.close()
      throw thrown
    }
  }
}
