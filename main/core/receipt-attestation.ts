import type { ReceiptAttestation } from '../../preload/api/receipt.ts'
import { imageHash } from '../protocol/attestation/image-hash.ts'
import type { VerifiedQuote } from '../protocol/attestation/verify-quote.ts'
import { readKeyHex } from '../protocol/sealed/direct/worker-key.ts'
import type { SealedWorker, SealOutcome } from '../protocol/sealed/outcome.ts'
import { agreedEndpoints } from '../ton/root-agreement.ts'
import type { RootConfig } from '../ton/root-config.ts'
import type { SeenPeer } from './checks/seen-peer.ts'

/** What a question was sent by. */
export interface SentBy {
  readonly peer: SeenPeer
  /** The contract as it was read when the question was let go. */
  readonly root: RootConfig | null
}

export interface WorkerProof {
  /** The quote of the worker's key, verified. Rejects when it does not hold. */
  readonly workerQuote: (worker: SealedWorker, quote: Uint8Array) => Promise<VerifiedQuote>
}

/**
 * What was attested about the machines that an answer came through, for its receipt: of the proxy that carried it and of the worker that it was sealed to.
 * `none` where one of both proved nothing.
 */
export async function receiptAttestation(
  sentBy: SentBy | undefined,
  seal: SealOutcome,
  { workerQuote }: WorkerProof,
): Promise<ReceiptAttestation> {
  const { peer, root = null } = sentBy ?? {}
  if (peer?.quote === undefined || peer.key === undefined || root === null) return 'none'
  if (seal.scheme !== 'direct' || seal.worker.attestation.kind !== 'tdx') return 'none'
  const { quote } = readKeyHex(seal.worker.signedKey)
  if (quote === undefined) return 'none'
  const proven = await provenOf(() => workerQuote(seal.worker, quote))
  if (proven === undefined) return 'none'
  const { source } = root
  return {
    kind: 'tdx',
    proxy: { ...machineOf(peer.quote), tlsKey: peer.key, quote: Buffer.from(peer.quote.evidence.quote).toString('base64') },
    worker: machineOf(proven),
    listed: {
      readAtMs: root.readAtMs,
      endpoints: agreedEndpoints(root),
      ...(source?.block && { block: source.block.seqno, blockTimeMs: source.block.timeMs }),
    },
  }
}

/** Without a quote that holds there is nothing to tell; the answer that it came with is paid all the same, and has its receipt. */
const provenOf = (verify: () => Promise<VerifiedQuote>): Promise<VerifiedQuote | undefined> => verify().catch(() => undefined)

const machineOf = ({ body, collateral, verifiedAtMs }: VerifiedQuote) => ({
  imageHash: Buffer.from(imageHash(body.measured)).toString('hex'),
  verifiedAtMs,
  collateral: { digest: collateral.digest, expiresAtMs: collateral.expiresAtMs },
})
