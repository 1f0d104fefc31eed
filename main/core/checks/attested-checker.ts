import { pause } from '../../base/pause.ts'
import type { Watchable } from '../../base/signal.ts'
import { untilAborted } from '../../base/until-aborted.ts'
import type { LevelChecker } from '../../chat/privacy/checker.ts'
import type { ToldWorkers } from '../../client/link-pool.ts'
import { AttestationError } from '../../protocol/attestation/attestation-error.ts'
import type { QuoteJudge } from '../../protocol/attestation/quote-verifier.ts'
import type { VerifiedQuote } from '../../protocol/attestation/verify-quote.ts'
import { readKeyHex } from '../../protocol/sealed/direct/worker-key.ts'
import { sentenceOf, unattested, workerObjections } from '../../roles/attested-peers.ts'
import type { RootConfig } from '../../ton/root-config.ts'
import { maxCoefficient } from '../network-answer.ts'
import type { OpenedModel } from '../opened-model.ts'
import { attestedFindings, type Candidate, type Found, isGood, type Judged, quoteOf, shown } from './attested-findings.ts'
import { type CheckedNetwork, connectionName, connectionOf } from './used-connection.ts'

export interface AttestedCheckerOptions {
  readonly live: Watchable<CheckedNetwork | null>
  readonly model: OpenedModel
  readonly quotes: QuoteJudge
  /** The workers that the sheet found good, with each check that was not given up: nobody else may read a question of the level. */
  readonly onJudged: (readers: Readers) => void
  /** Unix ms. */
  readonly now?: () => number
}

/** Workers' quotes as they were verified, by the id of the key that questions are sealed to. */
export type Readers = ReadonlyMap<string, VerifiedQuote>

/**
 * The Attested network: proxy and worker prove by quotes what they run, the network contract lists it, and questions are sealed to a key that the
 * worker's quote is bound to. Everything that this computer can check it checks; model and graphics card are the word of the attested software.
 */
export function attestedChecker({ live, model, quotes, onJudged, now = Date.now }: AttestedCheckerOptions): LevelChecker {
  const look = async (name: string, signal: AbortSignal): Promise<Found> => {
    const { network, used } = connectionOf(live, name)
    const asked = model.value
    const told = asked === null ? nobody : await toldWorkers(network.client, asked, signal)
    const root = network.root.config.value
    const proxy = await verified(quotes, used.peer.quote?.evidence.quote)
    const workers = await bestWorkers(told, quotes, root, now())
    return { used, root, proxy, workers, told, nowMs: now() }
  }
  return {
    level: 'attested',
    connection: connectionName(live, model),
    check: async (name, signal) => {
      const found = await untilAborted(look(name, signal), signal)
      // Another check may have earned the seal meanwhile: what an old one found counts for nothing.
      signal.throwIfAborted()
      onJudged(new Map(found.workers.filter(isGood).flatMap(({ worker, quote }) => (quote ? [[worker.keyId, quote]] : []))))
      return attestedFindings(found)
    },
  }
}

const nobody: ToldWorkers = { workers: [], refused: [] }
/** The client asks again for a list that was empty after a second. */
const keyWaitMs = 1_100

/** A worker offers its model a moment before its key, which its machine has to attest first: an empty list is asked for once more. */
async function toldWorkers(client: CheckedNetwork['client'], model: string, signal: AbortSignal): Promise<ToldWorkers> {
  // One whose price is above the limit of each question would answer none.
  const told = await client.toldWorkers(model, maxCoefficient)
  if (told.workers.length > 0 || told.refused.length > 0) return told
  await pause(keyWaitMs, signal)
  return client.toldWorkers(model, maxCoefficient)
}

async function verified(quotes: QuoteJudge, quote: Uint8Array | undefined): Promise<Judged | undefined> {
  if (quote === undefined) return undefined
  try {
    return { quote: await quotes.verify(quote) }
  } catch (thrown) {
    if (thrown instanceof AttestationError) return { reason: shown(sentenceOf(thrown)) }
    throw thrown
  }
}

/** All workers that questions may be sealed to; without any the one that comes nearest, so that the sheet can say what it lacks. */
async function bestWorkers(
  { workers }: ToldWorkers,
  quotes: QuoteJudge,
  root: RootConfig | null,
  nowMs: number,
): Promise<readonly Candidate[]> {
  const candidates: Candidate[] = []
  for (const worker of workers.slice(0, mostJudged)) {
    const { quote } = readKeyHex(worker.signedKey)
    const judged = worker.attestation.kind === 'tdx' ? await verified(quotes, quote) : undefined
    const proven = quoteOf(judged)
    // What is listed and said counts for nothing without a quote that holds now.
    const objections = proven === undefined ? [unattested] : workerObjections(worker, root, { nowMs })
    candidates.push({ worker, judged, quote: proven, objections })
  }
  const good = candidates.filter(isGood)
  if (good.length > 0) return good
  const nearest = candidates.find(({ judged }) => judged !== undefined) ?? candidates[0]
  return nearest === undefined ? [] : [nearest]
}

const mostJudged = 16
