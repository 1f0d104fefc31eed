import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { Address } from '@ton/core'
import { z } from 'zod'
import type { CheckReport, CheckRow, Sentence } from '../../../preload/api/privacy.ts'
import { timeMs } from '../../../preload/api/scalars.ts'
import { Failure } from '../../base/failure.ts'
import { checkLimitMs } from '../../chat/privacy/seal-keeper.ts'
import { imageHash } from '../../protocol/attestation/image-hash.ts'
import type { TrustedRoots } from '../../protocol/attestation/intel-chain.ts'
import { verifyQuoteEvidence } from '../../protocol/attestation/quote-evidence.ts'
import { rememberedMs } from '../../protocol/attestation/quote-verifier.ts'
import type { VerifiedQuote } from '../../protocol/attestation/verify-quote.ts'
import { KeyRefused } from '../../protocol/sealed/direct/seal-errors.ts'
import { type ReadKey, readKeyHex, verifyKey } from '../../protocol/sealed/direct/worker-key.ts'
import { sealedWorkerOf } from '../../protocol/sealed/sealed-worker.ts'
import { type Objection, proxyObjections, workerObjections } from '../../roles/attested-peers.ts'
import { attestedFindings, type Candidate } from '../checks/attested-findings.ts'
import type { ReadRoot, UsedLink } from '../checks/network-rows.ts'
import { nameOf } from '../checks/used-connection.ts'

export type AttestedFault =
  | 'evidence-malformed'
  | 'quote-missing'
  | 'image-unlisted'
  | 'model-unlisted'
  | 'gpu-exposed'
  | 'worker-key-refused'
  | 'worker-key-differs'
  | 'times-differ'
  | 'rows-differ'
  | 'evidence-differs'

const fault = (code: AttestedFault, message: string, cause?: unknown): Failure<AttestedFault> =>
  new Failure(code, message, cause === undefined ? {} : { cause })

const hash = z.string().regex(/^[0-9a-f]{64}$/)
const endpoint = z.string().min(1).max(2048)

/** What `main/core/checks/attested-findings.ts` writes where the level is earned. */
const attestedInputs = z.strictObject({
  judgedAtMs: timeMs,
  proxy: z.unknown(),
  workers: z.array(z.strictObject({ signedKey: z.string(), quote: z.unknown() })),
  registry: z.strictObject({
    address: z.string(),
    version: z.int().nonnegative(),
    readAtMs: timeMs,
    endpoints: z.array(endpoint).min(1),
    silent: z.array(endpoint),
    block: z.int().nonnegative().optional(),
    blockTimeMs: timeMs.optional(),
    proxyHashes: z.array(hash),
    workerHashes: z.array(hash),
    modelHashes: z.array(hash),
  }),
})
type Registry = z.infer<typeof attestedInputs>['registry']

/** A registry that is older at the check proves nothing (10 §8, `root-membership.ts`). */
const mostRootAgeMs = 600_000
/** Clocks of blocks, and a clock that was set meanwhile. */
const clockMs = 60_000

/**
 * Verifies evidence that earned the attested level: from its inputs alone (quotes, keys, registry) it makes rows and evidence once more, as the check did, and
 * holds them against those of the file. What the machines did not prove stays the word of the computer that saved the file: that the registry says so, which
 * proxy and contracts the connection had, and when it was checked.
 * @returns the rows as they follow from the inputs; the wording of the file may be that of another version
 * @throws Failure with an `AttestedFault`, or an `AttestationError`
 */
export function checkAttested(report: CheckReport, inputs: unknown, roots: TrustedRoots): readonly CheckRow[] {
  const parsed = attestedInputs.safeParse(inputs)
  if (!parsed.success) throw fault('evidence-malformed', 'The inputs of this evidence are not those of a check.', parsed.error)
  const { judgedAtMs, proxy, workers, registry } = parsed.data
  const used = usedLink(report, registry)
  const proxyQuote = quoteFor('proxy', Buffer.from(used.peer.key ?? '', 'hex'), proxy, roots)
  if (workers.length === 0) throw fault('quote-missing', 'Its level rests on attested hardware, and it names no key of a worker.')
  const keys = workers.map(({ signedKey }) => keyOf(signedKey))
  const quotes = workers.map(({ quote }, index) => workerQuote(keys[index], quote, roots))
  checkTimes(report.checkedAtMs, judgedAtMs, registry, [proxyQuote, ...quotes])
  const root = rootOf(registry)
  const peer = { ...used.peer, quote: proxyQuote, imageHash: imageHash(proxyQuote.body.measured) }
  refuse(proxyObjections(peer, root, { nowMs: judgedAtMs }))
  const candidates = keys.map((key, index) => candidateOf(key, quotes[index], root, judgedAtMs))
  const derived = attestedFindings({
    used: { ...used, peer },
    root,
    proxy: { quote: proxyQuote },
    workers: candidates,
    told: { refused: refusedIn(report) },
    nowMs: judgedAtMs,
  })
  // Base64, hex and addresses can be written in several ways; the app writes one.
  if (!isDeepStrictEqual(JSON.parse(JSON.stringify(derived.inputs)), inputs))
    throw fault('evidence-malformed', 'The inputs of this evidence are not written as the app writes them.')
  if (!isDeepStrictEqual(report.rows.map(rowWithoutText), derived.rows.map(rowWithoutText)))
    throw fault('rows-differ', 'The rows of this evidence do not follow from its inputs.')
  const items = (all: CheckReport['evidence']) => all.map(({ name, ...rest }) => ({ ...rest, name: wordsOf(name) }))
  if (!isDeepStrictEqual(items(report.evidence), items([...derived.evidence])))
    throw fault('evidence-differs', 'What this evidence names is not what its quotes, keys and registry say.')
  return derived.rows
}

/** The connection, as the file names it. */
function usedLink({ connection, evidence }: CheckReport, registry: Registry): UsedLink {
  const value = (id: string): string | undefined => evidence.find((item) => item.id === id)?.value
  const key = value('proxy-key')
  if (key === undefined || !hash.safeParse(key).success)
    throw fault('quote-missing', 'Its level rests on attested hardware, and it names no key of a proxy.')
  const at = value('proxy') ?? ''
  const count = Number(/ #(\d{1,15}) /.exec(connection)?.[1])
  if (connection !== nameOf(at, { count, key }, { version: registry.version }))
    throw fault('evidence-differs', 'The connection of this evidence is not the one to the proxy that it names.')
  const [proxyContract, clientContract] = [value('proxy-contract'), value('client-contract')].map(
    (text) => text && addressOf(text),
  )
  return {
    link: { endpoint: at, ...(proxyContract && { proxyContract }), ...(clientContract && { clientContract }) },
    peer: { key, quote: undefined, imageHash: new Uint8Array(32) },
  }
}

function addressOf(text: string): Address {
  try {
    return Address.parse(text)
  } catch (cause) {
    throw fault('evidence-malformed', 'An address in this evidence is none.', cause)
  }
}

/** The quote of a part, which must be made for these bytes. */
function quoteFor(part: 'proxy' | 'worker', bytes: Uint8Array, json: unknown, roots: TrustedRoots): VerifiedQuote {
  const missing = fault(
    'quote-missing',
    `Its level rests on attested hardware, and it has no attestation for a key of its ${part}.`,
  )
  if (typeof json !== 'object' || json === null || !('kind' in json) || json.kind !== 'tdx-quote') throw missing
  const quote = verifyQuoteEvidence(json, roots)
  if (!createHash('sha512').update(bytes).digest().equals(quote.body.measured.reportData)) throw missing
  return quote
}

function workerQuote(key: ReadKey | undefined, json: unknown, roots: TrustedRoots): VerifiedQuote {
  const quote = quoteFor('worker', key?.statement ?? new Uint8Array(), json, roots)
  if (key?.quote === undefined || !Buffer.from(key.quote).equals(quote.evidence.quote))
    throw fault('worker-key-differs', 'The quote of a worker is not the one that its key came with.')
  return quote
}

function keyOf(signedKey: string): ReadKey {
  try {
    return readKeyHex(signedKey)
  } catch (thrown) {
    throw fault('worker-key-refused', 'A key of a worker in this evidence cannot be read.', thrown)
  }
}

/** The check, the registry that it compared with and the quotes that it believed are of one time. */
function checkTimes(checkedAtMs: number, judgedAtMs: number, registry: Registry, quotes: readonly VerifiedQuote[]): void {
  const { readAtMs, blockTimeMs = readAtMs } = registry
  const within = (ageMs: number, mostMs: number): boolean => ageMs >= -clockMs && ageMs <= mostMs
  if (checkedAtMs < judgedAtMs || checkedAtMs - judgedAtMs > checkLimitMs)
    throw fault('times-differ', 'The time of the check is not the one at which its inputs were judged.')
  if (!within(judgedAtMs - blockTimeMs, mostRootAgeMs) || !within(judgedAtMs - readAtMs, mostRootAgeMs + clockMs))
    throw fault('times-differ', 'The registry was not read within ten minutes of the check.')
  const isOfThen = ({ verifiedAtMs, collateral }: VerifiedQuote): boolean =>
    within(judgedAtMs - verifiedAtMs, rememberedMs) &&
    judgedAtMs >= collateral.validFromMs &&
    judgedAtMs <= collateral.expiresAtMs
  if (!quotes.every(isOfThen)) throw fault('times-differ', 'A quote was not verified at the time of the check.')
}

function rootOf({ address, version, readAtMs, endpoints, silent, block, blockTimeMs, ...lists }: Registry): ReadRoot {
  const [from = '', ...same] = endpoints
  const said = (what: 'same' | 'silent') => (one: string) => ({ endpoint: one, said: what })
  return {
    address: addressOf(address),
    version,
    readAtMs,
    source: {
      endpoint: from,
      others: [...same.map(said('same')), ...silent.map(said('silent'))],
      ...(block !== undefined && blockTimeMs !== undefined && { block: { seqno: block, timeMs: blockTimeMs } }),
    },
    proxyHashes: new Set(lists.proxyHashes),
    workerHashes: new Set(lists.workerHashes),
    modelHashes: new Set(lists.modelHashes),
    keyManager: null,
    // No other network has the level.
    params: { isTest: false },
  }
}

const codes: Record<Objection['row'], AttestedFault> = {
  hardware: 'quote-missing',
  software: 'image-unlisted',
  worker: 'quote-missing',
  model: 'model-unlisted',
  gpu: 'gpu-exposed',
}

function refuse([first]: readonly Objection[]): void {
  if (first !== undefined) throw fault(codes[first.row], first.sentence.text)
}

function candidateOf(key: ReadKey, quote: VerifiedQuote | undefined, root: ReadRoot, nowMs: number): Candidate {
  try {
    verifyKey(key, { root: root.address, model: key.model.split('@', 1)[0] ?? '', nowMs })
  } catch (thrown) {
    if (!(thrown instanceof KeyRefused)) throw thrown
    throw fault('worker-key-refused', `A key that questions were sealed to does not hold: ${thrown.reason}.`, thrown)
  }
  if (quote === undefined) throw fault('quote-missing', 'A key of a worker has no attestation.')
  const worker = sealedWorkerOf(key, {
    kind: 'tdx',
    imageHash: Buffer.from(imageHash(quote.body.measured)).toString('hex'),
  })
  refuse(workerObjections(worker, root, { nowMs }))
  return { worker, judged: { quote }, quote, objections: [] }
}

/** Keys of others that were not taken. */
function refusedIn({ evidence }: CheckReport): string[] {
  const { value } = evidence.find(({ id }) => id === 'workers-refused') ?? {}
  if (value === undefined) return []
  if (!/^[a-z0-9-]+(, [a-z0-9-]+)*$/.test(value)) throw fault('evidence-malformed', 'The reasons in this evidence are none.')
  return value.split(', ')
}

/** Another version may say the same in other words; the codes and the values of a sentence are what was found. */
const wordsOf = ({ words, text }: Sentence): unknown => words ?? text
const rowWithoutText = ({ statement, sentence, ...rest }: CheckRow): unknown => ({
  ...rest,
  statement: wordsOf(statement),
  sentence: wordsOf(sentence),
})
