import { createHash } from 'node:crypto'
import type { Sentence } from '../../../preload/api/privacy.ts'
import { messageAndAdvice, wordsOf } from '../../base/failure.ts'
import { AttestationError } from '../../protocol/attestation/attestation-error.ts'
import { checkRootMembership, type MembershipRules, type RootMembership } from '../../protocol/attestation/root-membership.ts'
import { readKey } from '../../protocol/sealed/direct/worker-key.ts'
import type { SealedWorker } from '../../protocol/sealed/outcome.ts'
import { listingOf } from '../../roles/role-options.ts'
import type { RootConfig } from '../../ton/root-config.ts'
import { said } from './rows.ts'
import type { SeenPeer } from './seen-peer.ts'

/** Why something does not earn the level "Attested network", and in which row of the sheet it stands. */
export interface Objection {
  readonly row: 'hardware' | 'software' | 'worker' | 'model' | 'gpu'
  readonly sentence: Sentence
}

/** The network contract lists the image of a part. Throws AttestationError as `checkRootMembership`. */
export function membershipOf(
  imageHash: Uint8Array,
  part: MembershipRules['part'],
  root: RootConfig | null,
  nowMs: number,
): RootMembership {
  return checkRootMembership({ imageHash }, root && listingOf(root), { part, nowMs })
}

/** Why a proxy does not earn the level; null when it does. Its quote was verified when it was dialled. */
export function proxyObjection({ quote, imageHash }: SeenPeer, root: RootConfig | null, nowMs: number): Objection | null {
  if (root?.params.isTest)
    return {
      row: 'software',
      sentence: said('The network contract demands no attestation (is_test).', { code: 'check-software-test' }),
    }
  if (quote === undefined)
    return { row: 'hardware', sentence: said('The proxy showed no attestation.', { code: 'check-hardware-proxy-none' }) }
  return listingObjection(imageHash, 'proxy', root, nowMs)
}

/** Why a worker may not read questions of the level; null when it may. Its quote was verified when its key was told. */
export function workerObjection(worker: SealedWorker, root: RootConfig | null, nowMs: number): Objection | null {
  const { attestation, model } = worker
  if (attestation.kind !== 'tdx')
    return {
      row: 'worker',
      sentence: said('The worker’s key comes without an attestation that holds.', { code: 'check-worker-none' }),
    }
  const objection = listingObjection(new Uint8Array(Buffer.from(attestation.imageHash, 'hex')), 'worker', root, nowMs)
  if (objection) return objection
  if (!root?.modelHashes.has(createHash('sha256').update(model).digest('hex')))
    return {
      row: 'model',
      sentence: said(`The network contract does not list the model ${model}.`, {
        code: 'check-model-unlisted',
        values: { model },
      }),
    }
  const gpu = gpuOf(worker)
  if (gpu === 'confidential' || gpu === 'none') return null
  return {
    row: 'gpu',
    sentence: said('The worker’s graphics card is not in its confidential mode, or it does not say so.', {
      code: 'check-gpu-exposed',
    }),
  }
}

/** What the attested software of a worker says of its graphics card. */
export const gpuOf = ({ signedKey }: SealedWorker) => readKey(new Uint8Array(Buffer.from(signedKey, 'hex'))).gpu

function listingObjection(
  imageHash: Uint8Array,
  part: MembershipRules['part'],
  root: RootConfig | null,
  nowMs: number,
): Objection | null {
  try {
    membershipOf(imageHash, part, root, nowMs)
    return null
  } catch (thrown) {
    if (thrown instanceof AttestationError) return { row: 'software', sentence: sentenceOf(thrown) }
    throw thrown
  }
}

/** An error of the attestation as a row says it. */
export function sentenceOf(thrown: AttestationError): Sentence {
  const words = wordsOf(thrown)
  return { text: messageAndAdvice(thrown), ...(words && { words: { ...words } }) }
}
