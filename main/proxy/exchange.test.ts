import { createHash } from 'node:crypto'
import { Address } from '@ton/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Signal } from '../base/signal.ts'
import { decode, encode } from '../protocol/tl/codec.ts'
import type { TlObject } from '../protocol/tl/types.ts'
import { mostDataBytes } from '../protocol/wire/tcp-packets.ts'
import type { RootConfig } from '../ton/root-config.ts'
import type { CocoonProxy } from './proxy.ts'
import { goldenRoot, pseudoProxy, temporaryFolder } from './testing/fixtures.ts'
import type { RawPeer } from './testing/raw-peer.ts'
import {
  clientOwner,
  firstAnswer,
  lastPart,
  model,
  part,
  readyClient,
  readyWorker,
  requestBytes,
  responseBytes,
  runQuery,
  usage,
  workerOwner,
} from './testing/scripted.ts'

const otherOwner = 'UQBT4hy4vMEZ9uxSCuhw_gBKh9_AwmHXLe7Wo0O4Vh-4kUUM'

describe('exchange between scripted peers', () => {
  let folder: ReturnType<typeof temporaryFolder>
  let proxy: CocoonProxy
  const peers: RawPeer[] = []
  const keep = <T extends RawPeer>(peer: T): T => {
    peers.push(peer)
    return peer
  }
  const client = async (options = {}) => keep(await readyClient(proxy, options))
  const worker = async (script = {}) => keep(await readyWorker(proxy, script))
  const counted = (kind: 'client' | 'worker', owner = kind === 'client' ? clientOwner : workerOwner): bigint =>
    proxy.account(kind, Address.parse(owner))?.max ?? 0n
  const running = () => proxy.status.value.runningQueries
  const until = async (look: () => boolean, limitMs = 60_000): Promise<void> => {
    const deadline = Date.now() + limitMs
    while (!look()) {
      if (Date.now() > deadline) throw new Error('it did not happen')
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

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

  const start = async (c: RawPeer, w: RawPeer, change: Partial<TlObject<'client.runQueryEx'>> = {}) => {
    const query = runQuery(change)
    c.send(query)
    const forwarded = await w.expect('proxy.runQueryEx')
    return { query, forwarded, id: forwarded.request_id }
  }

  const bodyOf = (bytes: number): Uint8Array => requestBytes({ model, max_tokens: 1, pad: 'x'.repeat(bytes) })
  /** That this worker is not avoided: a dearer one, as quick as any that has no history, is not picked instead. */
  const expectedToPick = async (c: RawPeer, w: RawPeer): Promise<void> => {
    const dear = await worker({ owner: otherOwner, coefficient: 3000 })
    c.send(runQuery())
    await w.expect('proxy.runQueryEx')
    expect(dear.received.some((r) => r.kind === 'packet' && r.inner?.['@type'] === 'proxy.runQueryEx')).toBe(false)
  }

  it('charges the client and credits the worker what was used, and releases the reservation', async () => {
    const [c, w] = [await client(), await worker()]
    const { query, id, forwarded } = await start(c, w)
    expect(Buffer.from(id).equals(Buffer.from(query.request_id))).toBe(false)
    expect(forwarded.timeout).toBe(19)
    expect(proxy.account('client', Address.parse(clientOwner))?.reserved).toBe(BigInt((1000 + query.query.length) * 4))
    w.send(firstAnswer(id))
    w.send(part(id, 'hello'))
    expect(Buffer.from((await c.expect('client.queryAnswerPartEx')).answer).toString()).toBe('hello')
    w.send(lastPart(id, 42))
    const final = (await c.expect('client.queryAnswerPartEx')).final_info
    expect(final?.tokens_used.total_tokens_used).toBe(42n)
    const payments = [await c.expect('proxy.clientRequestPayment'), await w.expect('proxy.workerRequestPayment')]
    for (const payment of payments) expect(payment).toMatchObject({ db_tokens: 42n, max_tokens: 42n, request_tokens: 42n })
    expect(proxy.account('client', Address.parse(clientOwner))).toMatchObject({ reserved: 0n, running: 0 })
    expect([counted('client'), counted('worker')]).toEqual([42n, 42n])
  })

  it('tells of requests that share a commit one by one, each with the total right after it', async () => {
    const [c, w] = [await client(), await worker()]
    const ids = [(await start(c, w)).id, (await start(c, w)).id, (await start(c, w)).id]
    for (const id of ids) w.send(firstAnswer(id))
    for (const [at, id] of ids.entries()) w.send(lastPart(id, 10 * (at + 1)))
    for (const [tokens, max] of [
      [10n, 10n],
      [20n, 30n],
      [30n, 60n],
    ]) {
      expect(await c.expect('proxy.clientRequestPayment')).toMatchObject({ request_tokens: tokens, max_tokens: max })
      expect(await w.expect('proxy.workerRequestPayment')).toMatchObject({ request_tokens: tokens, max_tokens: max })
    }
  })

  it('fails the requests of a lost worker at once with 651 and charges nobody', async () => {
    const [c, w] = [await client(), await worker()]
    const { id } = await start(c, w)
    w.send(firstAnswer(id))
    await c.expect('client.queryAnswerEx')
    const before = Date.now()
    w.end()
    expect(await c.expect('client.queryAnswerErrorEx')).toMatchObject({ error_code: 651 })
    expect(Date.now() - before).toBeLessThan(10_000)
    expect((await c.expect('proxy.clientRequestPayment')).request_tokens).toBe(0n)
    expect([counted('client'), running()]).toEqual([0n, 0])
  })

  it('refuses an answer that fills a frame to the last byte, and the client still gets everything else', async () => {
    const [c, w] = [await client(), await worker()]
    const { id } = await start(c, w)
    const response = { ...decode(responseBytes, 'http.response'), payload: new Uint8Array(mostDataBytes - 150) }
    w.send({ ...firstAnswer(id), answer: encode(response) })
    expect(await c.expect('client.queryAnswerErrorEx')).toMatchObject({ error_code: 621 })
    expect((await c.expect('proxy.clientRequestPayment')).request_tokens).toBe(0n)
    c.send(runQuery())
    expect(await c.expect('client.queryAnswerErrorEx')).toMatchObject({ error_code: 651 })
    expect([counted('client'), running()]).toEqual([0n, 0])
  })

  it('shortens an error that fills a frame', async () => {
    const [c, w] = [await client(), await worker()]
    const { id } = await start(c, w)
    const error = 'x'.repeat(mostDataBytes - 100)
    w.send({ '@type': 'proxy.queryAnswerErrorEx', request_id: id, error_code: 601, error, flags: 0 })
    expect((await c.expect('client.queryAnswerErrorEx')).error.length).toBe(4_000)
  })

  it('passes a cancel on to a worker that knows it, and books the usage so far', async () => {
    const [c, w] = [await client({ cancel: true }), await worker({ cancel: true })]
    const { id, query } = await start(c, w)
    w.send(firstAnswer(id))
    c.send({ '@type': 'client.cancelQuery', request_id: query.request_id })
    c.send({ '@type': 'client.cancelQuery', request_id: query.request_id })
    const cancel = await w.expect('proxy.cancelQuery')
    expect(Buffer.from(cancel.request_id).equals(Buffer.from(id))).toBe(true)
    w.send(lastPart(id, 7))
    expect((await c.expect('client.queryAnswerPartEx')).final_info?.tokens_used.total_tokens_used).toBe(7n)
    await w.expect('proxy.workerRequestPayment')
    expect(w.received.filter((r) => r.kind === 'packet' && r.inner?.['@type'] === 'proxy.cancelQuery')).toHaveLength(1)
    expect(counted('worker')).toBe(7n)
  })

  it('ignores cancels of strangers and never sends one to a worker that did not announce it', async () => {
    const [c, stranger, w] = [await client({ cancel: true }), await client({ cancel: true }), await worker()]
    const { id, query } = await start(c, w)
    stranger.send({ '@type': 'client.cancelQuery', request_id: query.request_id })
    c.send({ '@type': 'client.cancelQuery', request_id: query.request_id })
    expect(await w.silent(100)).toBe(true)
    w.send(firstAnswer(id))
    w.send(lastPart(id, 9))
    expect((await c.expect('client.queryAnswerPartEx')).final_info?.tokens_used.total_tokens_used).toBe(9n)
  })

  it('cancels the worker of a client that is gone, and still pays for what was generated', async () => {
    const [c, w] = [await client(), await worker({ cancel: true })]
    const { id } = await start(c, w)
    w.send(firstAnswer(id))
    c.end()
    await w.expect('proxy.cancelQuery')
    w.send(lastPart(id, 5))
    expect(await w.expect('proxy.workerRequestPayment')).toMatchObject({ request_tokens: 5n, max_tokens: 5n })
    expect([counted('client'), counted('worker')]).toEqual([5n, 5n])
  })

  it.each([
    ['negative', usage({ completion_tokens_used: -5n, total_tokens_used: -5n })],
    ['a total that is not the sum', usage({ completion_tokens_used: 5n, total_tokens_used: 500n })],
    ['more answer tokens than agreed', usage({ completion_tokens_used: 2_000_000n, total_tokens_used: 2_000_000n })],
    ['more prompt tokens than bytes', usage({ prompt_tokens_used: 9_000n, total_tokens_used: 9_000n })],
    ['the largest integer', usage({ reasoning_tokens_used: 2n ** 63n - 1n, total_tokens_used: 2n ** 63n - 1n })],
  ])('refuses usage: %s', async (_name, absurd) => {
    const [c, w] = [await client(), await worker({ cancel: true })]
    const { id } = await start(c, w)
    w.send(firstAnswer(id))
    w.send(lastPart(id, absurd))
    expect(await c.expect('client.queryAnswerErrorEx')).toMatchObject({ error_code: 601 })
    expect((await w.expect('proxy.workerRequestPayment')).request_tokens).toBe(0n)
    expect([counted('client'), counted('worker')]).toEqual([0n, 0n])
    // Quarantined, also after a reconnect.
    await worker()
    c.send(runQuery())
    expect(await c.expect('client.queryAnswerErrorEx')).toMatchObject({ error_code: 651 })
  })

  it('ignores answers to foreign, unknown and finished requests', async () => {
    const c = await client()
    const honest = await worker()
    const thief = await worker({ owner: otherOwner, model: 'another/model' })
    const { id } = await start(c, honest)
    thief.send(firstAnswer(id))
    thief.send(lastPart(id, 3))
    honest.send(lastPart(new Uint8Array(32), 3))
    expect(await c.silent(100)).toBe(true)
    honest.send(firstAnswer(id))
    honest.send(lastPart(id, 4))
    honest.send(lastPart(id, 4))
    await c.expect('proxy.clientRequestPayment')
    expect(await c.silent(50)).toBe(true)
    expect([counted('worker'), counted('worker', otherOwner)]).toEqual([4n, 0n])
  })

  it('runs a request id once', async () => {
    const [c, w] = [await client(), await worker()]
    const { query, id } = await start(c, w)
    c.send(query)
    expect(await w.silent(100)).toBe(true)
    expect(await c.silent(10)).toBe(true)
    w.send(firstAnswer(id))
    w.send(lastPart(id, 1))
    await c.expect('proxy.clientRequestPayment')
    expect(counted('client')).toBe(1n)
  })

  it('survives a flood of queries: reservations and limits hold, everything is answered', async () => {
    const [c, w] = [await client(), await worker({ limit: 5 })]
    for (let i = 0; i < 500; i++) c.send(runQuery())
    await until(() => proxy.status.value.totals.rejected === 495)
    expect(running()).toBe(5)
    expect(proxy.account('client', Address.parse(clientOwner))?.running).toBe(5)
    w.end()
    await until(() => running() === 0)
    expect(proxy.account('client', Address.parse(clientOwner))).toMatchObject({ reserved: 0n, running: 0, max: 0n })
  })

  it('refuses what the balance does not cover, before any worker sees it', async () => {
    const [c, w] = [await client(), await worker()]
    c.send(runQuery({ max_tokens: 400_000_000 }))
    expect(await c.expect('client.queryAnswerErrorEx')).toMatchObject({ error_code: 651 })
    c.send(runQuery({ max_tokens: 600_000_000 }))
    expect(await c.expect('client.queryAnswerErrorEx')).toMatchObject({ error_code: 602 })
    c.send(runQuery({ max_tokens: -1 }))
    expect(await c.expect('client.queryAnswerErrorEx')).toMatchObject({ error_code: 621 })
    c.send(runQuery({ timeout: Number.NaN }))
    expect(await c.expect('client.queryAnswerErrorEx')).toMatchObject({ error_code: 621 })
    c.send(runQuery({ max_tokens: 10, query: requestBytes({ model, max_tokens: 5000 }) }))
    expect(await c.expect('client.queryAnswerErrorEx')).toMatchObject({ error_code: 602 })
    expect(await w.silent(50)).toBe(true)
  })

  it('brings nothing to workers by the lists of a contract that endpoints disagree about', async () => {
    await proxy.stop()
    const listed = goldenRoot({
      readAtMs: Date.now(),
      workerHashes: new Set(['00'.repeat(32)]),
      modelHashes: new Set([createHash('sha256').update(`${model}@c:h`).digest('hex')]),
    })
    const root = new Signal<RootConfig | null>(listed)
    proxy = pseudoProxy(folder.path, { checkHashes: true }, { root })
    await proxy.start()
    const [c, w] = [await client(), await worker()]
    root.set({ ...listed, disputed: { first: 'https://a/', other: 'https://b/' } })
    await new Promise((resolve) => setImmediate(resolve))
    c.send(runQuery())
    expect(await c.expect('client.queryAnswerErrorEx')).toMatchObject({ error_code: 651, error: 'proxy is disabled' })
    expect(await w.silent(50)).toBe(true)
    root.set(listed)
    await new Promise((resolve) => setImmediate(resolve))
    c.send(runQuery())
    await w.expect('proxy.runQueryEx')
  })

  it.each([
    ['software', { workerHashes: new Set<string>() }],
    ['model', { modelHashes: new Set<string>() }],
  ])('leaves a worker whose %s the contract lists no more, while its connection stands', async (_what, takenBack) => {
    await proxy.stop()
    const listed = goldenRoot({
      readAtMs: Date.now(),
      workerHashes: new Set(['00'.repeat(32)]),
      modelHashes: new Set([createHash('sha256').update(`${model}@c:h`).digest('hex')]),
    })
    const root = new Signal<RootConfig | null>(listed)
    proxy = pseudoProxy(folder.path, { checkHashes: true }, { root })
    await proxy.start()
    const [c, w] = [await client(), await worker()]
    c.send(runQuery())
    await w.expect('proxy.runQueryEx')
    root.set({ ...listed, readAtMs: Date.now() })
    await new Promise((resolve) => setImmediate(resolve))
    expect([w.closed, running()]).toEqual([false, 1])
    root.set({ ...listed, ...takenBack })
    expect(await c.expect('client.queryAnswerErrorEx')).toMatchObject({ error_code: 651, error: expect.stringContaining('lost') })
    await until(() => w.closed)
    c.send(runQuery({ request_id: new Uint8Array(32).fill(9) }))
    expect(await c.expect('client.queryAnswerErrorEx')).toMatchObject({ error_code: 651 })
    expect(counted('client')).toBe(0n)
  })

  it.each([
    ['three hours ago', -10_800_000],
    ['at a time that is still to come, as after a clock that jumped back', 600_000],
  ])('brings nothing to workers by the lists of a contract that was read %s', async (_when, offMs) => {
    await proxy.stop()
    const modelHashes = new Set([createHash('sha256').update(`${model}@c:h`).digest('hex')])
    const listed = goldenRoot({ readAtMs: Date.now(), workerHashes: new Set(['00'.repeat(32)]), modelHashes })
    const root = new Signal<RootConfig | null>(listed)
    proxy = pseudoProxy(folder.path, { checkHashes: true }, { root })
    await proxy.start()
    const [c, w] = [await client(), await worker()]
    root.set({ ...listed, readAtMs: Date.now() + offMs })
    await new Promise((resolve) => setImmediate(resolve))
    c.send(runQuery())
    expect(await c.expect('client.queryAnswerErrorEx')).toMatchObject({ error_code: 651, error: 'proxy is disabled' })
    root.set({ ...listed, readAtMs: Date.now() })
    await new Promise((resolve) => setImmediate(resolve))
    c.send(runQuery())
    await w.expect('proxy.runQueryEx')
  })

  it('refuses a query that is too large to be passed on, and blames no worker for it', async () => {
    const [c, w] = [await client(), await worker()]
    const rest = encode(runQuery({ query: bodyOf(0) })).length
    for (let times = 0; times < 4; times++) {
      // To the last byte of the client's frame: the worker's would be larger, for the payment that goes with it.
      c.send(runQuery({ query: bodyOf(mostDataBytes - rest - 8) }))
      const refusal = await c.expect('client.queryAnswerErrorEx', 20_000)
      expect(refusal).toMatchObject({ error_code: 621, error: expect.stringContaining('413 Content Too Large') })
    }
    expect(w.received.some((r) => r.kind === 'packet' && r.inner?.['@type'] === 'proxy.runQueryEx')).toBe(false)
    await expectedToPick(c, w)
  })

  it('blames no worker that is still taking in other large queries', async () => {
    const [c, w] = [await client(), await worker()]
    w.pauseReading(true)
    for (let times = 0; times < 8; times++) c.send(runQuery({ query: bodyOf(12 << 20) }))
    // Some fit into what the sockets hold; as many are refused as would make a worker avoided.
    for (let refused = 0; refused < 3; refused++) {
      const busy = await c.expect('client.queryAnswerErrorEx', 20_000)
      expect(busy).toMatchObject({ error_code: 651, error: expect.stringContaining('still taking in') })
    }
    await until(() => running() + proxy.status.value.totals.failed === 8)
    w.pauseReading(false)
    for (let left = running(); left > 0; left--) {
      const { request_id } = await w.expect('proxy.runQueryEx', 20_000)
      w.send(firstAnswer(request_id))
      w.send(lastPart(request_id, 1))
      await until(() => running() < left)
    }
    await expectedToPick(c, w)
  })

  it('closes a connection that sends a packet that cannot be parsed, and goes on', async () => {
    const [c, w] = [await client(), await worker()]
    const broken = encode(runQuery()).subarray(0, 40)
    c.frame({ '@type': 'tcp.packet', data: broken })
    await until(() => c.closed)
    const [c2] = [await client()]
    const { id } = await start(c2, w)
    w.send(firstAnswer(id))
    w.send(lastPart(id, 2))
    await c2.expect('proxy.clientRequestPayment')
  })

  it('keeps a slow reader from stalling others, and ends its request', async () => {
    const [slow, quick, w] = [await client(), await client(), await worker({ cancel: true })]
    const { id } = await start(slow, w)
    slow.pauseReading(true)
    w.send(firstAnswer(id))
    const chunk = new Uint8Array(256 * 1024)
    for (let i = 0; i < 60; i++) w.send(part(id, chunk))
    const other = await start(quick, w)
    w.send(firstAnswer(other.id))
    w.send(lastPart(other.id, 3))
    await quick.expect('proxy.clientRequestPayment')
    await w.expect('proxy.cancelQuery')
    w.send(lastPart(id, 11))
    slow.pauseReading(false)
    expect(await slow.expect('client.queryAnswerErrorEx')).toMatchObject({ error_code: 653 })
    expect((await slow.expect('proxy.clientRequestPayment')).request_tokens).toBe(11n)
    expect(counted('client')).toBe(14n)
  })

  it('spreads equal workers and prefers the cheaper of equally fast ones', async () => {
    const c = await client()
    const [a, b] = [await worker({ coefficient: 500 }), await worker({ owner: otherOwner, coefficient: 500 })]
    const dear = await worker({ coefficient: 3000 })
    const answerNext = (): boolean => {
      for (const w of [a, b]) {
        for (let item = w.takeUnread(); item !== undefined; item = w.takeUnread()) {
          if (item.kind !== 'packet' || item.inner?.['@type'] !== 'proxy.runQueryEx') continue
          w.send(firstAnswer(item.inner.request_id))
          w.send(lastPart(item.inner.request_id, 1))
          return true
        }
      }
      return false
    }
    for (let i = 0; i < 4; i++) {
      c.send(runQuery())
      await until(answerNext)
      await c.expect('proxy.clientRequestPayment')
    }
    expect([counted('worker'), counted('worker', otherOwner)]).toEqual([2n, 2n])
    expect(dear.received.some((r) => r.kind === 'packet' && r.inner?.['@type'] === 'proxy.runQueryEx')).toBe(false)
  })

  it('never lets more be charged than the answer that was agreed, whatever the body omits', async () => {
    const [c, w] = [await client(), await worker()]
    // No limit in the body: delivered bytes bound the charge beyond max_tokens.
    const { id } = await start(c, w, { max_tokens: 10, query: requestBytes({ model, messages: [] }) })
    w.send(firstAnswer(id))
    w.send(part(id, 'x'.repeat(300)))
    w.send(lastPart(id, 250))
    expect((await c.expect('proxy.clientRequestPayment')).request_tokens).toBe(250n)
    expect(counted('client')).toBe(250n)
  })

  it('charges, and promises the worker, no more than the money of the client covers, whatever the reservation leaves out', async () => {
    const [c, w] = [await client(), await worker()]
    const account = proxy.account('client', Address.parse(clientOwner)) ?? expect.unreachable('no account')
    const { pricePerToken } = goldenRoot().params
    const money = 500n * pricePerToken
    account.client = { state: 'normal', balance: money, stake: money, used: 0n, secretHash: new Uint8Array(32) }
    // Reserved is one token and the bytes of the request; 1024 choices may use far more.
    const many = requestBytes({ model, max_tokens: 1, n: 1024 })
    const [one, other] = [
      await start(c, w, { max_tokens: 1, max_coefficient: 1000, query: many }),
      await start(c, w, { max_tokens: 1, max_coefficient: 1000, query: many, request_id: new Uint8Array(32).fill(77) }),
    ]
    const { reserved } = account
    expect(reserved).toBeLessThan(500n)
    w.send(firstAnswer(one.id))
    w.send(lastPart(one.id, 900))
    const covered = 500n - reserved / 2n
    expect((await c.expect('client.queryAnswerPartEx')).final_info?.tokens_used.total_tokens_used).toBe(covered)
    expect((await c.expect('proxy.clientRequestPayment')).request_tokens).toBe(covered)
    expect((await w.expect('proxy.workerRequestPayment')).request_tokens).toBe(covered)
    // What was reserved for the other one is still its own.
    w.send(firstAnswer(other.id))
    w.send(lastPart(other.id, 900))
    expect((await c.expect('proxy.clientRequestPayment')).request_tokens).toBe(reserved / 2n)
    expect([counted('client'), counted('worker')]).toEqual([500n, 500n])
    c.send(runQuery({ max_tokens: 1, max_coefficient: 1000, query: many, request_id: new Uint8Array(32).fill(78) }))
    expect((await c.expect('client.queryAnswerErrorEx')).error).toContain('balance is too low')
  })
})
