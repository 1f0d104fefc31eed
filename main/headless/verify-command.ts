import { readFileSync, statSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { asError, Failure } from '../base/failure.ts'
import { silentLogger } from '../base/logger.ts'
import { verifyEvidence } from '../core/verify/evidence.ts'
import { plain } from '../core/verify/plain.ts'
import { findCharge, type ProvenReceipt, verifyReceipt } from '../core/verify/receipt.ts'
import { httpChain } from '../ton/http-chain.ts'

const help = `Usage: cocoon-desktop verify <file> [--chain <endpoint>]

Verifies a file that the app saved. It needs neither the app nor, without --chain, any network.

  receipt     Signature, contract, sums and totals of a paid answer.
              --chain <endpoint>  also looks up the charge on chain that covers it (HTTP endpoint of toncenter's form).
  evidence    What a check of a level found; a TDX quote in it is verified again, as of its time.

Exit code 0: everything that the file can prove is proven. 1: a failure, named on the first line. 2: wrong use.
`

const mostFileBytes = 4 << 20

/** `cocoon-desktop verify …`. @returns the status that the process should end with */
export async function verifyCommand(
  args: string[],
  print: (line: string) => void = (line) => console.log(line),
): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { chain: { type: 'string' }, help: { type: 'boolean' } },
  })
  const [file] = positionals
  if (values.help || file === undefined || positionals.length > 1) {
    print(help)
    return values.help ? 0 : 2
  }
  try {
    const json = readJson(file)
    const isReceipt = typeof json === 'object' && json !== null && 'kind' in json && json.kind === 'cocoon-receipt'
    for (const line of isReceipt ? await aboutReceipt(verifyReceipt(json), values.chain) : verifyEvidence(json)) print(line)
    return 0
  } catch (thrown) {
    const message = plain(asError(thrown).message)
    print(thrown instanceof Failure ? `NOT PROVEN (${thrown.code}): ${message}` : `NOT PROVEN: ${message}`)
    return 1
  }
}

function readJson(file: string): unknown {
  if (statSync(file).size > mostFileBytes) throw new Failure('file-too-large', 'No receipt or evidence is so large.')
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (thrown) {
    throw new Failure('file-malformed', 'The file is no JSON.', { cause: thrown })
  }
}

async function aboutReceipt(proven: ProvenReceipt, endpoint: string | undefined): Promise<string[]> {
  const { receipt, contract, signedTokens, totalAfter } = proven
  const lines = [
    'PROVEN from the file alone:',
    `  The contract ${contract.toString()} takes charges signed by the key ${receipt.contract.proxyKey} alone.`,
    `  That key signed a total of ${signedTokens} adjusted tokens, which covers the ${totalAfter} up to and with this answer.`,
    `  ${receipt.tokens.total} adjusted tokens at ${receipt.pricePerToken} nanoton are ${receipt.cost} nanoton; the price is that of the contract.`,
    'NOT PROVEN by it:',
    `  What was asked and answered: signature and chain cover totals only. Hashes, model, time and the ${receipt.tokens.total} tokens of this one`,
    '  answer are the word of the computer that saved the file.',
    `  What machine answered: its attestation is “${receipt.attestation}”.`,
  ]
  if (endpoint === undefined) return [...lines, 'The chain was not asked; --chain <endpoint> looks for the charge.']
  const charge = await findCharge(httpChain({ kind: receipt.chain.network, endpoint, logger: silentLogger }), proven)
  if (charge === null) return [...lines, `The chain (${endpoint}) shows no charge yet that covers it.`]
  return [
    ...lines,
    `The chain (${endpoint}, no block proof checked) shows the charge that covers it:`,
    `  transaction ${charge.transaction} of ${new Date(charge.timeMs).toISOString()}, total ${charge.tokens} adjusted tokens.`,
  ]
}
