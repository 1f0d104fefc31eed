import { asError } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import type { Identity } from '../protocol/attestation/certificate.ts'
import type { Policy } from '../protocol/attestation/policy.ts'
import { StandingQuotes } from '../protocol/attestation/standing-quotes.ts'
import type { Doorway } from '../protocol/wire/doorway.ts'
import { openForwardPort } from './forward-port.ts'
import { policyNamed } from './policies.ts'
import { type RouterLimits, type RouterPort, usualRouterLimits } from './router-config.ts'
import { openSocksPort } from './socks-port.ts'

export interface RouterOptions {
  readonly ports: readonly RouterPort[]
  readonly policies: ReadonlyMap<string, Policy>
  /** Whether runners may name a policy as a SOCKS user. */
  readonly policyFromUserName?: boolean
  /** Leading zero bits that peers who come in must work for; 20 (10 §5). */
  readonly difficulty?: number
  /** Interface of the ports in; all of them, unless given. */
  readonly host?: string
  /** Makes a fresh certificate: at the start, then every hour. */
  readonly makeIdentity: () => Promise<Identity>
  readonly powThreadUrl?: URL
  readonly limits?: Partial<RouterLimits>
  readonly logger: Logger
  /** Unix ms, for the dates of certificates. */
  readonly now?: () => number
}

/** A port that is open. */
export interface OpenRouterPort {
  readonly kind: RouterPort['kind']
  /** The real one, when 0 was asked for. */
  readonly port: number
  readonly connections: number
  readonly handshakes: number
}

interface Opened {
  readonly kind: RouterPort['kind']
  readonly door: Doorway
  readonly renew: (identity: Identity) => void
}

/** Certificates live a day and are renewed hourly (10 §7.1). */
const renewMs = 3_600_000
const loopback = '127.0.0.1'

/**
 * A router (10 §6): does proof of work, TLS and the check of peers for runners on this computer, which speak plain frames with it and
 * learn from it who the peer is.
 */
export class Router {
  readonly #options: RouterOptions
  #ports: Opened[] = []
  #identity: Identity | undefined
  #renewal: NodeJS.Timeout | undefined
  readonly #standing = new StandingQuotes()

  constructor(options: RouterOptions) {
    this.#options = options
  }

  get ports(): readonly OpenRouterPort[] {
    return this.#ports.map(({ kind, door }) => ({
      kind,
      port: door.port,
      connections: door.guestCount,
      handshakes: door.handshakeCount,
    }))
  }

  /**
   * Opens all ports, or none.
   * @throws WireError `listen-failed`; Failure `unknown-policy`
   */
  async start(): Promise<void> {
    if (this.#identity !== undefined) throw new TypeError('the router was started before')
    const identity = await this.#options.makeIdentity()
    this.#identity = identity
    try {
      for (const port of this.#options.ports) this.#ports.push(await this.#open(port, identity))
    } catch (error) {
      await this.stop()
      throw error
    }
    this.#renewal = setInterval(() => void this.renew(), renewMs)
    this.#renewal.unref()
  }

  /** Closes all ports and connections. */
  async stop(): Promise<void> {
    clearInterval(this.#renewal)
    const doors = this.#ports.map(({ door }) => door)
    this.#ports = []
    await Promise.all(doors.map((door) => door.close()))
  }

  /** Shows a fresh certificate to new peers, and leaves peers whose quote holds no more; happens every hour by itself. */
  async renew(): Promise<void> {
    void this.#standing.look()
    try {
      const fresh = await this.#options.makeIdentity()
      this.#identity = fresh
      for (const port of this.#ports) port.renew(fresh)
    } catch (thrown) {
      this.#options.logger.error('the certificate was not renewed', { error: asError(thrown).message })
    }
  }

  async #open(port: RouterPort, identity: Identity): Promise<Opened> {
    const { policies, policyFromUserName = false, difficulty = 20, host = '0.0.0.0', logger, now, powThreadUrl } = this.#options
    const policy = policyNamed(policies, port.policy)
    const common = {
      ...usualRouterLimits,
      ...this.#options.limits,
      port: port.port,
      standing: this.#standing,
      logger,
      ...(now && { now }),
    }
    if (port.kind === 'forward') {
      const door = await openForwardPort({ ...common, host, target: port.target, policy, difficulty, identity })
      return { kind: port.kind, door, renew: (fresh) => door.renewIdentity(fresh) }
    }
    const door = await openSocksPort({
      ...common,
      host: loopback,
      policies,
      defaultPolicy: port.policy,
      policyFromUserName,
      identity: () => this.#identity ?? identity,
      ...(powThreadUrl && { powThreadUrl }),
    })
    return { kind: port.kind, door, renew: () => undefined }
  }
}
