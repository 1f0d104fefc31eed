import type { Address } from '@ton/core'
import { Failure } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import { reservedTokens } from '../protocol/accounting/adjusted-tokens.ts'
import type { SealedWorker } from '../protocol/sealed/outcome.ts'
import type { Account } from './account.ts'
import type { ChatQuery } from './chat-query.ts'
import { FailoverQuery } from './failover-query.ts'
import { rankLinks } from './link-choice.ts'
import { type ModelOffer, mergeOffers } from './model-offer.ts'
import type { ProxyLink } from './proxy-link.ts'
import { localFailure } from './query-failure.ts'
import type { QueryHandle } from './running-query.ts'

/** Workers of a model whose keys were verified, and why the keys of others were not taken. */
export interface ToldWorkers {
  readonly workers: readonly SealedWorker[]
  /** Codes of `KeyRefused` and `AttestationError`, one for each key. */
  readonly refused: readonly string[]
}

/** What surrounds the body of a question in its query, in bytes. */
const envelopeBytes = 200

/** The ready proxy connections, and which of them a question goes to. */
export class LinkPool {
  readonly #links = new Map<number, ProxyLink>()
  /** By slot. */
  #sorted: readonly ProxyLink[] = []
  readonly #logger: Logger
  readonly #whyNone: () => string | undefined

  /** @param whyNone why an attempt to connect failed, while no connection is ready */
  constructor(logger: Logger, whyNone: () => string | undefined) {
    this.#logger = logger
    this.#whyNone = whyNone
  }

  add(slot: number, link: ProxyLink): void {
    this.#links.set(slot, link)
    this.#sort()
  }

  remove(slot: number): void {
    this.#links.delete(slot)
    this.#sort()
  }

  /** Whether a ready connection stands on that account. */
  has(account: Account): boolean {
    return this.#sorted.some((link) => link.account === account)
  }

  /** The account of a ready connection; undefined when none stands on that contract. */
  accountOf(contract: Address): Account | undefined {
    return this.#sorted.find(({ account }) => account.record.contract.equals(contract))?.account
  }

  /** Requests under way. */
  get running(): number {
    return this.#sorted.reduce((sum, link) => sum + link.running, 0)
  }

  /**
   * Asks the best proxy, and the next one when that fails before its first word and nobody can be charged twice (see `mayTryElsewhere`).
   * A question that one proxy was not given to read is given to no other one to read either.
   * @param onShortage told about an account that had too little free credit
   * @throws Failure `no-connection`: nothing was sent. Later failures show in the handle.
   */
  run(chat: ChatQuery, signal: AbortSignal, onShortage: (account: Account) => void): QueryHandle {
    const startedAt = performance.now()
    let wish = chat.seal
    let latest: QueryHandle | undefined
    const attempt = (link: ProxyLink, timeoutMs = chat.timeoutMs): QueryHandle => {
      const handle = link.run({ ...chat, seal: wish, timeoutMs }, signal)
      latest = handle
      handle.end.catch((thrown: unknown) => {
        if (thrown instanceof Failure && thrown.code === 'balance-too-low') onShortage(link.account)
      })
      return handle
    }
    const [first, ...others] = this.#ranked(chat)
    if (first === undefined && this.#sorted.length > 0 && chat.publicKey === undefined)
      throw localFailure('seal-unavailable', 'No proxy that is connected passes sealed questions on.')
    if (first === undefined)
      throw this.#sorted.length === 0
        ? this.#noProxy()
        : localFailure('no-connection', 'No proxy that is connected passes encrypted questions on.')
    let isSecond = false
    return new FailoverQuery(attempt(first), (failure) => {
      // Whatever the reason is that it tells: proxies in league would have the question read by the one that does not seal.
      if (wish === 'offered' && latest !== undefined && wasKeptSealed(latest)) wish = 'required'
      // The worker has a new key, or another one serves the model now, or has more room: the proxy knows.
      const mayHaveAnother = failure.code === 'worker-gone' || failure.words.code === 'sealing-workers-busy'
      if (mayHaveAnother && !isSecond && this.#sorted.includes(first)) {
        isSecond = true
        first.workerKeys.forget(chat.model)
        return attempt(first, Math.max(1, chat.timeoutMs - (performance.now() - startedAt)))
      }
      for (let next = others.shift(); next !== undefined; next = others.shift()) {
        if (!this.#sorted.includes(next) || (demandsSeal({ seal: wish }) && !next.seals)) continue
        this.#logger.info('a question is asked at another proxy', { reason: failure.code })
        // It gets what is left of the time.
        return attempt(next, Math.max(1, chat.timeoutMs - (performance.now() - startedAt)))
      }
      return undefined
    })
  }

  /** See `Client.largestAnswer`. */
  largestAnswer(maxCoefficient: number, bodyBytes: number): number | undefined {
    const answers = this.#sorted.map(({ spendable }) =>
      spendable === undefined || maxCoefficient === 0
        ? Number.POSITIVE_INFINITY
        : Number((spendable * 1000n) / BigInt(maxCoefficient)) - bodyBytes - envelopeBytes,
    )
    const most = Math.max(...answers)
    return Number.isFinite(most) ? Math.floor(most) : undefined
  }

  /** Models of all ready proxies, workers of one model side by side. Throws `Failure` with `no-connection`, or what ended the question. */
  async models(timeoutMs: number): Promise<ModelOffer[]> {
    const links = this.#sorted
    if (links.length === 0) throw this.#noProxy()
    const answers = await Promise.allSettled(links.map((link) => link.models(timeoutMs)))
    const offers = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
    const refused = answers.find((answer) => answer.status === 'rejected')
    if (offers.length === 0 && refused !== undefined) throw refused.reason
    return mergeOffers(offers)
  }

  /** See `Client.toldWorkers`. */
  async toldWorkers(model: string, maxCoefficient: number): Promise<ToldWorkers> {
    if (this.#sorted.length === 0) throw this.#noProxy()
    const asked = this.#sorted.filter(({ seals }) => seals).map(({ workerKeys }) => workerKeys.of(model))
    const answers = await Promise.allSettled(asked)
    const lists = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
    const refused = answers.find((answer) => answer.status === 'rejected')
    if (lists.length === 0 && refused !== undefined) throw refused.reason
    return {
      workers: lists.flatMap(({ workers }) =>
        workers
          .filter(({ coefficient, takesQuestions }) => takesQuestions && coefficient <= maxCoefficient)
          .map(({ worker }) => worker),
      ),
      refused: lists.flatMap(({ refused }) => refused),
    }
  }

  #noProxy(): Failure {
    const why = this.#whyNone()
    return localFailure('no-connection', `No proxy is connected.${why === undefined ? '' : ` ${why}`}`)
  }

  #sort(): void {
    this.#sorted = [...this.#links].sort(([one], [other]) => one - other).map(([, link]) => link)
  }

  #ranked(chat: ChatQuery): ProxyLink[] {
    const reserve = reservedTokens(chat.maxTokens, bodyBytes(chat) + envelopeBytes, chat.maxCoefficient)
    const fitting = this.#sorted.filter(
      (link) => (chat.publicKey === undefined || link.carriesKeys) && (link.seals || !demandsSeal(chat)),
    )
    if (fitting.length <= 1) return [...fitting]
    const views = fitting.map((link) => ({
      link,
      offers: link.offers,
      spendable: link.spendable,
      running: link.running,
      firstWordMs: link.quality.firstWordMs,
      successRate: link.quality.successRate,
    }))
    const wanted = { model: chat.model, reserve, maxCoefficient: chat.maxCoefficient }
    const ranked = rankLinks(views, wanted).map(({ link }) => link)
    // Fewer readers come before less time.
    return chat.seal === 'none' ? ranked : [...ranked.filter(({ seals }) => seals), ...ranked.filter(({ seals }) => !seals)]
  }
}

const bodyBytes = ({ body }: ChatQuery): number => (typeof body === 'string' ? Buffer.byteLength(body) : body.bytes.length)
const demandsSeal = ({ seal }: Pick<ChatQuery, 'seal'>): boolean => seal === 'required' || seal === 'attested'
/** It left sealed, or was held back because it could not be. */
const wasKeptSealed = ({ seal }: QueryHandle): boolean => seal.scheme !== 'none' || seal.reason === 'not-sent'
