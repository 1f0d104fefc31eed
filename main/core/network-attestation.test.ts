import { describe, expect, it } from 'vitest'
import { goldenRoot } from '../proxy/testing/fixtures.ts'
import { noWorkerThere } from './network-attestation.ts'

describe('an app as worker of a network that it opened', () => {
  const { params, ...rest } = goldenRoot()
  const attesting = { ...rest, params: { ...params, isTest: false } }

  it('is none where the contract demands an attestation that this machine cannot make, and says so', () => {
    expect(noWorkerThere(attesting, false)).toMatchObject({
      text: 'This network takes only workers that prove what they run, which this computer cannot.',
    })
    expect(noWorkerThere(attesting, true)).toBeNull()
  })

  it('may be one where nothing is demanded, and before that is known', () => {
    expect(noWorkerThere({ ...rest, params: { ...params, isTest: true } }, false)).toBeNull()
    expect(noWorkerThere(null, false)).toBeNull()
  })
})
