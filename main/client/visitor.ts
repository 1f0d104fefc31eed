import type { Address } from '@ton/core'
import { LONGEST_DELAY_SEC } from '../../contracts/params.ts'
import { asError, Failure } from '../base/failure.ts'
import { pause } from '../base/pause.ts'
import { closeWithTerms, type ProxyVisit, requireCheckedHashes } from '../protocol/handshake/keep-connected.ts'
import { handshakeFailure } from '../protocol/handshake/proxy-words.ts'
import { allVersions } from '../protocol/handshake/versions.ts'
import type { PacketConnection } from '../protocol/wire/connection.ts'
import { Account } from './account.ts'
import type { AccountKeeper } from './account-keeper.ts'
import type { AccountRecord, AccountStore } from './account-store.ts'
import type { Consent } from './consent.ts'
import { authorize, introduceClient, type KnownProxy } from './handshake.ts'
import { KnownKeys } from './known-keys.ts'
import type { LinkPool } from './link-pool.ts'
import type { ClientEvent, ClientOptions } from './options.ts'
import { ProxyLink } from './proxy-link.ts'
import { RegistrationPace } from './registration-pace.ts'
import { contractSecret, secretHash } from './secret.ts'
import type { ClientConnectionState } from './state.ts'

/** One connection to one proxy. */
export interface Visit extends Pick<ProxyVisit, 'root' | 'proxy' | 'endpoint'> {
  readonly slot: number
  /** How long an agreement to open an account is waited for; undefined = as long as the connection lives. */
  readonly consentLimitMs: number | undefined
}

export type Show = (change: Partial<ClientConnectionState> & Pick<ClientConnectionState, 'phase'>) => void

export interface VisitorContext {
  readonly options: ClientOptions
  readonly store: AccountStore
  readonly accounts: AccountKeeper
  readonly pool: LinkPool
  readonly consent: Consent
  readonly emit: (event: ClientEvent) => void
  readonly onRunning: () => void
}

const within = ([least, most]: readonly [number, number]): number => least + Math.random() * (most - least)

/** Goes to proxies: dials, introduces the client, opens or proves the account, and keeps it up to date while the connection lives. */
export class Visitor {
  readonly #knownKeys = new KnownKeys()
  readonly #context: VisitorContext
  readonly #options: ClientOptions
  readonly #pace = new RegistrationPace()

  constructor(context: VisitorContext) {
    this.#context = context
    this.#options = context.options
  }

  /** One connection from dialling to its end, which it throws. */
  async stay(visit: Visit, show: Show, signal: AbortSignal): Promise<never> {
    const { slot, root } = visit
    const { pool, emit, onRunning } = this.#context
    requireCheckedHashes(root, this.#options.dialChecksImageHashes)
    const { clientDelaySec, proxyDelaySec } = root.params
    if (Math.max(clientDelaySec, proxyDelaySec) > LONGEST_DELAY_SEC)
      throw handshakeFailure('In this network money cannot be taken back within a year.')
    show({ phase: 'connecting' })
    const connection = await this.#options.dial(visit.proxy.forClients, signal)
    const ended = new AbortController()
    void connection.closed.then(() => ended.abort())
    const stopWatching = closeWithTerms(connection, this.#options.root, root, { signal, reason: 'The client stops' })
    let link: ProxyLink | undefined
    try {
      await connection.start({
        onPacket: (data) => {
          if (link === undefined) throw handshakeFailure('The proxy sent a message before the handshake was complete.')
          link.onPacket(data)
        },
      })
      const askedAt = performance.now()
      const proxy = await introduceClient(
        connection,
        {
          owner: this.#options.owner,
          versions: this.#options.versions ?? allVersions,
          seals: this.#options.sealedQueries ?? true,
        },
        root,
        this.#options.handshakeTimeoutMs ?? 30_000,
      )
      const latencyMs = performance.now() - askedAt
      const account = this.#accountOf(proxy, visit, show)
      for (const deviation of account.offer(proxy.payment))
        emit({ type: 'deviation', clientContract: proxy.clientContract.toString(), deviation })
      await this.#refresh(account)
      link = new ProxyLink(connection, proxy, account, {
        root: root.address,
        workerPolicy: this.#options.workerPolicy,
        knownKeys: this.#knownKeys,
        logger: this.#options.logger,
        rootVersion: () => this.#options.root.value?.version ?? root.version,
        cancelWaitMs: this.#options.cancelWaitMs ?? 5_000,
        emit,
        onRunning,
      })
      const told = {
        wire: connection,
        proxyContract: proxy.proxyContract,
        clientContract: proxy.clientContract,
        canCancel: proxy.cancels,
        canSeal: proxy.seals,
        latencyMs,
      }
      await this.#authorize(
        { connection, proxy, account, link, consentLimitMs: visit.consentLimitMs },
        (change) => show({ ...told, ...change }),
        ended.signal,
      )
      pool.add(slot, link)
      show({ phase: 'ready', ...told, ...figures(account) })
      void this.#follow(link, (change) => show({ ...told, ...change }), ended.signal).catch((thrown: unknown) =>
        connection.close(asError(thrown).message),
      )
      throw await connection.closed
    } catch (thrown) {
      connection.close(asError(thrown).message)
      throw thrown
    } finally {
      pool.remove(slot)
      ended.abort()
      stopWatching()
    }
  }

  #accountOf(proxy: KnownProxy, { root, endpoint }: Visit, show: Show): Account {
    const record: AccountRecord = this.#context.store.open({
      contract: proxy.clientContract,
      network: root.address.toString(),
      owner: this.#options.owner,
      proxyContract: proxy.proxyContract,
      endpoint,
      proxyKey: proxy.publicKey,
      params: root.params,
      nowMs: Date.now(),
    })
    // The accounts of many requests come together; they are shown together.
    let isDue = false
    const account: Account = new Account(this.#context.store, record, () => {
      if (isDue) return
      isDue = true
      setImmediate(() => {
        isDue = false
        if (this.#context.pool.has(account)) show({ phase: 'ready', ...figures(account) })
      })
    })
    return account
  }

  /** The secret of one contract; empty only where there is no blockchain, as that mode demands (protocol 60 §10). */
  #secretOf(contract: Address): Uint8Array {
    return this.#options.money === undefined ? new Uint8Array(0) : contractSecret(this.#options.masterSecret, contract)
  }

  async #authorize(
    visit: {
      readonly connection: PacketConnection
      readonly proxy: KnownProxy
      readonly account: Account
      readonly link: ProxyLink
      readonly consentLimitMs: number | undefined
    },
    show: Show,
    signal: AbortSignal,
  ): Promise<void> {
    const { connection, proxy, account, link } = visit
    const timeoutMs = this.#options.authorizationTimeoutMs ?? 300_000
    const secret = this.#secretOf(proxy.clientContract)
    const hash = secretHash(secret)
    const { auth } = proxy
    // The secret leaves this computer only when the proxy already holds its hash.
    if (auth['@type'] === 'client.proxyConnectionAuthShort' && Buffer.from(hash).equals(auth.secret_hash)) {
      show({ phase: 'authorizing' })
      link.authorized(await authorize(connection, { kind: 'short', secret }, timeoutMs, signal))
      // Our secret's hash is in the contract, so the account was opened with consent, also if the app ended before it noted that.
      account.opened()
      return
    }
    if (this.#options.money !== undefined) {
      const isNew = !account.record.consented
      const name = proxy.clientContract.toString()
      const waitMs = isNew ? 0 : this.#pace.waitMs(name, Date.now())
      if (waitMs > 0)
        throw handshakeFailure(
          `The proxy asks for one paid registration after the other; the next one is sent in ${Math.ceil(waitMs / 1000)} s at the earliest.`,
        )
      if (isNew) show({ phase: 'needs-account' })
      const consent = isNew ? await this.#context.consent.wait(visit.consentLimitMs, signal) : undefined
      show({ phase: 'authorizing' })
      const { accounts } = this.#context
      try {
        if (consent !== undefined) await accounts.agree(account, consent.topUp)
        await accounts.register(account, { nonce: BigInt.asUintN(64, auth.nonce), secretHash: hash })
      } catch (thrown) {
        // Only where it is sure that nothing was sent may the same agreement be used again.
        if (!(thrown instanceof Failure) || thrown.code === 'send-unknown') this.#pace.sent(name, Date.now())
        else if (consent !== undefined) {
          account.notOpened()
          this.#context.consent.give(consent)
        }
        throw thrown
      }
      this.#pace.sent(name, Date.now())
    }
    link.authorized(await authorize(connection, { kind: 'long' }, timeoutMs, signal))
    this.#pace.accepted(proxy.clientContract.toString())
    await this.#refresh(account)
  }

  /** Keeps the account up to date while the connection lives (protocol 30 §4, §5). */
  async #follow(link: ProxyLink, show: Show, signal: AbortSignal): Promise<void> {
    for (;;) {
      // Only a choice between proxies needs to know what each offers.
      if ((this.#options.proxyConnections ?? 1) > 1) await this.#learnOffers(link)
      await pause(within(this.#options.paymentStatusMs ?? [10_000, 20_000]), signal)
      if (signal.aborted) return
      const latencyMs = await link.updatePaymentStatus(60_000)
      await this.#refresh(link.account)
      // The connection may have ended while the chain was read.
      if (signal.aborted) return
      show({ phase: 'ready', latencyMs, ...figures(link.account) })
      await this.#context.accounts.maintain(link.account, secretHash(this.#secretOf(link.account.record.contract)))
    }
  }

  /** A proxy that cannot list its models may answer all the same. */
  async #learnOffers(link: ProxyLink): Promise<void> {
    try {
      await link.models(10_000)
    } catch (thrown) {
      this.#options.logger.warn('the models of a proxy were not listed', { reason: asError(thrown).name })
    }
  }

  /**
   * Charges now what was signed, and not only when half of the stake is used (protocol 30 §5): a request was refused for want of credit. Never more
   * than once for the same answers, whatever the proxy says.
   */
  async freeCredit(account: Account): Promise<void> {
    if (this.#options.money === undefined || !account.record.consented) return
    try {
      await this.#context.accounts.charge(account.record.contract)
    } catch (thrown) {
      if (!(thrown instanceof Failure && thrown.code === 'nothing-to-charge'))
        this.#options.logger.warn('the credit could not be freed', { reason: asError(thrown).message })
    }
  }

  async #refresh(account: Account): Promise<void> {
    const { money, logger } = this.#options
    if (money === undefined) return
    try {
      account.saw(await this.#context.accounts.read(account.record.contract))
    } catch (thrown) {
      logger.warn('client contract not read', { reason: asError(thrown).message })
    }
  }
}

function figures(account: Account): Partial<ClientConnectionState> {
  const { chain, spendable, record, pendingCharge } = account
  return {
    ...(spendable === undefined ? {} : { spendableTokens: spendable }),
    ...(chain === undefined ? {} : { balance: chain.balance, stake: chain.stake }),
    used: record.maxTokens * record.params.pricePerToken,
    pendingCharge,
  }
}
