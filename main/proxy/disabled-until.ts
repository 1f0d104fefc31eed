import type { Database } from '../storage/database.ts'

/**
 * The operator's word that the proxy takes no queries until the network's version is above a number (50 §7). It outlives restarts; the
 * database is the proxy's own.
 */
export class DisabledUntil {
  readonly #db: Database
  #version: number | undefined

  constructor(db: Database) {
    this.#db = db
    db.prepare(
      'CREATE TABLE IF NOT EXISTS disabled_until (only INTEGER PRIMARY KEY CHECK (only = 0), version INTEGER NOT NULL) STRICT',
    ).run()
    this.#version = db.prepare<{ version: number }>('SELECT version FROM disabled_until').get()?.version
  }

  /** Undefined while the proxy takes part. */
  get version(): number | undefined {
    return this.#version
  }

  /** Durable when it returns. Throws `Failure` of the storage; nothing is changed then. */
  set(version: number | undefined): void {
    if (version === undefined) this.#db.prepare('DELETE FROM disabled_until').run()
    else
      this.#db
        .prepare('INSERT INTO disabled_until VALUES (0, ?) ON CONFLICT DO UPDATE SET version = excluded.version')
        .run(version)
    this.#version = version
  }

  /** Whether it holds at that version of the network. */
  holds(rootVersion: number): boolean {
    return this.#version !== undefined && rootVersion <= this.#version
  }
}
