import { describe, expect, it, onTestFinished } from 'vitest'
import { createIdentity } from '../attestation/certificate.ts'
import { fakeQuote } from '../attestation/fake-tdx.ts'
import { syntheticImageHash, syntheticPolicy, syntheticQuote } from '../attestation/testing/manipulated-peers.ts'
import { dialDirect } from './dial.ts'
import { listen, type SecureListenOptions } from './listen.ts'
import type { PeerConnection } from './peer.ts'

type Quote = (publicKey: Uint8Array) => Uint8Array
const identityWith = (quote?: Quote) => createIdentity(quote ? { quote } : {})

async function listening(quote: Quote | undefined, policy: SecureListenOptions['policy']) {
  const accepted: PeerConnection[] = []
  const identity = await identityWith(quote)
  const listener = await listen({ host: '127.0.0.1', port: 0, difficulty: 4, identity, policy }, (peer) => {
    accepted.push(peer)
    peer.connection.start({ onQuery: (data) => data }).catch(() => undefined)
  })
  onTestFinished(() => listener.close())
  return { listener, accepted }
}

async function dialing(port: number, quote: Quote | undefined, policy: SecureListenOptions['policy']): Promise<PeerConnection> {
  return dialDirect({ host: '127.0.0.1', port, identity: await identityWith(quote), policy })
}

const any = { kind: 'any' } as const
const byOwnImage = syntheticPolicy({ imageHashes: [syntheticImageHash] })

describe('peers that must show a real quote', () => {
  it('talk when both do, and each learns what the other runs', async () => {
    const { listener, accepted } = await listening(syntheticQuote, byOwnImage)
    const { connection, peer } = await dialing(listener.port, syntheticQuote, byOwnImage)
    await connection.start({})
    expect(await connection.query(Buffer.from('hello'), { timeoutMs: 60_000 })).toEqual(new Uint8Array(Buffer.from('hello')))
    expect(peer.imageHash).toEqual(syntheticImageHash)
    expect(accepted[0]?.peer.imageHash).toEqual(syntheticImageHash)
    expect(peer).toMatchObject({ attestation: 'tdx', quote: { tcbStatus: 'UpToDate' } })
  })

  it.each<[string, Quote | undefined, string]>([
    ['none', undefined, 'quote-missing'],
    ['a fake one', fakeQuote, 'quote-version-unsupported'],
    ['that of another key', () => syntheticQuote(new Uint8Array(32)), 'quote-not-for-this-key'],
  ])('are not dialled when they show %s', async (_name, quote, code) => {
    const { listener } = await listening(quote, any)
    await expect(dialing(listener.port, undefined, byOwnImage)).rejects.toMatchObject({ name: 'AttestationError', code })
  })

  it('are not dialled when they run something else', async () => {
    const { listener } = await listening(syntheticQuote, any)
    const policy = syntheticPolicy({ imageHashes: [new Uint8Array(32)] })
    await expect(dialing(listener.port, undefined, policy)).rejects.toMatchObject({ code: 'measurement-not-allowed' })
  })

  it('are not accepted without one', async () => {
    const { listener, accepted } = await listening(syntheticQuote, byOwnImage)
    const dialled = await dialing(listener.port, undefined, byOwnImage)
    // In TLS 1.3 the connecting side is through before the other one has looked.
    await dialled.connection.start({}).catch(() => undefined)
    await dialled.connection.closed
    expect(accepted).toHaveLength(0)
    expect(listener.connectionCount).toBe(0)
  })

  it('pass a fake policy of newer revisions, as fake quotes do, but only when they are verified', async () => {
    if (byOwnImage.kind !== 'tdx') throw new Error('nobody judges')
    const newer = { kind: 'fake_tdx', quotes: byOwnImage.quotes } as const
    const real = await listening(syntheticQuote, any)
    const { peer } = await dialing(real.listener.port, undefined, newer)
    expect(peer).toMatchObject({ attestation: 'tdx', imageHash: syntheticImageHash })
    const fake = await listening(fakeQuote, any)
    expect((await dialing(fake.listener.port, undefined, newer)).peer).toMatchObject({ attestation: 'fake_tdx' })
    const spoiled = await listening((key) => syntheticQuote(key).map((byte, i) => (i === 300 ? byte ^ 1 : byte)), any)
    await expect(dialing(spoiled.listener.port, undefined, newer)).rejects.toMatchObject({ name: 'AttestationError' })
    await expect(dialing(real.listener.port, undefined, { kind: 'fake_tdx' })).rejects.toMatchObject({ code: 'quote-malformed' })
  })

  it('that leave while they are looked at are gone', async () => {
    let release: (() => void) | undefined
    const slow = {
      kind: 'tdx' as const,
      quotes: {
        verify: (quote: Uint8Array) =>
          new Promise<never>((_resolve, reject) => {
            release = () => reject(new Error(`late, ${quote.length} bytes`))
          }),
      },
    }
    const { listener, accepted } = await listening(undefined, slow)
    const { connection } = await dialing(listener.port, syntheticQuote, any)
    await expect.poll(() => release).toBeTypeOf('function')
    connection.close()
    await expect.poll(() => listener.handshakeCount).toBe(0)
    release?.()
    expect(accepted).toHaveLength(0)
  })
})
