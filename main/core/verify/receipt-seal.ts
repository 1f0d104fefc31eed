import { Address } from '@ton/core'
import type { Receipt } from '../../../preload/api/receipt.ts'
import type { ReceiptSeal } from '../../../preload/api/seal.ts'
import { asError, Failure } from '../../base/failure.ts'
import type { Multipliers } from '../../protocol/accounting/adjusted-tokens.ts'
import { KeyRefused } from '../../protocol/sealed/direct/seal-errors.ts'
import { type ReadKey, readKeyHex, verifyKey } from '../../protocol/sealed/direct/worker-key.ts'
import { answerTokensOf, deviationsOf, paidTokensOf } from '../../protocol/sealed/recount.ts'

export type ReceiptSealFault = 'seal-key-refused' | 'seal-key-differs' | 'usage-differs'

type Direct = Extract<ReceiptSeal, { scheme: 'direct' }>
type Usage = NonNullable<Direct['usage']>

/** A question may have been answered for so long after it was sealed. */
const longestAnswerMs = 600_000

/**
 * Verifies what a receipt says of its seal, as far as a file allows: that the owner's wallet signed the key, for this network and model and the time of
 * the answer, and that the deviations follow from the numbers beside them. That the question was sealed to that key, and the numbers, are the word of
 * the computer that wrote the file.
 * @throws Failure `seal-key-refused`, `seal-key-differs`, `usage-differs`
 */
export function checkSeal(receipt: Receipt, multipliers: Multipliers): void {
  const { seal } = receipt
  if (seal === undefined || seal.scheme === 'none') return
  if (seal.scheme === 'direct') checkKey(receipt, seal)
  if (seal.usage !== null) checkUsage(receipt, seal.usage, multipliers)
}

function checkKey({ chain, model, answeredAtMs }: Receipt, { worker }: Direct): void {
  const key = keyOf(worker.signedKey)
  const said = [worker.keyId, worker.owner, worker.ownerProof, worker.model, worker.createdAtMs, worker.expiresAtMs]
  const stated = [
    Buffer.from(key.id).toString('hex'),
    key.owner.toRawString(),
    key.wallet['@type'] === 'sealed.walletW5' ? 'w5' : 'cocoon-wallet',
    key.model,
    key.createdAtMs,
    key.expiresAtMs,
  ]
  const hasQuote = key.quote !== undefined
  if (said.some((one, at) => one !== stated[at]) || hasQuote !== (worker.attestation.kind !== 'none'))
    throw new Failure('seal-key-differs', 'What the receipt says of the key is not what the key itself states.')
  // It was sealed to before it was answered.
  const hasJustEnded = key.expiresAtMs <= answeredAtMs && answeredAtMs - key.expiresAtMs < longestAnswerMs
  const nowMs = hasJustEnded ? key.expiresAtMs - 1 : answeredAtMs
  try {
    verifyKey(key, { root: Address.parse(chain.root), model, nowMs })
  } catch (thrown) {
    throw refused(thrown)
  }
}

function keyOf(signedKey: string): ReadKey {
  try {
    return readKeyHex(signedKey)
  } catch (thrown) {
    throw refused(thrown)
  }
}

const refused = (thrown: unknown): Failure =>
  new Failure(
    'seal-key-refused',
    `The key that the question was sealed to does not hold: ${thrown instanceof KeyRefused ? thrown.reason : asError(thrown).name}.`,
    { cause: thrown },
  )

function checkUsage({ tokens }: Receipt, usage: Usage, multipliers: Multipliers): void {
  const { recount, worker } = usage
  const counted = answerTokensOf(recount)
  const { prompt, cached, completion, reasoning, total } = tokens
  const stated = {
    prompt: BigInt(prompt),
    cached: BigInt(cached),
    completion: BigInt(completion),
    reasoning: BigInt(reasoning),
    total: BigInt(total),
  }
  const follows =
    usage.statedTokens === total &&
    recount.expectedTokens === counted.expectedTokens &&
    recount.toleratedTokens === counted.toleratedTokens &&
    (worker === null || paidTokensOf(worker).answer === recount.billedTokens) &&
    deviationsOf(stated, usage, multipliers).join() === usage.deviations.join()
  if (!follows) throw new Failure('usage-differs', 'What the receipt says of the bill does not follow from its numbers.')
}

const leftReadable: Record<Extract<ReceiptSeal, { scheme: 'none' }>['reason'], string> = {
  'not-wanted': 'no seal was asked for',
  'proxy-without': 'the proxy offered no seal',
  'no-keys': 'the proxy knew no worker that it could be sealed to',
  'not-sent': 'it did not leave',
}

const deviationText = (usage: Usage): Record<Usage['deviations'][number], string> => {
  const { worker, recount, statedTokens, asked } = usage
  const answer = worker === null ? 'what the bill pays for' : `${paidTokensOf(worker).answer} answer tokens`
  return {
    'stated-above-worker': `the proxy states ${statedTokens} adjusted tokens, the worker ${worker?.adjustedTokens}`,
    'adjusted-wrongly': `the worker’s ${worker?.adjustedTokens} adjusted tokens do not follow from its real ones`,
    'coefficient-above-limit': `a price factor of ${worker?.coefficient} thousandths, and the limit was ${asked.maxCoefficient}`,
    'completion-beyond-tolerance': `${answer}, and the text has about ${recount.expectedTokens}; ${recount.toleratedTokens} are tolerated`,
    'prompt-beyond-tolerance': `more prompt tokens than a question of ${asked.queryBytes} bytes can have`,
  }
}

/** What a verified receipt proves of its seal, and what it does not, for a person. */
export function sealLines({ seal, model }: Receipt): { readonly proven: string[]; readonly unproven: string[] } {
  if (seal === undefined) return { proven: [], unproven: ['  How the question left: this receipt does not say it.'] }
  if (seal.scheme === 'none')
    return { proven: [], unproven: [`  How the question left: readable for its proxy (${leftReadable[seal.reason]}).`] }
  const usage = seal.usage === null ? [] : usageLines(seal.usage)
  if (seal.scheme === 'v1')
    return {
      proven: [],
      unproven: [
        `  How the question left: encrypted for the key ${seal.receiverKey}, which its proxy and its worker have.`,
        ...usage,
      ],
    }
  const { keyId, owner } = seal.worker
  return {
    proven: [`  The key ${keyId} is one of a worker paid to ${owner}, by that wallet’s signature, for ${model} on this network.`],
    unproven: ['  That the question was sealed to that key. Who the owner is was not checked.', ...usage],
  }
}

function usageLines(usage: Usage): string[] {
  if (usage.deviations.length === 0) return ['  By its numbers the bill fits to the text, within the tolerance.']
  const text = deviationText(usage)
  return ['  By its numbers the bill does NOT fit to what came:', ...usage.deviations.map((name) => `    ${text[name]}.`)]
}
