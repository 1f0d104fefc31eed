import type { ReadKey } from './direct/worker-key.ts'
import type { SealedWorker } from './outcome.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** The worker of a key, as receipts and sheets tell of it: what the key states, and what was found out about its machine. */
export const sealedWorkerOf = (key: ReadKey, attestation: SealedWorker['attestation']): SealedWorker => ({
  keyId: hex(key.id),
  owner: key.owner.toRawString(),
  ownerProof: key.wallet['@type'] === 'sealed.walletW5' ? 'w5' : 'cocoon-wallet',
  model: key.model,
  createdAtMs: key.createdAtMs,
  expiresAtMs: key.expiresAtMs,
  attestation,
  signedKey: hex(key.signedKey),
})
