import { closeSync, fdatasync, openSync } from 'node:fs'

/**
 * Brings what SQLite has written to a write-ahead log onto the disk, without holding up this thread as SQLite itself would: a sync takes some
 * milliseconds, on a busy disk far more.
 */
export class WalSync {
  readonly #path: string
  #file: number | undefined
  #running = 0
  #closed = false

  /** @param path of the database file */
  constructor(path: string) {
    this.#path = `${path}-wal`
  }

  /** Resolves when everything that was written before the call is durable. Rejects with the error of the disk: then nothing is certain. */
  async sync(): Promise<void> {
    // One descriptor for all of them: an error of the disk is told to those that were open when it happened. Windows syncs only what may be written.
    this.#file ??= openSync(this.#path, 'r+')
    const file = this.#file
    this.#running++
    try {
      await new Promise<void>((resolve, reject) => fdatasync(file, (error) => (error ? reject(error) : resolve())))
    } finally {
      this.#running--
      if (this.#closed) this.#release()
    }
  }

  /** Call it with the end of the database; what runs is waited for. */
  close(): void {
    this.#closed = true
    this.#release()
  }

  #release(): void {
    if (this.#running > 0 || this.#file === undefined) return
    closeSync(this.#file)
    this.#file = undefined
  }
}
