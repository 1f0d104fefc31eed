import { randomBytes } from 'node:crypto'
import { Address } from '@ton/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseSigned } from '../../contracts/signed.ts'
import { heldBytes } from '../base/testing/held-bytes.ts'
import { decode, encode } from '../protocol/tl/codec.ts'
import type { TlObject } from '../protocol/tl/types.ts'
import type { CocoonProxy } from './proxy.ts'
import { pseudoProxy, temporaryFolder } from './testing/fixtures.ts'
import { RawPeer } from './testing/raw-peer.ts'
import {
  clientOwner,
  firstAnswer,
  lastPart,
  part,
  readyClient,
  readyWorker,
  responseBytes,
  runQuery,
  usage,
  workerHello,
} from './testing/scripted.ts'

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

  const pair = async (): Promise<readonly [RawPeer, RawPeer]> => {
    const made = [await readyWorker(proxy, { owner: invented() }), await readyClient(proxy)] as const
    peers.push(...made)
    return made
  }
  /** An honest worker serves and earns exactly its own, and the client owes exactly that. */
  const othersEarn = async (): Promise<void> => {
    const owner = invented()
    const [honest, client] = [await readyWorker(proxy, { owner, model: 'honest/model' }), await readyClient(proxy)]
    peers.push(honest, client)
    const owed = proxy.account('client', Address.parse(clientOwner))?.max ?? 0n
    client.send(runQuery({ model_name: 'honest/model' }))
    const { request_id } = await honest.expect('proxy.runQueryEx')
    honest.send(firstAnswer(request_id))
    honest.send(lastPart(request_id, 9))
    expect(await client.expect('proxy.clientRequestPayment')).toMatchObject({ request_tokens: 9n, max_tokens: owed + 9n })
    expect(proxy.account('worker', Address.parse(owner))?.max).toBe(9n)
    expect(proxy.account('client', Address.parse(clientOwner))).toMatchObject({ reserved: 0n, running: 0, max: owed + 9n })
  }

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

  it.each([
    ['a negative price', { coefficient: -1 }],
    ['a price beyond all', { coefficient: 2 ** 31 - 1 }],
    ['no model', { model: '' }],
    ['no places', { max_active_requests: 0 }],
    ['negative places', { max_active_requests: -(2 ** 31) }],
    ['no proxies', { proxy_cnt: 0 }],
    ['negative proxies', { proxy_cnt: -1 }],
    ['another test mode', { is_test: false }],
    ['a version above all', { min_proto_version: 5, max_proto_version: 9 }],
    ['versions upside down', { min_proto_version: 2, max_proto_version: 0 }],
    ['an owner that is no address', { worker_owner_address: 'x'.repeat(60_000) }],
  ])('is refused in its handshake for %s, and leaves nothing behind', async (_name, change) => {
    const peer = await RawPeer.open(proxy.status.value.workerPort ?? 0)
    peers.push(peer)
    await peer.connect()
    const { params } = workerHello({ owner: invented() })
    const answer = await peer.query({ '@type': 'worker.connectToProxy', params: { ...params, ...change } })
    expect(answer['@type']).toBe('tcp.queryError')
    await expect.poll(() => peer.closed).toBe(true)
    expect(accounts()).toBe(0)
    await othersEarn()
  })

  it.each([
    [
      'the largest',
      { tokens_committed_to_blockchain: 2n ** 63n - 1n, tokens_committed_to_db: 2n ** 63n - 1n, max_tokens: 2n ** 63n - 1n },
    ],
    [
      'the least',
      { tokens_committed_to_blockchain: -(2n ** 63n), tokens_committed_to_db: -(2n ** 63n), max_tokens: -(2n ** 63n) },
    ],
    ['more signed than counted', { tokens_committed_to_blockchain: 1n, tokens_committed_to_db: 0n, max_tokens: 0n }],
  ])('claims %s numbers: it is credited nothing', async (_name, claim) => {
    const owner = invented()
    const peer = await claimant(owner)
    expect(await peer.query({ '@type': 'worker.compareBalanceWithProxy', ...claim })).toMatchObject({
      tokens_committed_to_db: 0n,
      max_tokens: 0n,
    })
    await peer.query({ '@type': 'worker.proxyHandshakeComplete', is_disabled: true })
    const status = await peer.query({ '@type': 'worker.updatePaymentStatus' })
    expect(status).toMatchObject({ '@type': 'worker.paymentStatus', db_tokens: 0n, max_tokens: 0n })
    await othersEarn()
  })

  it('steps out of the order of the handshake and is left', async () => {
    for (const question of [
      { '@type': 'worker.compareBalanceWithProxy', ...zero },
      { '@type': 'worker.proxyHandshakeComplete', is_disabled: false },
      { '@type': 'worker.extendedCompareBalanceWithProxy', tokens_committed_to_db: 0n, other: new Uint8Array(60_000) },
    ] as const) {
      const peer = await RawPeer.open(proxy.status.value.workerPort ?? 0)
      peers.push(peer)
      await peer.connect()
      expect(await peer.query(question)).toMatchObject({ '@type': 'tcp.queryError', code: 0 })
      await expect.poll(() => peer.closed).toBe(true)
    }
    await othersEarn()
  })

  it('raises its price while a request runs: no more is charged than the client has agreed to', async () => {
    const [w, client] = await pair()
    client.send(runQuery({ max_tokens: 100, max_coefficient: 1500 }))
    const { request_id } = await w.expect('proxy.runQueryEx')
    w.send({ '@type': 'worker.newCoefficient', new_coefficient: 999_999_999 })
    w.send(firstAnswer(request_id))
    w.send(lastPart(request_id, 100_000))
    expect(await client.expect('client.queryAnswerErrorEx')).toMatchObject({ error_code: 601 })
    expect(await w.expect('proxy.workerRequestPayment')).toMatchObject({ request_tokens: 0n, max_tokens: 0n })
    await othersEarn()
  })

  it.each([-1, -(2 ** 31), 1_000_000_000, 2 ** 31 - 1])('announces the price %i and is left', async (new_coefficient) => {
    const [w] = await pair()
    w.send({ '@type': 'worker.newCoefficient', new_coefficient })
    await expect.poll(() => w.closed).toBe(true)
    await othersEarn()
  })

  const header = (name: string, value: string) => ({ '@type': 'http.header', name, value }) as const
  const odd: readonly (readonly [string, Partial<TlObject<'http.response'>>])[] = [
    ['an HTTP status below zero', { status_code: -1 }],
    ['lines in its headers', { reason: 'OK\r\nX: 1', headers: [header('a\r\nb', 'c\r\n\r\nd')] }],
    ['ten thousand headers', { headers: Array.from({ length: 10_000 }, () => header('a', 'b')) }],
  ]
  it.each(odd)('answers with %s: it is passed on as it is, framed and counted', async (_name, change) => {
    const [w, client] = await pair()
    client.send(runQuery())
    const { request_id } = await w.expect('proxy.runQueryEx')
    const response: TlObject<'http.response'> = { ...decode(responseBytes, 'http.response'), ...change }
    w.send({ ...firstAnswer(request_id), answer: encode(response) })
    w.send(lastPart(request_id, 5))
    await client.expect('client.queryAnswerEx')
    expect(await client.expect('proxy.clientRequestPayment')).toMatchObject({ request_tokens: 5n })
    await othersEarn()
  })

  it('tells times that are none, and fails with negative usage: nobody pays', async () => {
    const [w, client] = await pair()
    client.send(runQuery())
    const { request_id } = await w.expect('proxy.runQueryEx')
    w.send({
      '@type': 'proxy.queryAnswerErrorEx',
      request_id,
      error_code: -(2 ** 31),
      error: 'x',
      flags: 1,
      final_info: {
        '@type': 'proxy.queryFinalInfo',
        flags: 2,
        tokens_used: usage({ total_tokens_used: -(2n ** 63n), prompt_tokens_used: 2n ** 63n - 1n }),
        worker_start_time: Number.NaN,
        worker_end_time: Number.NEGATIVE_INFINITY,
      },
    })
    const told = await client.expect('client.queryAnswerErrorEx')
    expect(told.final_info?.tokens_used.total_tokens_used).toBe(0n)
    expect(await w.expect('proxy.workerRequestPayment')).toMatchObject({ request_tokens: 0n, max_tokens: 0n })
    await othersEarn()
  })

  it('floods parts of requests that are not its own: nothing of it is kept or passed on', async () => {
    const [w, client] = await pair()
    const before = await heldBytes()
    for (let at = 0; at < 200; at++) {
      w.send(part(randomBytes(32), new Uint8Array(256 * 1024)))
      // As fast as it is taken in.
      if (at % 20 === 19) await w.query({ '@type': 'worker.updatePaymentStatus' }, 20_000)
    }
    expect((await heldBytes()) - before).toBeLessThan(10 << 20)
    expect(await client.silent(20)).toBe(true)
    await othersEarn()
  })

  it('says on and off ten thousand times, and is still known as what it said last', async () => {
    const [w, client] = await pair()
    for (let at = 0; at < 10_000; at++) w.send({ '@type': 'worker.enabledDisabled', disabled: at % 2 === 0 ? 1 : 2 ** 31 - 1 })
    await w.query({ '@type': 'worker.updatePaymentStatus' }, 20_000)
    client.send(runQuery())
    expect(await client.expect('client.queryAnswerErrorEx')).toMatchObject({ error_code: 651 })
    await othersEarn()
  })

  it('offers ever new models: the list stays bounded, and others are found in it', async () => {
    for (let at = 0; at < 40; at++) {
      const peer = await readyWorker(proxy, { owner: invented(), model: `m${at}${'x'.repeat(400)}` })
      peer.end()
    }
    await othersEarn()
    expect(proxy.status.value.models.length).toBeLessThanOrEqual(41)
  })

  it('names its model at length: it is refused, and the list of models stays as it was', async () => {
    const peer = await RawPeer.open(proxy.status.value.workerPort ?? 0)
    peers.push(peer)
    await peer.connect()
    const refusal = { '@type': 'tcp.queryError', code: 621, message: 'the name of the model is too long' }
    expect(await peer.query(workerHello({ owner: invented(), model: 'é'.repeat(255) }))).toMatchObject(refusal)
    await othersEarn()
    expect(proxy.status.value.models.map(({ model }) => model)).toEqual(['honest/model'])
  })
})
