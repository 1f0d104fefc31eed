import { hexOf } from '../../base/hex.ts'
import type { ReadKey } from './direct/worker-key.ts'
import type { SealedWorker } from './outcome.ts'

/** The worker of a key, as receipts and sheets tell of it: what the key states, and what was found out about its machine. */
export const sealedWorkerOf = (key: ReadKey, attestation: SealedWorker['attestation']): SealedWorker => ({
  keyId: hexOf(key.id),
  owner: key.owner.toRawString(),
  ownerProof: key.wallet['@type'] === 'sealed.walletW5' ? 'w5' : 'cocoon-wallet',
  model: key.model,
  createdAtMs: key.createdAtMs,
  expiresAtMs: key.expiresAtMs,
  attestation,
  signedKey: hexOf(key.signedKey),
})
