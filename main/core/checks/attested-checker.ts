import type { CheckRow, EvidenceItem, Sentence } from '../../../preload/api/privacy.ts'
import type { Watchable } from '../../base/signal.ts'
import type { Findings, LevelChecker } from '../../chat/privacy/checker.ts'
import type { ToldWorkers } from '../../client/link-pool.ts'
import { AttestationError } from '../../protocol/attestation/attestation-error.ts'
import { quoteEvidence } from '../../protocol/attestation/quote-evidence.ts'
import type { QuoteJudge } from '../../protocol/attestation/quote-verifier.ts'
import type { VerifiedQuote } from '../../protocol/attestation/verify-quote.ts'
import { readKey } from '../../protocol/sealed/direct/worker-key.ts'
import type { SealedWorker } from '../../protocol/sealed/outcome.ts'
import type { RootConfig } from '../../ton/root-config.ts'
import type { OpenedModel } from '../opened-model.ts'
import { gpuOf, type Objection, proxyObjection, sentenceOf, workerObjection } from './attested-peers.ts'
import { channelRow, connectionEvidence, statements } from './network-rows.ts'
import { workerEvidence } from './open-checker.ts'
import { connectionEnded } from './practice-checker.ts'
import { evidence, notChecked, passed, rowFailed, said } from './rows.ts'
import { type CheckedNetwork, connectionName, type Used, usedBy } from './used-connection.ts'

export interface AttestedCheckerOptions {
  readonly live: Watchable<CheckedNetwork | null>
  readonly model: OpenedModel
  readonly quotes: QuoteJudge
  /** Unix ms. */
  readonly now?: () => number
}

/**
 * The Attested network: proxy and worker prove by quotes what they run, the network contract lists it, and questions are sealed to a key that the
 * worker's quote is bound to. Everything that this computer can check it checks; model and graphics card are the word of the attested software.
 */
export function attestedChecker({ live, model, quotes, now = Date.now }: AttestedCheckerOptions): LevelChecker {
  return {
    level: 'attested',
    connection: connectionName(live),
    check: async (name) => {
      const network = live.value
      const used = usedBy(network)
      if (!network || used?.name !== name) throw connectionEnded()
      const asked = model.value
      const told = asked === null ? { workers: [], refused: [] } : await network.client.toldWorkers(asked)
      const root = network.root.config.value
      const proxy = await verified(quotes, used.peer.quote?.evidence.quote)
      const worker = await bestWorker(told, quotes, root, now())
      return findings({ used, root, proxy, worker, told, nowMs: now() })
    },
  }
}

/** A quote that was verified now, or why it does not hold. */
type Judged = { readonly quote: VerifiedQuote } | { readonly reason: Sentence }

async function verified(quotes: QuoteJudge, quote: Uint8Array | undefined): Promise<Judged | undefined> {
  if (quote === undefined) return undefined
  try {
    return { quote: await quotes.verify(quote) }
  } catch (thrown) {
    if (thrown instanceof AttestationError) return { reason: sentenceOf(thrown) }
    throw thrown
  }
}

interface Candidate {
  readonly worker: SealedWorker
  readonly judged: Judged | undefined
  readonly objection: Objection | null
}

/** A worker that questions may be sealed to; without one the one that comes nearest, so that the sheet can say what it lacks. */
async function bestWorker(
  { workers }: ToldWorkers,
  quotes: QuoteJudge,
  root: RootConfig | null,
  nowMs: number,
): Promise<Candidate | undefined> {
  const candidates: Candidate[] = []
  for (const worker of workers.slice(0, mostJudged)) {
    const { quote } = readKey(new Uint8Array(Buffer.from(worker.signedKey, 'hex')))
    const judged = worker.attestation.kind === 'tdx' ? await verified(quotes, quote) : undefined
    candidates.push({ worker, judged, objection: workerObjection(worker, root, nowMs) })
  }
  const isGood = ({ judged, objection }: Candidate): boolean => objection === null && judged !== undefined && 'quote' in judged
  return candidates.find(isGood) ?? candidates.find(({ judged }) => judged !== undefined) ?? candidates[0]
}

const mostJudged = 16

interface Found {
  readonly used: Used
  readonly root: RootConfig | null
  readonly proxy: Judged | undefined
  readonly worker: Candidate | undefined
  readonly told: ToldWorkers
  readonly nowMs: number
}

function findings(found: Found): Findings {
  const { used, root, proxy, worker, told, nowMs } = found
  const objections = [proxyObjection(used.peer, root, nowMs), worker?.objection ?? null].filter((one) => one !== null)
  const objectionOf = (row: Objection['row']): Sentence | undefined => objections.find((one) => one.row === row)?.sentence
  const row = (id: Objection['row'], statement: Sentence, good: () => CheckRow): CheckRow => {
    const sentence = objectionOf(id)
    return sentence === undefined ? good() : rowFailed(id, statement, sentence)
  }
  return {
    rows: [
      row('hardware', statements.hardware, () => hardwareRow(proxy, worker)),
      row('software', statements.software, () => softwareRow(root, nowMs)),
      channelRow(used.peer),
      row('worker', sealedStatement, () => workerRow(worker?.worker, told)),
      row('model', modelStatement, () => modelRow(worker?.worker)),
      row('gpu', gpuStatement, () => gpuRow(worker?.worker)),
    ],
    evidence: [
      ...connectionEvidence(used, root, 'tdx'),
      ...machineEvidence('proxy', used.peer.imageHash, quoteOf(proxy)),
      ...(worker ? workerEvidence([worker.worker]) : []),
      ...(worker?.worker.attestation.kind === 'tdx'
        ? machineEvidence('worker', Buffer.from(worker.worker.attestation.imageHash, 'hex'), quoteOf(worker.judged))
        : []),
    ],
    inputs: inputsOf(found),
  }
}

const quoteOf = (judged: Judged | undefined): VerifiedQuote | undefined =>
  judged !== undefined && 'quote' in judged ? judged.quote : undefined

const sealedStatement = said('The worker alone opens it', { code: 'check-sealed-worker' })
const modelStatement = said('The exact model', { code: 'check-exact-model' })
const gpuStatement = said('The graphics card in confidential mode', { code: 'check-gpu' })

function hardwareRow(proxy: Judged | undefined, worker: Candidate | undefined): CheckRow {
  const failed = (sentence: Sentence): CheckRow => rowFailed('hardware', statements.hardware, sentence)
  if (proxy === undefined) return failed(said('The proxy showed no attestation.', { code: 'check-hardware-proxy-none' }))
  if ('reason' in proxy) return failed(proxy.reason)
  if (worker?.judged === undefined)
    return failed(said('The proxy’s attestation holds. No worker showed one that does.', { code: 'check-hardware-worker-none' }))
  if ('reason' in worker.judged) return failed(worker.judged.reason)
  const untilMs = Math.min(proxy.quote.collateral.expiresAtMs, worker.judged.quote.collateral.expiresAtMs)
  return passed(
    'hardware',
    'here',
    statements.hardware,
    said(
      `Both machines run in Intel TDX: their quotes hold up to the root key, and are up to date by what Intel says until ${new Date(untilMs).toISOString()}.`,
      { code: 'check-hardware-tdx', values: { untilMs } },
    ),
  )
}

function softwareRow(root: RootConfig | null, nowMs: number): CheckRow {
  const { version = 0, source } = root ?? {}
  const from = source?.endpoint ?? '—'
  const block = source?.block?.seqno ?? '—'
  const ageSeconds = root === null ? 0 : Math.max(0, Math.round((nowMs - (source?.block?.timeMs ?? root.readAtMs)) / 1000))
  return passed(
    'software',
    'here',
    statements.software,
    said(
      `The network contract lists what both machines run: version ${version}, block ${block}, ${ageSeconds} s old, read through ${from}. One endpoint was asked; no block proof was checked.`,
      { code: 'check-software-listed', values: { version, block, age: ageSeconds, from } },
    ),
  )
}

function workerRow(worker: SealedWorker | undefined, { refused }: ToldWorkers): CheckRow {
  if (worker === undefined) {
    const reasons = [...new Set(refused)].join(', ')
    return rowFailed(
      'worker',
      sealedStatement,
      reasons === ''
        ? said('No worker offers a key that a question could be sealed to.', { code: 'check-worker-no-key' })
        : said(`No key of a worker holds: ${reasons}.`, { code: 'check-worker-refused', values: { reasons } }),
    )
  }
  return passed(
    'worker',
    'here',
    sealedStatement,
    said(
      `Questions are sealed to a key that the worker’s attestation is bound to; the proxy cannot read them. It belongs to ${worker.owner}; who that is was not checked.`,
      { code: 'check-worker-sealed', values: { owner: worker.owner } },
    ),
  )
}

function modelRow(worker: SealedWorker | undefined): CheckRow {
  if (worker === undefined) return notChecked('model', modelStatement, nobody)
  const { model } = worker
  return passed(
    'model',
    'sealed-worker',
    modelStatement,
    said(`${model}, says the attested software of the worker. The network contract lists this name.`, {
      code: 'check-model-listed',
      values: { model },
    }),
  )
}

function gpuRow(worker: SealedWorker | undefined): CheckRow {
  if (worker === undefined) return notChecked('gpu', gpuStatement, nobody)
  return passed(
    'gpu',
    'sealed-worker',
    gpuStatement,
    gpuOf(worker) === 'none'
      ? said('There is none in the machine, says the attested software of the worker.', { code: 'check-gpu-none' })
      : said('It is, says the attested software of the worker. Nothing of the card itself was checked here.', {
          code: 'check-gpu-confidential',
        }),
  )
}

const nobody = said('There is no worker to check.', { code: 'check-no-worker' })

function machineEvidence(part: 'proxy' | 'worker', imageHash: Uint8Array, quote: VerifiedQuote | undefined): EvidenceItem[] {
  const values = { part }
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
  return [
    evidence(`${part}-image`, 'hash', said(`Image of the ${part}`, { code: 'evidence-image', values }), hex(imageHash)),
    ...(quote
      ? [
          evidence(
            `${part}-quote`,
            'text',
            said(`Quote of the ${part}`, { code: 'evidence-quote', values }),
            `TDX v${quote.quoteVersion}, ${quote.tcbStatus}, TCB ${quote.platform.evaluationNumber}`,
          ),
          evidence(
            `${part}-collateral`,
            'hash',
            said(`Collateral of the ${part}’s quote`, { code: 'evidence-collateral', values }),
            quote.collateral.digest,
          ),
          evidence(
            `${part}-root-key`,
            'hash',
            said(`Root key of the ${part}’s quote`, { code: 'evidence-root-key', values }),
            hex(quote.rootKeyHash),
          ),
        ]
      : []),
  ]
}

/** Public data only: what a third party needs to verify both quotes again, and the lists that were compared. */
function inputsOf({ root, proxy, worker }: Found): unknown {
  const [proxyQuote, workerQuote] = [quoteOf(proxy), quoteOf(worker?.judged)]
  return {
    ...(proxyQuote && { proxy: quoteEvidence(proxyQuote) }),
    ...(worker && {
      worker: { signedKey: worker.worker.signedKey, ...(workerQuote && { quote: quoteEvidence(workerQuote) }) },
    }),
    ...(root && {
      registry: {
        address: root.address.toString(),
        version: root.version,
        readAtMs: root.readAtMs,
        ...(root.source && { endpoints: [root.source.endpoint] }),
        ...(root.source?.block && { block: root.source.block.seqno, blockTimeMs: root.source.block.timeMs }),
        proxyHashes: [...root.proxyHashes],
        workerHashes: [...root.workerHashes],
        modelHashes: [...root.modelHashes],
      },
    }),
  }
}
