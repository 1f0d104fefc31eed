import { describe, expect, it } from 'vitest'
import { scriptedNetwork } from '../protocol/testing/scripted-network.ts'
import type { Peer } from '../protocol/wire/peer.ts'
import { dialerOptions } from './role-options.ts'

const listed = '11'.repeat(32)
const root = { ...scriptedNetwork.root, proxyHashes: new Set([listed]) }
const peerWith = (hash: string): Peer => ({
  imageHash: new Uint8Array(Buffer.from(hash, 'hex')),
  publicKey: undefined,
  address: '10.0.0.1:1',
})

describe('a proxy that must prove its software', () => {
  const { check } = dialerOptions({ kind: 'fake_tdx' }, () => root)

  it('is taken when the network contract lists it', () => {
    expect(() => check?.(peerWith(listed))).not.toThrow()
  })

  it.each([
    ['another hash', '22'.repeat(32)],
    ['no hash', '00'.repeat(32), 'image-not-attested'],
    ['half a hash', '11'.repeat(16)],
  ])('is refused with %s', (_name, hash, code = 'image-not-listed') => {
    expect(() => check?.(peerWith(hash))).toThrow(expect.objectContaining({ code }))
  })

  it('is refused while the network contract has not been read', () => {
    const { check: early } = dialerOptions({ kind: 'fake_tdx' }, () => null)
    expect(() => early?.(peerWith(listed))).toThrow(expect.objectContaining({ code: 'image-not-listed' }))
  })
})
