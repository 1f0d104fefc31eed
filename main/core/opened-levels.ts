import type { SealState } from '../../preload/api/privacy.ts'
import type { ChatBackend } from '../chat/backend.ts'
import type { LevelChecker } from '../chat/privacy/checker.ts'
import type { SealWish } from '../client/proxy-link.ts'
import type { QuoteJudge } from '../protocol/attestation/quote-verifier.ts'
import { attestedChecker, type Readers } from './checks/attested-checker.ts'
import { proxyObjections, workerObjections } from './checks/attested-peers.ts'
import { openChecker } from './checks/open-checker.ts'
import { OpenedBackend, type OpenedNetwork } from './opened-backend.ts'
import { watchOpenedModel } from './opened-model.ts'

export interface OpenedLevels {
  readonly backends: readonly ChatBackend[]
  readonly checkers: readonly LevelChecker[]
  close(): void
}

/**
 * The levels "Open network" and "Attested network" of the network that the user opened. The computer's own network has neither: nobody else takes part
 * in it.
 * @param openSeal what the sheet of the Open network says now
 */
export function openedLevels(network: OpenedNetwork, quotes: QuoteJudge, openSeal: () => SealState | undefined): OpenedLevels {
  if (network.name === null) return { backends: [], checkers: [], close: () => undefined }
  const { live, seen } = network
  const closing = new AbortController()
  const model = watchOpenedModel(live, closing.signal)
  const root = () => seen.value?.root.config.value ?? null
  let readers: Readers = new Map()
  return {
    backends: [
      new OpenedBackend({ level: 'open', network, model, quotes, wish: () => openWish(openSeal()) }),
      new OpenedBackend({
        level: 'attested',
        network,
        model,
        quotes,
        wish: () => 'attested',
        mayPass: (peer) => proxyObjections(peer, root(), Date.now()).length === 0,
        mayRead: (worker) => readers.has(worker.keyId) && workerObjections(worker, root(), Date.now()).length === 0,
        provenBy: (worker) => readers.get(worker.keyId),
      }),
    ],
    checkers: [
      openChecker(live, model),
      attestedChecker({
        live,
        model,
        quotes,
        onJudged: (judged) => {
          readers = judged
        },
      }),
    ],
    close: () => closing.abort(),
  }
}

/** A sheet that promised a seal is kept to: then nothing leaves readable, whatever the proxy tells meanwhile. */
export function openWish(seal: SealState | undefined): SealWish {
  const rows = seal !== undefined && 'report' in seal ? (seal.report?.rows ?? []) : []
  return rows.some(({ id, result }) => id === 'sealed' && result === 'passed') ? 'required' : 'offered'
}
