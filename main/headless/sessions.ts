import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

const hashOf = (token: string): Buffer => createHash('sha256').update(token).digest()

/**
 * Who may use the page: a one-time link is exchanged for a session cookie. Only hashes are kept, so that a reader of
 * this process's memory dump or of a log finds nothing that opens the page.
 */
export class Sessions {
  readonly #links = new Set<string>()
  readonly #sessions: Buffer[] = []
  readonly #maxSessions = 20

  /** A fresh one-time token for a link; earlier unused ones stay valid. */
  newLinkToken(): string {
    const token = randomBytes(24).toString('base64url')
    this.#links.add(hashOf(token).toString('hex'))
    return token
  }

  /** Exchanges a link token for a session token, once; null when it was used or never existed. */
  redeem(linkToken: string): string | null {
    if (!this.#links.delete(hashOf(linkToken).toString('hex'))) return null
    const session = randomBytes(32).toString('base64url')
    this.#sessions.push(hashOf(session))
    if (this.#sessions.length > this.#maxSessions) this.#sessions.shift()
    return session
  }

  isOpen(sessionToken: string): boolean {
    const hash = hashOf(sessionToken)
    return this.#sessions.some((known) => timingSafeEqual(known, hash))
  }
}
