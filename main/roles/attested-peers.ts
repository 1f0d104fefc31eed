import { createHash } from 'node:crypto'
import type { Sentence } from '../../../preload/api/privacy.ts'
import { messageAndAdvice, wordsOf } from '../../base/failure.ts'
import { AttestationError } from '../../protocol/attestation/attestation-error.ts'
import { checkRootMembership, type MembershipRules, type RootMembership } from '../../protocol/attestation/root-membership.ts'
import { readKeyHex } from '../../protocol/sealed/direct/worker-key.ts'
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

/** All reasons why a proxy does not earn the level; empty when it does. Its quote was verified when it was dialled. */
export function proxyObjections({ quote, imageHash }: SeenPeer, root: RootConfig | null, nowMs: number): readonly Objection[] {
  const test: readonly Objection[] = root?.params.isTest
    ? [
        {
          row: 'software',
          sentence: said('The network contract demands no attestation (is_test).', { code: 'check-software-test' }),
        },
      ]
    : []
  if (quote !== undefined) return [...test, ...listingObjections(imageHash, 'proxy', root, nowMs)]
  const none = said('The proxy showed no attestation.', { code: 'check-hardware-proxy-none' })
  return [...test, { row: 'hardware', sentence: none }]
}

/**
 * All reasons why a worker may not read questions of the level; empty when it may. Its quote was verified when its key was told. What only attested
 * software could say is no matter of a worker that has none.
 */
export function workerObjections(worker: SealedWorker, root: RootConfig | null, nowMs: number): readonly Objection[] {
  const { attestation, model } = worker
  if (attestation.kind !== 'tdx') return [unattested]
  const isListed = root?.modelHashes.has(createHash('sha256').update(model).digest('hex')) ?? false
  const gpu = gpuOf(worker)
  return [
    ...listingObjections(new Uint8Array(Buffer.from(attestation.imageHash, 'hex')), 'worker', root, nowMs),
    ...(isListed
      ? []
      : [
          {
            row: 'model' as const,
            sentence: said(`The network contract does not list the model ${model}.`, {
              code: 'check-model-unlisted',
              values: { model },
            }),
          },
        ]),
    ...(gpu === 'confidential' || gpu === 'none'
      ? []
      : [
          {
            row: 'gpu' as const,
            sentence: said('The worker’s graphics card is not in its confidential mode, or it does not say so.', {
              code: 'check-gpu-exposed',
            }),
          },
        ]),
  ]
}

export const unattested: Objection = {
  row: 'worker',
  sentence: said('The worker’s key comes without an attestation that holds.', { code: 'check-worker-none' }),
}

/** What the attested software of a worker says of its graphics card. */
export const gpuOf = ({ signedKey }: SealedWorker) => readKeyHex(signedKey).gpu

function listingObjections(
  imageHash: Uint8Array,
  part: MembershipRules['part'],
  root: RootConfig | null,
  nowMs: number,
): readonly Objection[] {
  try {
    membershipOf(imageHash, part, root, nowMs)
    return []
  } catch (thrown) {
    if (thrown instanceof AttestationError) return [{ row: 'software', sentence: sentenceOf(thrown) }]
    throw thrown
  }
}

/** An error of the attestation as a row says it. */
export function sentenceOf(thrown: AttestationError): Sentence {
  const words = wordsOf(thrown)
  return { text: messageAndAdvice(thrown), ...(words && { words: { ...words } }) }
}
