import type { SealState } from '../../preload/api/privacy.ts'
import type { ChatBackend } from '../chat/backend.ts'
import type { LevelChecker } from '../chat/privacy/checker.ts'
import type { SealKeeper } from '../chat/privacy/seal-keeper.ts'
import type { QuoteJudge } from '../protocol/attestation/quote-verifier.ts'
import { proxyObjections, workerObjections } from '../roles/attested-peers.ts'
import { attestedChecker, type Readers } from './checks/attested-checker.ts'
import { openChecker } from './checks/open-checker.ts'
import type { Wish } from './network-answer.ts'
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
 * @param keeperOf the seal of a level, once it is kept
 */
export function openedLevels(
  network: OpenedNetwork,
  quotes: QuoteJudge,
  keeperOf: (level: 'open' | 'attested') => Pick<SealKeeper, 'state' | 'checkAgain'> | undefined,
): OpenedLevels {
  if (network.name === null) return { backends: [], checkers: [], close: () => undefined }
  const { live, seen } = network
  const closing = new AbortController()
  const model = watchOpenedModel(live, closing.signal)
  const root = () => seen.value?.root.config.value ?? null
  let readers: Readers = new Map()
  let owners: ReadonlySet<string> = new Set()
  return {
    backends: [
      new OpenedBackend({
        level: 'open',
        network,
        model,
        quotes,
        wish: () => openWish(keeperOf('open')?.state.value, owners),
        onUnsealable: () => keeperOf('open')?.checkAgain(),
      }),
      new OpenedBackend({
        level: 'attested',
        network,
        model,
        quotes,
        wish: () => ({
          seal: 'attested',
          objectionTo: (worker) =>
            readers.has(worker.keyId) ? workerObjections(worker, root(), { nowMs: Date.now() })[0]?.sentence.text : unjudged,
        }),
        mayPass: (peer) => proxyObjections(peer, root(), { nowMs: Date.now() }).length === 0,
        provenBy: (worker) => readers.get(worker.keyId),
        onUnsealable: () => keeperOf('attested')?.checkAgain(),
      }),
    ],
    checkers: [
      openChecker(live, model, (named) => {
        owners = named
      }),
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

const unjudged = 'It is none of those that the check found.'

/**
 * A sheet that promised a seal is kept to: then nothing leaves readable, and nothing to the worker of an owner that the check did not find, whatever the
 * proxy tells meanwhile.
 * @param owners of the workers that the last check found
 */
export function openWish(seal: SealState | undefined, owners: ReadonlySet<string>): Wish {
  const rows = seal !== undefined && 'report' in seal ? (seal.report?.rows ?? []) : []
  if (!rows.some(({ id, result }) => id === 'sealed' && result === 'passed')) return { seal: 'offered' }
  return { seal: 'required', objectionTo: ({ owner }) => (owners.has(owner) ? undefined : unjudged) }
}
