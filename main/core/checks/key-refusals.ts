import type { Sentence } from '../../../preload/api/privacy.ts'
import type { AttestationErrorCode } from '../../protocol/attestation/attestation-error.ts'
import type { KeyRefusal } from '../../protocol/sealed/direct/seal-errors.ts'
import { said } from './rows.ts'

const unlisted = said('The network contract does not list what the worker runs.', { code: 'check-key-unlisted' })

/** Why a worker's key is not taken, for a person. What is not told apart here is an attestation that does not hold. */
const sentences: Partial<Record<KeyRefusal | AttestationErrorCode | 'unknown', Sentence>> = {
  malformed: said('The worker’s key cannot be read.', { code: 'check-key-malformed' }),
  'other-network': said('The worker’s key belongs to another network.', { code: 'check-key-other-network' }),
  'other-model': said('The worker’s key is for another model.', { code: 'check-key-other-model' }),
  'owner-mismatch': said('The worker’s key was signed by another wallet than the one that gets the pay.', {
    code: 'check-key-owner',
  }),
  'bad-signature': said('The signature of the worker’s key is not its owner’s.', { code: 'check-key-signature' }),
  'not-yet-valid': said('The worker’s key is not valid yet. Is this computer’s clock right?', { code: 'check-key-not-yet' }),
  expired: said('The worker’s key has expired. Is this computer’s clock right?', { code: 'check-key-expired' }),
  'lives-too-long': said('The worker’s key is valid for too long.', { code: 'check-key-too-long' }),
  'image-not-listed': unlisted,
  // The lists of the contract are all that is allowed here.
  'measurement-not-allowed': unlisted,
  'root-too-old': said('The network contract was read too long ago to judge the worker by it.', { code: 'check-key-root-old' }),
  'root-disputed': said('Endpoints disagree about the network contract, so the worker cannot be judged by it.', {
    code: 'check-key-root-disputed',
  }),
  'quote-not-for-this-key': said('The worker’s attestation is for another key.', { code: 'check-key-other-quote' }),
  'collateral-unavailable': said('What Intel says of the worker’s machine could not be read.', {
    code: 'check-key-no-collateral',
  }),
  'tcb-out-of-date': said('The worker’s machine lacks security updates.', { code: 'check-key-out-of-date' }),
  unknown: said('The worker’s key could not be judged. The log says more.', { code: 'check-key-unknown' }),
}

const unproven = said('The worker’s attestation does not hold.', { code: 'check-key-unproven' })

/** @param reason of `ToldWorkers.refused` */
export function keyRefusal(reason: string): Sentence {
  return Object.entries(sentences).find(([code]) => code === reason)?.[1] ?? unproven
}
