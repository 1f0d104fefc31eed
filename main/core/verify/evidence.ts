import { createHash } from 'node:crypto'
import { Failure } from '../../base/failure.ts'
import { hexOf } from '../../base/hex.ts'
import { type EvidenceFile, evidenceFile } from '../../chat/privacy/evidence-file.ts'
import { objection } from '../../chat/privacy/judge.ts'
import { levelNames } from '../../chat/privacy/levels.ts'
import { imageHash } from '../../protocol/attestation/image-hash.ts'
import type { TrustedRoots } from '../../protocol/attestation/intel-chain.ts'
import { verifyQuoteEvidence } from '../../protocol/attestation/quote-evidence.ts'
import { type ReadKey, readKeyHex } from '../../protocol/sealed/direct/worker-key.ts'
import { checkAttested } from './attested-evidence.ts'
import { plain } from './plain.ts'

/**
 * Verifies saved evidence as far as a file allows: that its verdict follows from its rows, and each quote in its inputs, as of the time that it names.
 * Also takes the bare evidence of one quote.
 * @param json from anywhere
 * @param roots trusted root keys
 * @returns lines for a person
 * @throws Failure `evidence-malformed`, `verdict-differs`, or an `AttestationError`; where the attested level is earned, as `checkAttested`
 */
export function verifyEvidence(json: unknown, roots: TrustedRoots): string[] {
  if (kindOf(json) === 'tdx-quote') return quoteLines(json, [], roots)
  const parsed = evidenceFile.safeParse(json)
  if (!parsed.success) throw new Failure('evidence-malformed', 'This is neither a receipt nor evidence.', { cause: parsed.error })
  const { level, verdict, report, inputs } = parsed.data
  if ((objection(level, report.rows) === null) !== (verdict === 'earned'))
    throw new Failure('verdict-differs', 'The verdict of this evidence does not follow from its rows.')
  const quotes = quotesIn(inputs)
  const workers = statementsIn(inputs)
  const keys = [...keysIn(report), ...workers]
  const rows = level === 'attested' && verdict === 'earned' ? attestedRows(report, inputs, quotes, roots) : report.rows
  return [
    ...quotes.flatMap((quote) => quoteLines(quote, keys, roots)),
    `The verdict “${verdict}” of level “${levelNames[level]}” follows from the rows of the file, checked at ${new Date(report.checkedAtMs).toISOString()}:`,
    ...rows.map(rowLine),
    ...registryLines(report),
    ...(quotes.length === 0
      ? ['NOT PROVEN: there is no attestation in this evidence. The rows are the word of the computer that saved the file.']
      : ['NOT PROVEN: rows other than the quotes above are the word of the computer that saved the file.']),
  ]
}

/** The level rests on both machines. */
function attestedRows(report: EvidenceFile['report'], inputs: unknown, quotes: readonly unknown[], roots: TrustedRoots) {
  if (quotes.length === 0)
    throw new Failure('quote-missing', 'Its level rests on attested hardware, and there is no attestation in it.')
  return checkAttested(report, inputs, roots)
}

type Measured = ReturnType<typeof verifyQuoteEvidence>['body']['measured']

const isFor = ({ bytes }: BoundTo, { reportData }: Measured): boolean =>
  createHash('sha512').update(bytes).digest().equals(reportData)

const kindOf = (json: unknown): unknown => (typeof json === 'object' && json !== null && 'kind' in json ? json.kind : undefined)

const rowLine = ({ result, by, statement, sentence }: EvidenceFile['report']['rows'][number]): string =>
  `  ${result === 'passed' ? `passed (${by ?? 'nobody'})` : result}: ${plain(statement.text)}. ${plain(sentence.text)}`

/** Which endpoints the registry was read through, by the word of the computer that saved the file, and whether they agreed. */
function registryLines({ evidence }: EvidenceFile['report']): string[] {
  const told = (isOne: (id: string) => boolean): string =>
    evidence
      .filter(({ id }) => isOne(id))
      .map(({ value }) => plain(value))
      .join(', ')
  const from = told((id) => id === 'read-from')
  if (from === '') return []
  const same = told((id) => /^read-same-\d+$/.test(id))
  const silent = told((id) => /^read-silent-\d+$/.test(id))
  const apart = told((id) => id === 'read-other')
  const asked = apart
    ? `the endpoints DISAGREED: ${apart}`
    : [same || silent ? '' : 'one endpoint was asked', same && `${same} said the same`, silent && `${silent} did not answer`]
        .filter((part) => part !== '')
        .join('; ')
  return [`NOT PROVEN: what the registry says. It was read through ${from}; ${asked}; no block proof was checked.`]
}

/** What a quote may have been made for. */
interface BoundTo {
  /** Its SHA-512 is the report data of the quote. */
  readonly bytes: Uint8Array
  readonly line: string
}

/** What the file names as the keys of its connection, e.g. `proxy-key`. */
function keysIn({ evidence }: EvidenceFile['report']): BoundTo[] {
  const named = evidence.filter(({ id, value }) => /(^|-)key$/.test(id) && /^[0-9a-f]{64}$/.test(value))
  return named.map(({ value }) => ({
    bytes: new Uint8Array(Buffer.from(value, 'hex')),
    line: `It was made for the key ${value}. That the connection had this key is the word of the computer that saved the file.`,
  }))
}

/** The workers' keys among the inputs: what their owners signed (docs/protocol-extensions.md). */
function statementsIn(inputs: unknown, depth = 0): BoundTo[] {
  if (typeof inputs !== 'object' || inputs === null || depth > mostDepth) return []
  const nested = Object.values(inputs).flatMap((one) => statementsIn(one, depth + 1))
  if (!('signedKey' in inputs) || typeof inputs.signedKey !== 'string') return nested
  const { id, statement, model, owner, gpu } = readSignedKey(inputs.signedKey)
  const said = gpu === undefined ? '' : `, graphics card: ${gpu}`
  return [
    {
      bytes: statement,
      line: `It was made for the sealing key ${Buffer.from(id).toString('hex')} of a worker paid to ${owner.toRawString()} (${plain(model)}${said}). That questions were sealed to it is the word of the computer that saved the file.`,
    },
    ...nested,
  ]
}

function readSignedKey(hex: string): ReadKey {
  try {
    return readKeyHex(hex)
  } catch (cause) {
    throw new Failure('evidence-malformed', 'A key of a worker in this evidence cannot be read.', { cause })
  }
}

const mostDepth = 4

/** Evidence of quotes anywhere among the inputs, e.g. of proxy and worker. */
function quotesIn(inputs: unknown, depth = 0): unknown[] {
  if (typeof inputs !== 'object' || inputs === null) return []
  // What is not looked at must not pass for looked at.
  if (depth > mostDepth) throw new Failure('evidence-malformed', 'The inputs of this evidence are nested too deeply.')
  if (kindOf(inputs) === 'tdx-quote') return [inputs]
  return Object.values(inputs).flatMap((one) => quotesIn(one, depth + 1))
}

function quoteLines(json: unknown, keys: readonly BoundTo[], roots: TrustedRoots): string[] {
  const { body, rootKeyHash, verifiedAtMs } = verifyQuoteEvidence(json, roots)
  const { reportData } = body.measured
  const key = keys.find((one) => isFor(one, body.measured))
  return [
    `PROVEN: a TDX quote that was good at ${new Date(verifiedAtMs).toISOString()}, up to the root key ${hexOf(rootKeyHash)}.`,
    `  MRTD ${hexOf(body.measured.mrTd)}`,
    `  Image hash ${hexOf(imageHash(body.measured))}`,
    `  Report data ${hexOf(reportData)}: SHA-512 of the key that it was made for.`,
    key === undefined
      ? 'NOT PROVEN: that this quote belongs to the connection of the file. It was made for none of the keys that the file names.'
      : `  ${key.line}`,
  ]
}
