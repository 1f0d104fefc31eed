import { beginCell } from '@ton/core'
import { describe, expect, it } from 'vitest'
import { publicKeyOfSeed } from '../../../contracts/signed.ts'
import type { Receipt } from '../../../preload/api/receipt.ts'
import { localParams } from '../../localnet/genesis.ts'
import { digestOf, verifyReceipt } from './receipt.ts'
import { contractFor, payment, place, sampleReceipt, seed } from './testing/sample-receipt.ts'

type Change = (receipt: Omit<Receipt, 'digest'>) => void
/** Written anew with its digest, as a forger would. */
function forged(change: Change = () => undefined): Receipt {
  const receipt = structuredClone(sampleReceipt)
  change(receipt)
  return { ...receipt, digest: digestOf(receipt) }
}
const code = (name: string): unknown => expect.objectContaining({ code: name })
const writable = (receipt: Omit<Receipt, 'digest'>) => receipt as { -readonly [K in keyof typeof receipt]: (typeof receipt)[K] }

describe('a receipt', () => {
  it('proves the signed total from the file alone', () => {
    expect(verifyReceipt(forged())).toMatchObject({ signedTokens: 2500n, totalAfter: 2000n })
    expect(verifyReceipt(JSON.parse(JSON.stringify(forged())))).toMatchObject({ signedTokens: 2500n })
  })

  it.each(Object.keys(sampleReceipt).filter((name) => name !== 'kind' && name !== 'version'))(
    'notices that %s was changed',
    (name) => {
      const receipt = forged()
      const text = JSON.stringify(receipt[name as keyof Receipt])
      const changed = {
        ...receipt,
        [name]: JSON.parse(
          text
            .replace(/\d/, (digit) => String((Number(digit) + 1) % 10))
            .replace('some', 'none')
            .replace('"none"', '"some"'),
        ),
      }
      expect(JSON.stringify(changed)).not.toBe(JSON.stringify(receipt))
      expect(() => verifyReceipt(changed)).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/^(digest-differs|receipt-malformed)$/) }),
      )
    },
  )

  it.each<[string, string, Change]>([
    ['parts that are no sum', 'parts-differ', ({ tokens }) => Object.assign(tokens, { prompt: '51' })],
    ['another cost', 'cost-differs', (one) => Object.assign(one, { cost: '1' })],
    ['another price with its cost', 'price-differs', (one) => Object.assign(one, { pricePerToken: '1', cost: '850' })],
    ['a total below the answer', 'total-falls', (one) => Object.assign(one, { totalAfter: '849' })],
    ['no signature', 'signature-missing', (one) => Object.assign(one, { signed: null })],
    [
      'another key',
      'contract-not-of-this-key',
      ({ contract }) => Object.assign(contract, { proxyKey: Buffer.from(publicKeyOfSeed(seed(8))).toString('hex') }),
    ],
    ['another owner', 'contract-not-of-this-key', ({ contract }) => Object.assign(contract, { owner: place(9).toString() })],
    ['terms that are none', 'contract-not-of-this-key', ({ contract }) => Object.assign(contract, { params: 'AAAA' })],
    [
      'a forger’s key with a contract of its own, and the payment of the true one',
      'signature-refused',
      (one) => Object.assign(one, { contract: contractFor(seed(8)) }),
    ],
    [
      'a payment signed by another key',
      'signature-refused',
      (one) => Object.assign(one, { signed: { tokens: '2500', boc: payment(2500n, seed(8)) } }),
    ],
    [
      'a payment for another contract',
      'signature-refused',
      (one) => Object.assign(one, { signed: { tokens: '2500', boc: payment(2500n, seed(7), place(4).toString()) } }),
    ],
    [
      'a payout in place of a charge',
      'signature-refused',
      (one) =>
        Object.assign(one, {
          signed: { tokens: '2500', boc: payment(2500n, seed(7), sampleReceipt.contract.address, 'worker-payout') },
        }),
    ],
    ['a payment that is none', 'signature-refused', (one) => Object.assign(one, { signed: { tokens: '2500', boc: 'AAAA' } })],
    [
      'a larger total than was signed',
      'signed-total-differs',
      (one) => Object.assign(one, { signed: { tokens: '2501', boc: payment(2500n) } }),
    ],
    [
      'a signature from before the answer',
      'not-signed-yet',
      (one) => Object.assign(one, { signed: { tokens: '1999', boc: payment(1999n) } }),
    ],
  ])('with %s is refused as %s, whatever its digest', (_, name, change) => {
    expect(() => verifyReceipt(forged(change))).toThrow(code(name))
  })

  it('does not say what a contract takes whose code is not known: any code has an address', () => {
    expect(verifyReceipt(forged())).toMatchObject({ isCodeKnown: true })
    const code = beginCell().storeUint(0xdeadbeef, 32).endCell()
    const contract = contractFor(seed(7), { ...localParams, codes: { ...localParams.codes, client: code } })
    const signed = { tokens: '2500', boc: payment(2500n, seed(7), contract.address) }
    expect(verifyReceipt(forged((one) => Object.assign(one, { contract, signed })))).toMatchObject({
      isCodeKnown: false,
      codeHash: code.hash().toString('hex'),
    })
  })

  it('proves totals, not answers: what was asked and answered is not signed', () => {
    const lied = forged((receipt) => Object.assign(writable(receipt), { responseSha256: '00'.repeat(32), model: 'another' }))
    expect(verifyReceipt(lied).totalAfter).toBe(2000n)
  })

  it.each([
    null,
    1,
    'x',
    [],
    {},
    { ...sampleReceipt },
    { ...forged(), more: 1 },
    { ...forged(), tokens: { ...sampleReceipt.tokens, total: '-1' } },
    { ...forged(), tokens: { ...sampleReceipt.tokens, cached: '00' } },
    { ...forged(), pricePerToken: `0${sampleReceipt.pricePerToken}` },
    { ...forged(), chain: { ...sampleReceipt.chain, block: -1 } },
    { ...forged(), chain: { ...sampleReceipt.chain, rootVersion: -1 } },
    { ...forged(), chain: { ...sampleReceipt.chain, readAtMs: 9e15 } },
    { ...forged(), answeredAtMs: 9e15 },
  ])('is not %j', (json) => expect(() => verifyReceipt(json)).toThrow(code('receipt-malformed')))
})
