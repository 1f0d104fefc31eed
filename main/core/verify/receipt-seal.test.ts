import { beforeAll, describe, expect, it } from 'vitest'
import type { Receipt } from '../../../preload/api/receipt.ts'
import { receiptSeal } from '../../../preload/api/seal.ts'
import { answerTokensOf } from '../../protocol/sealed/recount.ts'
import { ringOf } from '../../protocol/sealed/testing/sealing-scene.ts'
import { digestOf, verifyReceipt } from './receipt.ts'
import { sealLines } from './receipt-seal.ts'
import { place, sampleReceipt } from './testing/sample-receipt.ts'

const model = 'some/model-q4@abc:def'
const { answeredAtMs } = sampleReceipt
type Direct = Extract<NonNullable<Receipt['seal']>, { scheme: 'direct' }>
type Writable<T> = { -readonly [K in keyof T]: Writable<T[K]> }

/** A key as a worker of this network stated it a minute before the answer. */
async function keyOf(change: Parameters<typeof ringOf>[0] = {}) {
  const key = await ringOf({ root: place(3), model, now: () => answeredAtMs - 60_000, ...change }).current()
  const worker: Direct['worker'] = {
    keyId: Buffer.from(key.id).toString('hex'),
    owner: key.owner.toRawString(),
    ownerProof: 'w5',
    model: key.model,
    createdAtMs: key.createdAtMs,
    expiresAtMs: key.expiresAtMs,
    attestation: { kind: 'none' },
    signedKey: Buffer.from(key.signedKey).toString('hex'),
  }
  return worker
}
const counted = { textEvents: 100, textBytes: 380, brokenTokens: 0 }
const usage: NonNullable<Direct['usage']> = {
  asked: { queryBytes: 300, maxCoefficient: 1000 },
  statedTokens: '850',
  worker: {
    ...{ promptTokens: 50, cachedTokens: 0, completionTokens: 100, reasoningTokens: 0 },
    ...{ coefficient: 1000, adjustedTokens: '850' },
  },
  recount: { ...counted, ...answerTokensOf(counted), billedTokens: 100 },
  deviations: [],
}

let good: Direct
let otherNetwork: Direct['worker']
let otherModel: Direct['worker']
beforeAll(async () => {
  good = { scheme: 'direct', worker: await keyOf(), requestBytes: 1500, answer: { state: 'whole' }, usage }
  otherNetwork = await keyOf({ root: place(4) })
  otherModel = await keyOf({ model: 'other/model@abc:def' })
})

/** Written anew with its digest, as a forger would. */
function receiptWith(change: (seal: Writable<Direct>) => void = () => undefined, more: Partial<Receipt> = {}): Receipt {
  const seal = structuredClone(good)
  change(seal)
  const receipt = { ...sampleReceipt, seal, ...more }
  return { ...receipt, digest: digestOf(receipt) }
}
const flip = (hex: string, at: number): string => hex.slice(0, at) + (hex[at] === '0' ? '1' : '0') + hex.slice(at + 1)
const usageOf = (seal: Writable<Direct>) => seal.usage ?? expect.unreachable('no usage')

describe('the seal of a receipt', () => {
  it('proves whose key the question was sealed to, and names what is not proven', () => {
    const { receipt } = verifyReceipt(receiptWith())
    const { proven, unproven } = sealLines(receipt)
    expect(proven).toEqual([
      `  The key ${good.worker.keyId} is one of a worker paid to ${good.worker.owner}, by that wallet’s signature, for some/model-q4 on this network.`,
    ])
    expect(unproven[0]).toContain('That the question was sealed to that key. Who the owner is was not checked.')
    expect(unproven.join()).toContain('the bill fits to the text')
  })

  it.each<[string, string, (seal: Writable<Direct>) => void]>([
    ['another owner', 'seal-key-differs', ({ worker }) => Object.assign(worker, { owner: place(9).toRawString() })],
    ['the id of another key', 'seal-key-differs', ({ worker }) => Object.assign(worker, { keyId: flip(worker.keyId, 3) })],
    ['another model than the key’s', 'seal-key-differs', ({ worker }) => Object.assign(worker, { model: 'some/model-q4@x:y' })],
    ['a longer life', 'seal-key-differs', ({ worker }) => Object.assign(worker, { expiresAtMs: worker.expiresAtMs + 1000 })],
    ['another proof of the owner', 'seal-key-differs', ({ worker }) => Object.assign(worker, { ownerProof: 'cocoon-wallet' })],
    [
      'a quote that the key has not',
      'seal-key-differs',
      ({ worker }) => Object.assign(worker, { attestation: { kind: 'not-checked' } }),
    ],
    ['a key that is none', 'seal-key-refused', ({ worker }) => Object.assign(worker, { signedKey: 'ab' })],
    [
      'a signature of nobody',
      'seal-key-refused',
      ({ worker }) => Object.assign(worker, { signedKey: flip(worker.signedKey, worker.signedKey.length - 20) }),
    ],
    ['a key of another network', 'seal-key-refused', (seal) => Object.assign(seal, { worker: otherNetwork })],
    ['a key of another model', 'seal-key-refused', (seal) => Object.assign(seal, { worker: otherModel })],
    [
      'a bill above the worker’s that it does not name',
      'usage-differs',
      (seal) => Object.assign(usageOf(seal).worker ?? {}, { adjustedTokens: '849' }),
    ],
    ['a deviation that is none', 'usage-differs', (seal) => usageOf(seal).deviations.push('stated-above-worker')],
    ['another total', 'usage-differs', (seal) => Object.assign(usageOf(seal), { statedTokens: '849' })],
    ['a wider tolerance', 'usage-differs', (seal) => Object.assign(usageOf(seal).recount, { toleratedTokens: 9_999 })],
    ['more expected tokens', 'usage-differs', (seal) => Object.assign(usageOf(seal).recount, { expectedTokens: 101 })],
    [
      'other billed tokens than the worker’s',
      'usage-differs',
      (seal) => Object.assign(usageOf(seal).recount, { billedTokens: 99 }),
    ],
  ])('with %s is refused as %s', (_name, code, change) => {
    expect(() => verifyReceipt(receiptWith(change))).toThrow(expect.objectContaining({ code }))
  })

  it('is of the time of the answer: a key that ended long before is refused, one that ended meanwhile is not', () => {
    const at = (ms: number): Receipt => receiptWith(undefined, { answeredAtMs: good.worker.expiresAtMs + ms })
    expect(verifyReceipt(at(60_000)).totalAfter).toBe(2000n)
    for (const ms of [600_001, 86_400_000])
      expect(() => verifyReceipt(at(ms))).toThrow(expect.objectContaining({ code: 'seal-key-refused' }))
    const before = receiptWith(undefined, { answeredAtMs: good.worker.createdAtMs - 600_000 })
    expect(() => verifyReceipt(before)).toThrow(expect.objectContaining({ code: 'seal-key-refused' }))
  })

  it('keeps a deviation as evidence, with its numbers', () => {
    const { receipt } = verifyReceipt(
      receiptWith((seal) => {
        const evidence = usageOf(seal)
        Object.assign(evidence.worker ?? {}, { adjustedTokens: '450', completionTokens: 50 })
        Object.assign(evidence.recount, { billedTokens: 50 })
        evidence.deviations.push('stated-above-worker')
      }),
    )
    expect(sealLines(receipt).unproven.join('\n')).toContain('the proxy states 850 adjusted tokens, the worker 450.')
  })

  it('says how a question left that was not sealed, and that an older receipt does not say it', () => {
    for (const [seal, words] of [
      [{ scheme: 'none', reason: 'proxy-without' }, 'readable for its proxy (the proxy offered no seal)'],
      [
        { scheme: 'v1', receiverKey: 'ab'.repeat(32), answer: { state: 'whole' }, usage: null },
        'which its proxy and its worker have',
      ],
      [undefined, 'this receipt does not say it'],
    ] as const) {
      const { receipt } = verifyReceipt(receiptWith(undefined, { seal: seal && receiptSeal.parse(seal) }))
      expect(sealLines(receipt)).toEqual({ proven: [], unproven: [expect.stringContaining(words)] })
    }
  })
})
