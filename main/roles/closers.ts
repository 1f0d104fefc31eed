import { asError } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'

type Close = () => Promise<unknown> | unknown

/** What has been opened, closed in the opposite order: at the end, or when a later step of the start fails. */
export class Closers {
  readonly #logger: Logger
  readonly #waitedFor: Close[] = []
  readonly #open: Close[] = []
  #givenUp: Promise<unknown> = Promise.resolve()

  constructor(logger: Logger) {
    this.#logger = logger
  }

  add(close: Close): void {
    this.#open.push(close)
  }

  /** What other parts wait for, and would hold up the end by: it is given up before they are closed, and when a start is given up. */
  addWaitedFor(close: Close): void {
    this.#waitedFor.push(close)
  }

  /** Closes everything; one part that cannot be closed does not keep the others open. */
  async close(): Promise<void> {
    this.#giveUp()
    for (const close of this.#open.splice(0).reverse()) await this.#inOrder(close)
    await this.#givenUp
  }

  /** Runs a start, which `signal` gives up; when it throws, what it had opened is closed again. */
  async during<T>(signal: AbortSignal, start: () => Promise<T>): Promise<T> {
    const giveUp = (): void => this.#giveUp()
    signal.addEventListener('abort', giveUp)
    try {
      return await start()
    } catch (thrown) {
      await this.close()
      throw thrown
    } finally {
      signal.removeEventListener('abort', giveUp)
    }
  }

  /** All are begun at once. A start may have been given up before: what that began is waited for, too. */
  #giveUp(): void {
    const begun = this.#waitedFor.splice(0).map((close) => this.#inOrder(close))
    this.#givenUp = Promise.all([this.#givenUp, ...begun])
  }

  async #inOrder(close: Close): Promise<void> {
    try {
      await close()
    } catch (thrown) {
      this.#logger.error('a part could not be closed in order', { reason: asError(thrown).message })
    }
  }
}
