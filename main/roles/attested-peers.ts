import { createHash } from 'node:crypto'
import { messageAndAdvice, type Sentence } from '../base/failure.ts'
import { AttestationError } from '../protocol/attestation/attestation-error.ts'
import { checkRootMembership, type MembershipRules } from '../protocol/attestation/root-membership.ts'
import { readKeyHex } from '../protocol/sealed/direct/worker-key.ts'
import type { SealedWorker } from '../protocol/sealed/outcome.ts'
import type { Peer } from '../protocol/wire/peer.ts'
import type { RootConfig } from '../ton/root-config.ts'
import { type ListingSource, listingOf } from './root-listing.ts'

/**
 * Why something may not carry or read what is for attested machines alone: the level "Attested network" of the app, and `--seal attested` of a client of
 * the command line. `row`: where it stands in the app's sheet.
 */
export interface Objection {
  readonly row: 'hardware' | 'software' | 'worker' | 'model' | 'gpu'
  readonly sentence: Sentence
}

/** What of a network contract decides. */
export type ListedRoot = ListingSource &
  Pick<RootConfig, 'modelHashes'> & { readonly params: Pick<RootConfig['params'], 'isTest'> }

type Rules = Pick<MembershipRules, 'nowMs' | 'mostAgeMs'>

/** All reasons why a proxy may not carry it; empty when it may. Its quote was verified when it was dialled. */
export function proxyObjections(
  { quote, imageHash }: Pick<Peer, 'imageHash'> & { readonly quote?: Peer['quote'] | undefined },
  root: ListedRoot | null,
  rules: Rules,
): readonly Objection[] {
  const test: readonly Objection[] = root?.params.isTest
    ? [
        {
          row: 'software',
          sentence: { text: 'The network contract demands no attestation (is_test).', words: { code: 'check-software-test' } },
        },
      ]
    : []
  if (quote !== undefined) return [...test, ...listingObjections(imageHash, 'proxy', root, rules)]
  const none = { text: 'The proxy showed no attestation.', words: { code: 'check-hardware-proxy-none' } }
  return [...test, { row: 'hardware', sentence: none }]
}

/**
 * All reasons why a worker may not read it; empty when it may. Its quote was verified when its key was told. What only attested software could say is no
 * matter of a worker that has none.
 */
export function workerObjections(worker: SealedWorker, root: ListedRoot | null, rules: Rules): readonly Objection[] {
  const { attestation, model } = worker
  if (attestation.kind !== 'tdx') return [unattested]
  const isListed = root?.modelHashes.has(createHash('sha256').update(model).digest('hex')) ?? false
  const gpu = gpuOf(worker)
  return [
    ...listingObjections(new Uint8Array(Buffer.from(attestation.imageHash, 'hex')), 'worker', root, rules),
    ...(isListed
      ? []
      : [
          {
            row: 'model' as const,
            sentence: {
              text: `The network contract does not list the model ${model}.`,
              words: { code: 'check-model-unlisted', values: { model } },
            },
          },
        ]),
    ...(gpu === 'confidential' || gpu === 'none'
      ? []
      : [
          {
            row: 'gpu' as const,
            sentence: {
              text: 'The worker’s graphics card is not in its confidential mode, or it does not say so.',
              words: { code: 'check-gpu-exposed' },
            },
          },
        ]),
  ]
}

export const unattested: Objection = {
  row: 'worker',
  sentence: {
    text: 'The worker’s key comes without an attestation that holds.',
    words: { code: 'check-worker-none' },
  },
}

/** What the attested software of a worker says of its graphics card. */
export const gpuOf = ({ signedKey }: SealedWorker) => readKeyHex(signedKey).gpu

function listingObjections(
  imageHash: Uint8Array,
  part: MembershipRules['part'],
  root: ListedRoot | null,
  rules: Rules,
): readonly Objection[] {
  try {
    checkRootMembership({ imageHash }, root && listingOf(root), { part, ...rules })
    return []
  } catch (thrown) {
    if (thrown instanceof AttestationError) return [{ row: 'software', sentence: sentenceOf(thrown) }]
    throw thrown
  }
}

/** An error of the attestation as a person reads it. */
export function sentenceOf(thrown: AttestationError): Sentence {
  return { text: messageAndAdvice(thrown), words: thrown.words }
}
