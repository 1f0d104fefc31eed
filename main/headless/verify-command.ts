import { readFileSync, statSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { receipts } from '../../preload/api/receipt.ts'
import { asError, Failure } from '../base/failure.ts'
import { silentLogger } from '../base/logger.ts'
import { verifyEvidence } from '../core/verify/evidence.ts'
import { plain } from '../core/verify/plain.ts'
import { findCharge, type ProvenReceipt, verifyReceipt } from '../core/verify/receipt.ts'
import { attestationLines } from '../core/verify/receipt-attestation.ts'
import { sealLines } from '../core/verify/receipt-seal.ts'
import { ReceiptSequence } from '../core/verify/receipt-sequence.ts'
import type { TrustedRoots } from '../protocol/attestation/intel-chain.ts'
import { httpChain } from '../ton/http-chain.ts'

const help = `Usage: cocoon-desktop verify <file> [--chain <endpoint>]

Verifies a file that the app saved. It needs neither the app nor, without --chain, any network.

  receipt     Signature, contract, sums and totals of a paid answer; the key that it was sealed to, and its bill against what came.
              --chain <endpoint>  also looks up the charge on chain that covers it (HTTP endpoint of toncenter's form).
  evidence    What a check of a level found; a TDX quote in it is verified again, as of its time.

Exit code 0: everything that the file can prove is proven. 1: a failure, named on the first line of its answer.
2: wrong use. 3: nothing is wrong with the file, and it does not prove what it is for:
there is no attestation in the evidence, or the code of the receipt's contract is not known. 4: the receipt is good, and the chain shows no charge that covers it yet.
`

/** Of the process, beside 0 (`help`). */
const statuses = { refused: 1, misused: 2, unknown: 3, uncharged: 4 } as const
/** The worst first. */
const bySeverity = [statuses.refused, statuses.unknown, statuses.uncharged]

const mostFileBytes = 4 << 20

/**
 * `cocoon-desktop verify …`.
 * @param roots root keys that quotes have to hold up to: `intelRoots` in all that ships
 * @returns the status that the process should end with
 */
export async function verifyCommand(
  args: string[],
  roots: TrustedRoots,
  print: (line: string) => void = (line) => console.log(line),
): Promise<number> {
  const given = readArguments(args)
  if (given instanceof Error) {
    print(`${given.message}\n\n${help}`)
    return statuses.misused
  }
  const { values, positionals } = given
  const [file] = positionals
  if (values.help || file === undefined || positionals.length > 1) {
    print(help)
    return values.help ? 0 : statuses.misused
  }
  try {
    const json = readJson(file)
    const all = receiptsIn(json)
    if (all === undefined && values.chain !== undefined) {
      print('Only a receipt has a charge that --chain could look for.')
      return statuses.misused
    }
    const { lines, status } = all === undefined ? aboutEvidence(json, roots) : await aboutReceipts(all, values.chain)
    for (const line of lines) print(line)
    return status
  } catch (thrown) {
    const { lines, status } = refusal(thrown)
    for (const line of lines) print(line)
    return status
  }
}

function readArguments(args: string[]) {
  try {
    return parseArgs({ args, allowPositionals: true, options: { chain: { type: 'string' }, help: { type: 'boolean' } } })
  } catch (thrown) {
    return asError(thrown)
  }
}

function aboutFile(file: string) {
  try {
    return statSync(file)
  } catch (thrown) {
    const error = asError(thrown)
    const isMissing = 'code' in error && error.code === 'ENOENT'
    throw new Failure(
      'file-unreadable',
      isMissing ? `There is no file ${file}.` : `The file ${file} cannot be read: ${error.message}`,
      { cause: thrown },
    )
  }
}

function readJson(file: string): unknown {
  const about = aboutFile(file)
  // A pipe has no size, and may have no end.
  if (!about.isFile()) throw new Failure('file-malformed', 'This is no plain file.')
  if (about.size > mostFileBytes) throw new Failure('file-too-large', 'No receipt or evidence is so large.')
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (thrown) {
    throw new Failure('file-unreadable', `The file ${file} cannot be read: ${asError(thrown).message}`, { cause: thrown })
  }
  try {
    return JSON.parse(text)
  } catch (thrown) {
    throw new Failure('file-malformed', 'The file is no JSON.', { cause: thrown })
  }
}

interface Told {
  readonly lines: string[]
  /** That the process should end with. */
  readonly status: number
}

function aboutEvidence(json: unknown, roots: TrustedRoots): Told {
  const lines = verifyEvidence(json, roots)
  return { lines, status: lines.some((line) => line.startsWith('PROVEN')) ? 0 : statuses.unknown }
}

/** Of a file with one receipt, or with those of all answers to one question; undefined for anything else. */
function receiptsIn(json: unknown): readonly unknown[] | undefined {
  if (typeof json !== 'object' || json === null || !('kind' in json)) return undefined
  if (json.kind === 'cocoon-receipt') return [json]
  if (json.kind !== 'cocoon-receipts') return undefined
  const parsed = receipts.safeParse(json)
  if (!parsed.success)
    throw new Failure('receipt-malformed', 'These are no receipts, or a field of them is missing or malformed.', {
      cause: parsed.error,
    })
  return parsed.data.receipts
}

/** Each for itself, but for what they say of each other: one that proves nothing yet takes nothing from the others, and the status is the worst. */
async function aboutReceipts(all: readonly unknown[], endpoint: string | undefined): Promise<Told> {
  const [only] = all
  if (all.length === 1) return aboutReceipt(verifyReceipt(only), endpoint)
  const told: Told[] = []
  const sequence = new ReceiptSequence()
  for (const [index, one] of all.entries()) {
    const { lines, status } = await judged(one, endpoint, sequence)
    const which = index === all.length - 1 ? 'the newest' : 'an earlier one'
    told.push({ lines: [`Answer ${index + 1} of ${all.length}, ${which}:`, ...lines], status })
  }
  return { lines: told.flatMap(({ lines }) => lines), status: worst(told.map(({ status }) => status)) }
}

const worst = (all: readonly number[]): number => bySeverity.find((status) => all.includes(status)) ?? 0

async function judged(receipt: unknown, endpoint: string | undefined, sequence: ReceiptSequence): Promise<Told> {
  try {
    return await aboutReceipt(sequence.take(verifyReceipt(receipt)), endpoint)
  } catch (thrown) {
    return refusal(thrown)
  }
}

function refusal(thrown: unknown): Told {
  const message = plain(asError(thrown).message)
  return {
    lines: [thrown instanceof Failure ? `NOT PROVEN (${thrown.code}): ${message}` : `NOT PROVEN: ${message}`],
    status: statuses.refused,
  }
}

async function aboutReceipt(proven: ProvenReceipt, endpoint: string | undefined): Promise<Told> {
  const { receipt, contract, codeHash, isCodeKnown, signedTokens, totalAfter } = proven
  const seal = sealLines(receipt)
  const taking = `he contract ${contract.toString()} takes charges signed by the key ${receipt.contract.proxyKey} alone`
  const lines = [
    'PROVEN from the file alone:',
    ...(isCodeKnown ? [`  T${taking}.`] : []),
    `  The key ${receipt.contract.proxyKey} signed a total of ${signedTokens} adjusted tokens, which covers the ${totalAfter} up to and with this answer.`,
    `  ${receipt.tokens.total} adjusted tokens at ${receipt.pricePerToken} nanoton are ${receipt.cost} nanoton; the price is that of the contract.`,
    ...seal.proven,
    'NOT PROVEN by it:',
    ...(isCodeKnown ? [] : [`  That t${taking}: its code ${codeHash} is none that this version knows.`]),
    `  That owner, proxy and terms of the contract belong to the network ${plain(receipt.chain.root)}: nothing that was signed names it.`,
    `  What was asked and answered: signature and chain cover totals only. Hashes, model, time and the ${receipt.tokens.total} tokens of this one`,
    '  answer are the word of the computer that saved the file.',
    ...seal.unproven,
    ...attestationLines(receipt),
  ]
  const notAsked = 'The chain was not asked; --chain <endpoint> looks for the charge.'
  const status = isCodeKnown ? 0 : statuses.unknown
  if (endpoint === undefined) return { lines: [...lines, notAsked], status }
  const charge = await findCharge(httpChain({ kind: receipt.chain.network, endpoint, logger: silentLogger }), proven)
  if (charge === null)
    return {
      lines: [...lines, `The chain (${endpoint}) shows no charge yet that covers it.`],
      status: worst([status, statuses.uncharged]),
    }
  const found = [
    `The chain (${endpoint}, no block proof checked) shows the charge that covers it:`,
    `  transaction ${charge.transaction} of ${new Date(charge.timeMs).toISOString()}, total ${charge.tokens} adjusted tokens.`,
  ]
  return { lines: [...lines, ...found], status }
}
