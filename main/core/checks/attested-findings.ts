import type { CheckRow, EvidenceItem, Sentence } from '../../../preload/api/privacy.ts'
import type { Findings } from '../../chat/privacy/checker.ts'
import type { ToldWorkers } from '../../client/link-pool.ts'
import { quoteEvidence } from '../../protocol/attestation/quote-evidence.ts'
import type { VerifiedQuote } from '../../protocol/attestation/verify-quote.ts'
import type { SealedWorker } from '../../protocol/sealed/outcome.ts'
import { gpuOf, type Objection, proxyObjections } from '../../roles/attested-peers.ts'
import { agreedEndpoints, endpointsThat } from '../../ton/root-agreement.ts'
import { keyRefusal } from './key-refusals.ts'
import { channelRow, connectionEvidence, type ReadRoot, readThrough, statements, type UsedLink } from './network-rows.ts'
import { workerEvidence } from './open-checker.ts'
import { evidence, notChecked, passed, rowFailed, said } from './rows.ts'

/** Evidence of more is in the file alone. */
const mostShown = 3

/** A quote that was verified now, or why it does not hold. */
export type Judged = { readonly quote: VerifiedQuote } | { readonly reason: Sentence }

/** A sentence of the roles as the sheet has it. */
export const shown = ({ text, words }: Objection['sentence']): Sentence => said(text, words)

/** A worker whose key was told, and what is against it. */
export interface Candidate {
  readonly worker: SealedWorker
  readonly judged: Judged | undefined
  readonly quote: VerifiedQuote | undefined
  readonly objections: readonly Objection[]
}

export const isGood = ({ quote, objections }: Candidate): boolean => quote !== undefined && objections.length === 0

/** All that a check looked at. */
export interface Found {
  readonly used: UsedLink
  readonly root: ReadRoot | null
  readonly proxy: Judged | undefined
  readonly workers: readonly Candidate[]
  readonly told: Pick<ToldWorkers, 'refused'>
  /** When it was judged, Unix ms. */
  readonly nowMs: number
}

/**
 * Rows, evidence and inputs of the sheet, from what was looked at and nothing else: whoever has the inputs comes to the same rows and evidence again
 * (`main/core/verify/attested-evidence.ts`).
 */
export function attestedFindings(found: Found): Findings {
  const { used, root, proxy, workers, told, nowMs } = found
  const objections = [...proxyObjections(used.peer, root, { nowMs }), ...workers.flatMap((one) => one.objections)]
  const row = (id: Objection['row'], statement: Sentence, unobjected: () => CheckRow): CheckRow => {
    const sentence = objections.find((one) => one.row === id)?.sentence
    return sentence === undefined ? unobjected() : rowFailed(id, statement, shown(sentence))
  }
  return {
    rows: [
      row('hardware', statements.hardware, () => hardwareRow(found)),
      row('software', statements.software, () => softwareRow(found)),
      channelRow(used.peer),
      row('worker', sealedStatement, () => workerRow(workers, told)),
      row('model', modelStatement, () => modelRow(workers)),
      row('gpu', gpuStatement, () => gpuRow(workers)),
    ],
    evidence: [
      ...connectionEvidence(used, root, 'tdx'),
      ...machineEvidence('proxy', used.peer.imageHash, quoteOf(proxy)),
      ...workerEvidence(workers.slice(0, mostShown).map(({ worker }) => worker)),
      ...workers
        .slice(0, mostShown)
        .flatMap(({ worker: { attestation }, quote }, index) =>
          attestation.kind === 'tdx'
            ? machineEvidence(index === 0 ? 'worker' : `worker-${index + 1}`, Buffer.from(attestation.imageHash, 'hex'), quote)
            : [],
        ),
      ...(told.refused.length === 0
        ? []
        : [
            evidence(
              'workers-refused',
              'mono',
              said('Keys that were not taken', { code: 'evidence-refused' }),
              [...new Set(told.refused)].join(', '),
            ),
          ]),
    ],
    inputs: inputsOf(found),
  }
}

export const quoteOf = (judged: Judged | undefined): VerifiedQuote | undefined =>
  judged !== undefined && 'quote' in judged ? judged.quote : undefined

const sealedStatement = said('The worker alone opens it', { code: 'check-sealed-worker' })
const modelStatement = said('The exact model', { code: 'check-exact-model' })
const gpuStatement = said('The graphics card in confidential mode', { code: 'check-gpu' })

function hardwareRow({ proxy, workers, told }: Found): CheckRow {
  const failed = (sentence: Sentence): CheckRow => rowFailed('hardware', statements.hardware, sentence)
  if (proxy === undefined) return failed(said('The proxy showed no attestation.', { code: 'check-hardware-proxy-none' }))
  if ('reason' in proxy) return failed(proxy.reason)
  const [first] = workers
  const none = said('The proxy’s attestation holds. No worker showed one that does.', { code: 'check-hardware-worker-none' })
  // A key that was not taken is the worker's row to tell of, with the reason.
  if (first === undefined && told.refused.length > 0) return notChecked('hardware', statements.hardware, none)
  if (first?.judged === undefined) return failed(none)
  if ('reason' in first.judged) return failed(first.judged.reason)
  const held = [proxy.quote, ...workers.flatMap(({ quote }) => (quote ? [quote] : []))]
  const untilMs = Math.min(...held.map(({ collateral }) => collateral.expiresAtMs))
  return passed(
    'hardware',
    'here',
    statements.hardware,
    said(
      `The machines of proxy and worker run in Intel TDX: their quotes hold up to the root key, and are up to date by what Intel says until ${dateText(untilMs)}.`,
      { code: 'check-hardware-tdx', values: { untilMs } },
    ),
  )
}

/** To the minute, for a person: "2026-12-21 03:05 UTC". */
const dateText = (ms: number): string => `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`

function softwareRow({ root, proxy, workers, nowMs }: Found): CheckRow {
  if (quoteOf(proxy) === undefined || workers.length === 0 || workers.some(({ quote }) => quote === undefined))
    return notChecked(
      'software',
      statements.software,
      said('Proxy and worker did not both prove what they run, so there is nothing to compare.', { code: 'check-software-half' }),
    )
  const { version = 0, source } = root ?? {}
  const { text, code, values } = readThrough(source)
  const block = source?.block?.seqno ?? '—'
  const ageSeconds = root === null ? 0 : Math.max(0, Math.round((nowMs - (source?.block?.timeMs ?? root.readAtMs)) / 1000))
  return passed(
    'software',
    'here',
    statements.software,
    said(
      `The network contract lists what proxy and worker run: version ${version}, block ${block}, ${ageSeconds} s old, read through ${text}; no block proof was checked.`,
      { code: `check-software-${code}`, values: { version, block, age: ageSeconds, ...values } },
    ),
  )
}

/** Of the workers that a question could go to: with a choice of several nobody knows yet which it will be. */
function workerRow(workers: readonly Candidate[], { refused }: Found['told']): CheckRow {
  const [first, ...others] = workers
  if (first === undefined) {
    const [reason] = refused
    return rowFailed(
      'worker',
      sealedStatement,
      reason === undefined
        ? said('No worker offers a key that a question could be sealed to.', { code: 'check-worker-no-key' })
        : keyRefusal(reason),
    )
  }
  const { owner } = first.worker
  return passed(
    'worker',
    'here',
    sealedStatement,
    others.length > 0
      ? said(
          `Questions are sealed to the key of one of ${workers.length} workers, each bound to its worker’s attestation; the proxy cannot read them. Who they belong to was not checked.`,
          { code: 'check-worker-sealed-several', values: { n: workers.length } },
        )
      : said(
          `Questions are sealed to a key that the worker’s attestation is bound to; the proxy cannot read them. It belongs to ${owner}; who that is was not checked.`,
          { code: 'check-worker-sealed', values: { owner } },
        ),
  )
}

/** Why nobody can say what only attested software could. */
function unsaid(workers: readonly Candidate[]): Sentence | undefined {
  if (workers.length === 0) return said('There is no worker to check.', { code: 'check-no-worker' })
  if (workers.every(({ quote }) => quote !== undefined)) return undefined
  return said('No attested software of a worker stands behind an answer to this.', { code: 'check-worker-unsaid' })
}

function modelRow(workers: readonly Candidate[]): CheckRow {
  const missing = unsaid(workers)
  if (missing) return notChecked('model', modelStatement, missing)
  const model = [...new Set(workers.map(({ worker }) => worker.model))].join(', ')
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

function gpuRow(workers: readonly Candidate[]): CheckRow {
  const missing = unsaid(workers)
  if (missing) return notChecked('gpu', gpuStatement, missing)
  const claims = new Set(workers.map(({ worker }) => gpuOf(worker)))
  const pass = (sentence: Sentence): CheckRow => passed('gpu', 'sealed-worker', gpuStatement, sentence)
  if (claims.size > 1)
    return pass(
      said('It is, or there is none in the machine, says the attested software of each worker.', { code: 'check-gpu-several' }),
    )
  if (claims.has('none'))
    return pass(said('There is none in the machine, says the attested software of the worker.', { code: 'check-gpu-none' }))
  return pass(
    said('It is, says the attested software of the worker. Nothing of the card itself was checked here.', {
      code: 'check-gpu-confidential',
    }),
  )
}

function machineEvidence(
  part: 'proxy' | `worker${string}`,
  imageHash: Uint8Array,
  quote: VerifiedQuote | undefined,
): EvidenceItem[] {
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

/** Public data only: what a third party needs to verify the quotes of proxy and workers again, and the lists that were compared. */
function inputsOf({ root, proxy, workers, nowMs }: Found): unknown {
  const proxyQuote = quoteOf(proxy)
  return {
    judgedAtMs: nowMs,
    ...(proxyQuote && { proxy: quoteEvidence(proxyQuote) }),
    workers: workers.map(({ worker: { signedKey }, quote }) => ({ signedKey, ...(quote && { quote: quoteEvidence(quote) }) })),
    ...(root && {
      registry: {
        address: root.address.toString(),
        version: root.version,
        readAtMs: root.readAtMs,
        ...(root.source && { endpoints: agreedEndpoints(root), silent: endpointsThat('silent', root.source.others) }),
        ...(root.disputed && { disputed: root.disputed }),
        ...(root.source?.block && { block: root.source.block.seqno, blockTimeMs: root.source.block.timeMs }),
        proxyHashes: [...root.proxyHashes],
        workerHashes: [...root.workerHashes],
        modelHashes: [...root.modelHashes],
      },
    }),
  }
}
