import { expect, it } from 'vitest'
import { AttestationError } from '../protocol/attestation/attestation-error.ts'
import { checkRootMembership } from '../protocol/attestation/root-membership.ts'
import { scriptedNetwork } from '../protocol/testing/scripted-network.ts'
import { sentenceOf } from './attested-peers.ts'
import { listingOf } from './root-listing.ts'

it.each([
  ['whose image is not listed', '22'.repeat(32), `does not list the software of this proxy (${'22'.repeat(32)}).`],
  ['without an image', '00'.repeat(32), 'does not say what software it runs.'],
])('the objection to a proxy %s advises nothing that neither the app nor --seal attested allows', (_name, image, ending) => {
  const nowMs = Date.now()
  const listing = listingOf({ ...scriptedNetwork.root, proxyHashes: new Set(['11'.repeat(32)]), readAtMs: nowMs })
  try {
    checkRootMembership({ imageHash: new Uint8Array(Buffer.from(image, 'hex')) }, listing, { part: 'proxy', nowMs })
    expect.unreachable('it was taken')
  } catch (thrown) {
    if (!(thrown instanceof AttestationError)) throw thrown
    const { text } = sentenceOf(thrown)
    expect(text.endsWith(ending)).toBe(true)
    expect(text).not.toContain('--policy')
  }
})
