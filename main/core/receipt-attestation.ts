import type { ReceiptAttestation } from '../../preload/api/receipt.ts'
import { imageHash } from '../protocol/attestation/image-hash.ts'
import type { QuoteJudge } from '../protocol/attestation/quote-verifier.ts'
import type { VerifiedQuote } from '../protocol/attestation/verify-quote.ts'
import { readKey } from '../protocol/sealed/direct/worker-key.ts'
import type { SealOutcome } from '../protocol/sealed/outcome.ts'
import type { RootConfig } from '../ton/root-config.ts'
import type { SeenPeer } from './checks/seen-peer.ts'

/**
 * What was attested about the machines that an answer came through, for its receipt: of the proxy that carried it and of the worker that it was sealed to.
 * `none` where one of both proved nothing.
 */
export async function receiptAttestation(
  peer: SeenPeer | undefined,
  seal: SealOutcome,
  { root, quotes }: { readonly root: RootConfig | null; readonly quotes: QuoteJudge },
): Promise<ReceiptAttestation> {
  if (peer?.quote === undefined || peer.key === undefined || root === null) return 'none'
  if (seal.scheme !== 'direct' || seal.worker.attestation.kind !== 'tdx') return 'none'
  const { quote } = readKey(new Uint8Array(Buffer.from(seal.worker.signedKey, 'hex')))
  if (quote === undefined) return 'none'
  const { source } = root
  return {
    kind: 'tdx',
    proxy: { ...machineOf(peer.quote), tlsKey: peer.key, quote: Buffer.from(peer.quote.evidence.quote).toString('base64') },
    worker: machineOf(await quotes.verify(quote)),
    listed: {
      readAtMs: root.readAtMs,
      endpoints: source === undefined ? [] : [source.endpoint],
      ...(source?.block && { block: source.block.seqno, blockTimeMs: source.block.timeMs }),
    },
  }
}

const machineOf = ({ body, collateral, verifiedAtMs }: VerifiedQuote) => ({
  imageHash: Buffer.from(imageHash(body.measured)).toString('hex'),
  verifiedAtMs,
  collateral: { digest: collateral.digest, expiresAtMs: collateral.expiresAtMs },
})
