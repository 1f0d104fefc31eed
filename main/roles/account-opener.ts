import { asError } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import type { Client } from '../client/client.ts'

/** Opens an account with every proxy that asks for one: the operator has agreed to that by naming an amount. */
export class AccountOpener {
  readonly #stopping = new AbortController()
  readonly #stopWatching: () => void
  #busy = false

  /** @param topUp nanoton put on each new account */
  constructor(client: Client, topUp: bigint, logger: Logger) {
    this.#stopWatching = client.state.onChange(({ connections }) => {
      if (this.#busy || !connections.some(({ phase }) => phase === 'needs-account')) return
      this.#busy = true
      client
        .openAccount({ topUp }, this.#stopping.signal)
        .catch((thrown: unknown) => {
          if (!this.#stopping.signal.aborted) logger.warn('no account was opened', { reason: asError(thrown).message })
        })
        .finally(() => {
          this.#busy = false
        })
    })
  }

  stop(): void {
    this.#stopping.abort()
    this.#stopWatching()
  }
}
