import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

const hashOf = (token: string): Buffer => createHash('sha256').update(token).digest()

/** What opens the page's connection, both halves: the browser keeps the cookie, the page the key, in the storage of its origin. */
export interface Session {
  /** The browser shows it to every web server on 127.0.0.1, whatever its port and whosever it is. */
  readonly cookie: string
  /** Only pages of this app's own port can read it. */
  readonly pageKey: string
}

interface Known {
  readonly cookie: Buffer
  readonly pageKey: Buffer
}

/**
 * Who may use the page: a one-time link is exchanged for a session. Only hashes are kept, so that a reader of
 * this process's memory dump or of a log finds nothing that opens the page.
 */
export class Sessions {
  readonly #links = new Set<string>()
  readonly #sessions: Known[] = []
  readonly #maxSessions = 20

  /** A fresh one-time token for a link; earlier unused ones stay valid. */
  newLinkToken(): string {
    const token = randomBytes(24).toString('base64url')
    this.#links.add(hashOf(token).toString('hex'))
    return token
  }

  /** Exchanges a link token for a session, once; null when it was used or never existed. */
  redeem(linkToken: string): Session | null {
    if (!this.#links.delete(hashOf(linkToken).toString('hex'))) return null
    const session = { cookie: randomBytes(32).toString('base64url'), pageKey: randomBytes(32).toString('base64url') }
    this.#sessions.push({ cookie: hashOf(session.cookie), pageKey: hashOf(session.pageKey) })
    if (this.#sessions.length > this.#maxSessions) this.#sessions.shift()
    return session
  }

  /** Whether the files of the page may be had: they hold nothing of the user. */
  knowsCookie(cookie: string): boolean {
    const hash = hashOf(cookie)
    return this.#sessions.some((known) => timingSafeEqual(known.cookie, hash))
  }

  /** Whether both halves are those of one session. */
  isOpen({ cookie, pageKey }: Session): boolean {
    const hashes = { cookie: hashOf(cookie), pageKey: hashOf(pageKey) }
    return this.#sessions.some(
      (known) => timingSafeEqual(known.cookie, hashes.cookie) && timingSafeEqual(known.pageKey, hashes.pageKey),
    )
  }
}
