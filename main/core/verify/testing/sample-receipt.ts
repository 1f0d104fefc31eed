import { Address } from '@ton/core'
import { clientInit } from '../../../../contracts/client.ts'
import { keySigner, publicKeyOfSeed, type SignedKind, signMessage } from '../../../../contracts/signed.ts'
import type { Receipt } from '../../../../preload/api/receipt.ts'
import { localParams } from '../../../localnet/genesis.ts'
import { paramsText } from '../receipt.ts'

export const seed = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)
export const place = (byte: number): Address => new Address(0, Buffer.alloc(32, byte))

const owner = place(1)
const proxy = place(2)

/** The client contract of a proxy with this key. */
export function contractFor(key: Uint8Array, params = localParams): Receipt['contract'] {
  const { address } = clientInit({ owner, proxy, publicKey: publicKeyOfSeed(key), params })
  return {
    address: address.toString(),
    owner: owner.toString(),
    proxy: proxy.toString(),
    proxyKey: Buffer.from(publicKeyOfSeed(key)).toString('hex'),
    params: paramsText(params),
  }
}

/** A signed payment of so many tokens, base64. */
export function payment(
  tokens: bigint,
  key = seed(7),
  contract = contractFor(seed(7)).address,
  kind: SignedKind = 'client-charge',
): string {
  const payload = { kind: kind as 'client-charge', queryId: 5n, contract: Address.parse(contract), tokens }
  return signMessage(payload, owner, keySigner(key)).toBoc().toString('base64')
}

/** What a good receipt says, of a contract that was never charged on any chain. */
export const sampleReceipt: Omit<Receipt, 'digest'> = {
  kind: 'cocoon-receipt',
  version: 1,
  requestId: 'a1'.repeat(32),
  requestSha256: 'c2'.repeat(32),
  responseSha256: 'e3'.repeat(32),
  model: 'some/model-q4',
  answeredAtMs: 1_795_348_800_000,
  tokens: { prompt: '50', cached: '0', completion: '800', reasoning: '0', total: '850' },
  pricePerToken: String(localParams.pricePerToken),
  cost: String(850n * localParams.pricePerToken),
  totalAfter: '2000',
  contract: contractFor(seed(7)),
  signed: { tokens: '2500', boc: payment(2500n) },
  attestation: 'none',
  chain: { network: 'local', root: place(3).toString(), rootVersion: 1, readAtMs: 1_795_348_700_000 },
}
