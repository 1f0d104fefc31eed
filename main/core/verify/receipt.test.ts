import { Address } from '@ton/core'
import { describe, expect, it } from 'vitest'
import { clientInit } from '../../../contracts/client.ts'
import { keySigner, publicKeyOfSeed, type SignedKind, signMessage } from '../../../contracts/signed.ts'
import type { Receipt } from '../../../preload/api/receipt.ts'
import { localParams } from '../../localnet/genesis.ts'
import { digestOf, paramsText, verifyReceipt } from './receipt.ts'

const seed = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)
const place = (byte: number): Address => new Address(0, Buffer.alloc(32, byte))
const params = localParams
const owner = place(1)
const proxy = place(2)

function contractFor(key: Uint8Array): Receipt['contract'] {
  const { address } = clientInit({ owner, proxy, publicKey: publicKeyOfSeed(key), params })
  return {
    address: address.toString(),
    owner: owner.toString(),
    proxy: proxy.toString(),
    proxyKey: Buffer.from(publicKeyOfSeed(key)).toString('hex'),
    params: paramsText(params),
  }
}

function payment(
  tokens: bigint,
  key = seed(7),
  contract = contractFor(seed(7)).address,
  kind: SignedKind = 'client-charge',
): string {
  const payload = { kind: kind as 'client-charge', queryId: 5n, contract: Address.parse(contract), tokens }
  return signMessage(payload, owner, keySigner(key)).toBoc().toString('base64')
}

type Change = (receipt: Omit<Receipt, 'digest'>) => void
const good: Omit<Receipt, 'digest'> = {
  kind: 'cocoon-receipt',
  version: 1,
  requestId: 'a1'.repeat(32),
  requestSha256: 'c2'.repeat(32),
  responseSha256: 'e3'.repeat(32),
  model: 'some/model-q4',
  answeredAtMs: 1_795_348_800_000,
  tokens: { prompt: '50', cached: '0', completion: '800', reasoning: '0', total: '850' },
  pricePerToken: String(params.pricePerToken),
  cost: String(850n * params.pricePerToken),
  totalAfter: '2000',
  contract: contractFor(seed(7)),
  signed: { tokens: '2500', boc: payment(2500n) },
  attestation: 'none',
  chain: { network: 'local', root: place(3).toString(), rootVersion: 1, readAtMs: 1_795_348_700_000 },
}

/** Written anew with its digest, as a forger would. */
function forged(change: Change = () => undefined): Receipt {
  const receipt = structuredClone(good)
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

  it.each(Object.keys(good).filter((name) => name !== 'kind' && name !== 'version'))('notices that %s was changed', (name) => {
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
  })

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
        Object.assign(one, { signed: { tokens: '2500', boc: payment(2500n, seed(7), good.contract.address, 'worker-payout') } }),
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
    { ...good },
    { ...forged(), more: 1 },
    { ...forged(), tokens: { ...good.tokens, total: '-1' } },
  ])('is not %j', (json) => expect(() => verifyReceipt(json)).toThrow(code('receipt-malformed')))
})
