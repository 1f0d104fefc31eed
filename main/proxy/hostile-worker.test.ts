import { randomBytes } from 'node:crypto'
import { Address } from '@ton/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseSigned } from '../../contracts/signed.ts'
import type { CocoonProxy } from './proxy.ts'
import { pseudoProxy, temporaryFolder } from './testing/fixtures.ts'
import { RawPeer } from './testing/raw-peer.ts'
import { firstAnswer, lastPart, readyClient, readyWorker, runQuery, workerHello } from './testing/scripted.ts'

const zero = { tokens_committed_to_blockchain: 0n, tokens_committed_to_db: 0n, max_tokens: 0n }
const greedy = { tokens_committed_to_blockchain: 1n << 60n, tokens_committed_to_db: 1n << 61n, max_tokens: 1n << 62n }

describe('a worker that claims what it is not', () => {
  let folder: ReturnType<typeof temporaryFolder>
  let proxy: CocoonProxy
  const peers: RawPeer[] = []

  beforeEach(async () => {
    folder = temporaryFolder()
    proxy = pseudoProxy(folder.path)
    await proxy.start()
  })
  afterEach(async () => {
    for (const peer of peers.splice(0)) peer.end()
    await proxy.stop()
    folder.remove()
  })

  const accounts = (): number => {
    const stats = proxy.stats({ walletNano: 0n, commissionNano: 0n, version: 'x' }) as { workers: unknown[] } | undefined
    return stats?.workers.length ?? -1
  }
  const claimant = async (owner: string): Promise<RawPeer> => {
    const peer = await RawPeer.open(proxy.status.value.workerPort ?? 0)
    peers.push(peer)
    await peer.connect()
    await peer.query(workerHello({ owner }))
    return peer
  }
  const invented = (): string => new Address(0, randomBytes(32)).toString()

  it('gets an account with the last step of the handshake, and not by claims before it', async () => {
    const owner = invented()
    const peer = await claimant(owner)
    const answer = await peer.query({ '@type': 'worker.compareBalanceWithProxy', ...zero })
    if (answer['@type'] !== 'worker.compareBalanceWithProxyResult') throw new Error(answer['@type'])
    // A proxy signs always, also nothing (protocol 40 §2).
    if (answer.signed_payment['@type'] !== 'proxy.signedPayment') throw new Error('not signed')
    expect(parseSigned(answer.signed_payment.data).payload.tokens).toBe(0n)
    expect(answer).toMatchObject({ tokens_committed_to_db: 0n, max_tokens: 0n, error_code: 0 })
    expect([accounts(), proxy.account('worker', Address.parse(owner))]).toEqual([0, undefined])
    await peer.query({ '@type': 'worker.proxyHandshakeComplete', is_disabled: false })
    expect([accounts(), proxy.account('worker', Address.parse(owner))?.max]).toEqual([1, 0n])
  })

  it('fills nothing by many owners and large claims, whether it completes the handshake or not', async () => {
    for (let round = 0; round < 12; round++) {
      const peer = await claimant(invented())
      const answer = await peer.query({ '@type': 'worker.compareBalanceWithProxy', ...greedy })
      expect(answer).toMatchObject({ error_code: 1, max_tokens: 0n })
      await peer.query({
        '@type': 'worker.extendedCompareBalanceWithProxy',
        tokens_committed_to_db: 1n << 61n,
        other: new Uint8Array(),
      })
      if (round % 2 === 0) continue
      await peer.query({ '@type': 'worker.proxyHandshakeComplete', is_disabled: false })
      peer.end()
    }
    await expect.poll(accounts).toBe(0)
  })

  it('keeps the account that it has earned on, also when one of two connections ends', async () => {
    const owner = invented()
    const [one, other, client] = [
      await readyWorker(proxy, { owner }),
      await readyWorker(proxy, { owner }),
      await readyClient(proxy),
    ]
    peers.push(one, other, client)
    one.end()
    await expect.poll(() => proxy.status.value.workers).toBe(1)
    client.send(runQuery())
    const { request_id } = await other.expect('proxy.runQueryEx')
    other.send(firstAnswer(request_id))
    other.send(lastPart(request_id, 5))
    await client.expect('proxy.clientRequestPayment')
    other.end()
    await expect.poll(() => proxy.status.value.workers).toBe(0)
    expect(proxy.account('worker', Address.parse(owner))).toMatchObject({ max: 5n, db: 5n })
  })
})
