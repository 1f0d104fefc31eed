import { openReadersOf, type SealState } from '../../preload/api/privacy.ts'
import type { ChatBackend } from '../chat/backend.ts'
import type { LevelChecker } from '../chat/privacy/checker.ts'
import type { Permit, SealKeeper } from '../chat/privacy/seal-keeper.ts'
import type { QuoteJudge } from '../protocol/attestation/quote-verifier.ts'
import type { SealedWorker } from '../protocol/sealed/outcome.ts'
import { proxyObjections, workerObjections } from '../roles/attested-peers.ts'
import { attestedChecker, type Readers } from './checks/attested-checker.ts'
import { openChecker } from './checks/open-checker.ts'
import type { Wish } from './network-answer.ts'
import { OpenedBackend, type OpenedNetwork } from './opened-backend.ts'
import { watchOpenedModel } from './opened-model.ts'
import { Recheck, watchSealable } from './watch-sealable.ts'

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
  const open = new Recheck(() => keeperOf('open')?.checkAgain())
  const attested = new Recheck(() => keeperOf('attested')?.checkAgain())
  const compare = (workers: readonly SealedWorker[]): void => {
    open.compare(new Set(workers.map(({ owner }) => owner)), owners)
    attested.compare(new Set(workers.map(({ keyId }) => keyId)), new Set(readers.keys()))
  }
  watchSealable(live, model, compare, closing.signal)
  return {
    backends: [
      new OpenedBackend({
        level: 'open',
        network,
        model,
        quotes,
        wish: (permit) => openWish(permit, keeperOf('open')?.state.value, owners),
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
 * A question leaves sealed, to nobody but the worker of an owner that the check found, whatever the proxy tells meanwhile. Only where the sheet says that
 * nobody can be sealed to, and the user has agreed to that in this chat, it may leave readable.
 * @param seal of the level as it stands now
 * @param owners of the workers that the last check found
 */
export function openWish({ mayBeReadable = false }: Permit, seal: SealState | undefined, owners: ReadonlySet<string>): Wish {
  const isJudged = seal?.phase === 'earned' || seal?.phase === 'aging'
  if (mayBeReadable && isJudged && openReadersOf(seal) === 'proxy-too') return { seal: 'agreed' }
  return { seal: 'required', objectionTo: ({ owner }) => (owners.has(owner) ? undefined : unjudged) }
}
