import type { ProxyEndpoints } from '../../../contracts/net-address.ts'
import { asError, type Words, wordsOf } from '../../base/failure.ts'
import type { Logger } from '../../base/logger.ts'
import { pause } from '../../base/pause.ts'
import type { Watchable } from '../../base/signal.ts'
import type { RootConfig } from '../../ton/root-config.ts'
import type { PacketConnection } from '../wire/connection.ts'
import type { Favoured, ProxyDirectory } from './proxy-directory.ts'
import { handshakeFailure } from './proxy-words.ts'

/** One connection to one proxy, from dialling to its end. */
export interface ProxyVisit {
  readonly root: RootConfig
  readonly proxy: ProxyEndpoints
  /** `host:port` of the side that this role uses. */
  readonly endpoint: string
  readonly favoured: Favoured
  /** The connection is of use from now on. */
  isReady(): void
  measured(latencyMs: number): void
}

export interface KeepConnectedOptions {
  readonly root: Watchable<RootConfig | null>
  readonly directory: ProxyDirectory
  readonly logger: Logger
  /** Proxies that come first under these terms. */
  readonly favoured: (root: RootConfig) => Favoured
  /** Lives as long as the connection, and throws what ended it. */
  readonly stay: (visit: ProxyVisit) => Promise<never>
  readonly onEnd: (endpoint: string, failure: { readonly failure: string; readonly failureWords: Words | undefined }) => void
}

/** Keeps one connection open, to the best proxy that no other connection has, until `signal` aborts. */
export async function keepConnected(options: KeepConnectedOptions, signal: AbortSignal): Promise<void> {
  const { root, directory, logger } = options
  for await (const config of root.values(signal)) if (config !== null) break
  while (!signal.aborted) {
    const config = root.value
    if (config === null) break
    const favoured = options.favoured(config)
    const next = directory.take(config.proxies, favoured, Date.now())
    if ('waitMs' in next) {
      await pause(next.waitMs, signal)
      continue
    }
    const { endpoint, proxy } = next
    let [readyAtMs, latencyMs]: [number | undefined, number | undefined] = [undefined, undefined]
    const isReady = (): void => {
      readyAtMs ??= Date.now()
    }
    const measured = (roundTripMs: number): void => {
      latencyMs = roundTripMs
    }
    try {
      await options.stay({ root: config, proxy, endpoint, favoured, isReady, measured })
    } catch (thrown) {
      if (signal.aborted) break
      const failure = asError(thrown).message
      logger.warn('proxy connection ended', { endpoint, reason: failure })
      options.onEnd(endpoint, { failure, failureWords: wordsOf(thrown) })
    } finally {
      const nowMs = Date.now()
      directory.release(endpoint, { goodMs: readyAtMs === undefined ? 0 : nowMs - readyAtMs, latencyMs, nowMs })
    }
  }
}

/** @throws Failure `handshake-failed` on a network whose proxies must be attested, when whoever dials does not check that */
export function requireCheckedHashes({ params }: RootConfig, dialChecksImageHashes: boolean | undefined): void {
  if (!params.isTest && dialChecksImageHashes !== true)
    throw handshakeFailure('This network demands attested proxies, which cannot be checked here.')
}

/**
 * Ends the connection when `signal` aborts, and when the terms of the network change: new terms give new contract addresses, so every
 * connection starts afresh (protocol 00 §6).
 * @param terms the terms that the connection began with
 * @returns ends the watching
 */
export function closeWithTerms(
  connection: PacketConnection,
  root: Watchable<RootConfig | null>,
  terms: RootConfig,
  { signal, reason }: { readonly signal: AbortSignal; readonly reason: string },
): () => void {
  const onStop = (): void => connection.close(reason)
  signal.addEventListener('abort', onStop)
  const stopWatching = root.onChange((config) => {
    if (config !== null && config.params.paramsVersion !== terms.params.paramsVersion)
      connection.close('The terms of the network changed')
  })
  if (signal.aborted) onStop()
  return () => {
    stopWatching()
    signal.removeEventListener('abort', onStop)
  }
}
