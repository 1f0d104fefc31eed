import { Address } from '@ton/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
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
  model,
  part,
  readyClient,
  readyWorker,
  requestBytes,
  runQuery,
  workerOwner,
} from './testing/scripted.ts'

const int32 = { least: -(2 ** 31), most: 2 ** 31 - 1 }
const otherOwner = new Address(0, Buffer.alloc(32, 5)).toString()

describe('a client that does harm', () => {
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

  const keep = async (opening: Promise<RawPeer>): Promise<RawPeer> => {
    const peer = await opening
    peers.push(peer)
    return peer
  }
  const client = (options?: Parameters<typeof readyClient>[1]) => keep(readyClient(proxy, options))
  const worker = (options?: Parameters<typeof readyWorker>[1]) => keep(readyWorker(proxy, options))
  const stranger = async (): Promise<RawPeer> => {
    const peer = await keep(RawPeer.open(proxy.status.value.clientPort ?? 0))
    await peer.connect()
    return peer
  }
  const counted = (): (bigint | undefined)[] => [
    proxy.account('client', Address.parse(clientOwner))?.max,
    proxy.account('worker', Address.parse(workerOwner))?.max,
  ]
  const hello = (change: Partial<TlObject<'client.params'>> = {}, minConfigVersion = 3): TlObject<'client.connectToProxy'> => ({
    '@type': 'client.connectToProxy',
    params: {
      '@type': 'client.params',
      flags: 3,
      client_owner_address: otherOwner,
      is_test: true,
      min_proto_version: 0,
      max_proto_version: 2,
      ...change,
    },
    min_config_version: minConfigVersion,
  })
  /** Another client and a worker are served, and the books hold exactly that: what was done before has cost nobody anything. */
  const othersAreServed = async (w?: RawPeer, before = 0n): Promise<void> => {
    const [c, serving] = [await client(), w ?? (await worker())]
    c.send(runQuery())
    const { request_id } = await serving.expect('proxy.runQueryEx')
    serving.send(firstAnswer(request_id))
    serving.send(lastPart(request_id, 7))
    expect(await c.expect('proxy.clientRequestPayment')).toMatchObject({ request_tokens: 7n, max_tokens: before + 7n })
    expect(counted()).toEqual([before + 7n, before + 7n])
    expect(proxy.account('client', Address.parse(clientOwner))).toMatchObject({ reserved: 0n, running: 0 })
  }

  describe('in its handshake', () => {
    it.each([
      ['a version above all', { min_proto_version: 5, max_proto_version: 9 }, 621],
      ['a range upside down', { min_proto_version: 2, max_proto_version: 1 }, 621],
      ['a negative range', { min_proto_version: int32.least, max_proto_version: -1 }, 621],
      [
        'flags without their fields',
        { flags: 0, is_test: undefined, min_proto_version: undefined, max_proto_version: undefined },
        602,
      ],
      ['another test mode', { is_test: false }, 602],
      ['no address', { client_owner_address: '' }, 0],
      ['an address as long as a frame', { client_owner_address: 'E'.repeat(60_000) }, 0],
    ] as const)('names %s', async (_name, change, code) => {
      const peer = await stranger()
      const { is_test, min_proto_version, max_proto_version, ...params } = { ...hello().params, ...change }
      const rest = Object.entries({ is_test, min_proto_version, max_proto_version }).filter(([, value]) => value !== undefined)
      const answer = await peer.query({ ...hello(), params: { ...params, ...Object.fromEntries(rest) } })
      expect(answer).toMatchObject({ '@type': 'tcp.queryError', code })
      await expect.poll(() => peer.closed).toBe(true)
      await othersAreServed()
    })

    it('takes the largest versions for the newest one, and a network of the future is refused', async () => {
      const peer = await stranger()
      const answer = await peer.query(hello({ max_proto_version: int32.most }))
      expect(answer).toMatchObject({ params: { proto_version: 4 } })
      const later = await stranger()
      expect(await later.query(hello({}, int32.most))).toMatchObject({ '@type': 'tcp.queryError', code: 602 })
      await othersAreServed()
    })

    it('guesses secrets: one guess a connection, and none opens the account', async () => {
      for (const secret of [new Uint8Array(1), new Uint8Array(60_000), Buffer.from(clientOwner)]) {
        const peer = await stranger()
        await peer.query(hello({ client_owner_address: clientOwner }))
        const answer = await peer.query({ '@type': 'client.authorizeWithProxyShort', data: secret })
        expect(answer).toMatchObject({ '@type': 'tcp.queryError', code: 0, message: expect.stringContaining('sha256 mismatch') })
        await expect.poll(() => peer.closed).toBe(true)
      }
      await othersAreServed()
    })

    it('names owner after owner and goes no further: nothing of it is kept', async () => {
      const strangers = Array.from({ length: 5 }, (_, at) => new Address(0, Buffer.alloc(32, 100 + at)))
      for (const owner of strangers) await (await stranger()).query(hello({ client_owner_address: owner.toString() }))
      expect(strangers.map((owner) => proxy.account('client', owner))).toEqual(strangers.map(() => undefined))
      await othersAreServed()
    })

    it('asks for everything before it is authorized: no query of it reaches a worker', async () => {
      const w = await worker()
      const peer = await stranger()
      peer.send(runQuery())
      peer.send({ '@type': 'client.cancelQuery', request_id: new Uint8Array(32) })
      for (const question of ['client.updatePaymentStatus', 'client.getWorkerTypes', 'client.getWorkerTypesV2'] as const)
        expect(await peer.query({ '@type': question })).toMatchObject({ '@type': 'tcp.queryError', code: 621 })
      expect(await w.silent(100)).toBe(true)
      await othersAreServed(w)
    })

    it('comes in hundreds and says nothing: the oldest of them go, others are served', async () => {
      const crowd = await Promise.all(Array.from({ length: 400 }, stranger))
      await expect.poll(() => crowd.filter((peer) => peer.closed).length).toBeGreaterThanOrEqual(144)
      // The newest still may finish.
      expect(crowd.at(-1)?.closed).toBe(false)
      await othersAreServed()
    })

    it('stays in the middle of it by the hundred: nothing is kept of those that leave', async () => {
      for (let round = 0; round < 200; round++) {
        const peer = await stranger()
        await peer.query(hello({ client_owner_address: new Address(0, Buffer.alloc(32, round + 1)).toString() }))
        peer.end()
      }
      await othersAreServed()
    })
  })

  describe('with numbers out of all bounds', () => {
    it.each([
      ['the least max_tokens', { max_tokens: int32.least }],
      ['the most max_tokens', { max_tokens: int32.most }],
      ['the least max_coefficient', { max_coefficient: int32.least }],
      ['the most max_coefficient', { max_coefficient: int32.most }],
      ['the most of both', { max_tokens: int32.most, max_coefficient: int32.most }],
      ['no time', { timeout: 0 }],
      ['negative time', { timeout: -1e308 }],
      ['time without end', { timeout: Number.POSITIVE_INFINITY }],
      ['time that is no number', { timeout: Number.NaN }],
      ['a future network', { min_config_version: int32.most }],
      ['a model that nobody has', { model_name: 'x'.repeat(100_000) }],
      ['a model named as a property', { model_name: '__proto__' }],
      ['no request', { query: new Uint8Array(0) }],
      ['half a request', { query: requestBytes().subarray(0, 60) }],
    ])('is refused: %s', async (_name, change) => {
      const [c, w] = [await client(), await worker()]
      c.send(runQuery(change))
      const refusal = await c.expect('client.queryAnswerErrorEx')
      expect(refusal.error_code === 0 || refusal.error_code >= 600).toBe(true)
      expect(await w.silent(30)).toBe(true)
      await othersAreServed(w)
    })

    it.each([
      ['a choice count beyond all', { model, max_tokens: 10, n: 1e300, messages: [] }],
      ['a limit that is no number', { model, max_tokens: { valueOf: 1 }, messages: [] }],
      ['a negative limit', { model, max_tokens: -5, messages: [] }],
      ['a limit as a property of all', JSON.parse('{"__proto__":{"max_tokens":1},"messages":[]}')],
    ])('never lets a worker charge more for %s', async (_name, body) => {
      const [c, w] = [await client(), await worker()]
      c.send(runQuery({ query: requestBytes(body), max_tokens: 100 }))
      const { request_id } = await w.expect('proxy.runQueryEx')
      w.send(firstAnswer(request_id))
      w.send(lastPart(request_id, 2_000_000_000))
      expect(await c.expect('client.queryAnswerErrorEx')).toMatchObject({ error_code: 601 })
      expect(counted()).toEqual([0n, 0n])
    })

    it('nests its request a million times: it is the worker that judges it', async () => {
      const [c, w] = [await client(), await worker()]
      const request = decode(requestBytes(), 'http.request')
      const query = encode({ ...request, payload: Buffer.from('['.repeat(1_000_000)) })
      c.send(runQuery({ query, max_tokens: 10 }))
      const { request_id } = await w.expect('proxy.runQueryEx')
      w.send({ '@type': 'proxy.queryAnswerErrorEx', request_id, error_code: 621, error: 'worker: no', flags: 0 })
      await c.expect('client.queryAnswerErrorEx')
      await othersAreServed(w)
    })
  })

  it('that asks under one id again and again runs it once, and may use it anew when it is over', async () => {
    const [c, w] = [await client(), await worker()]
    const query = runQuery()
    for (let times = 0; times < 50; times++) c.send(query)
    const { request_id } = await w.expect('proxy.runQueryEx')
    w.send(firstAnswer(request_id))
    w.send(lastPart(request_id, 3))
    await c.expect('proxy.clientRequestPayment')
    expect(w.received.filter((one) => one.kind === 'packet' && one.inner?.['@type'] === 'proxy.runQueryEx')).toHaveLength(1)
    await othersAreServed(w, 3n)
  })

  it('uses the id of another client: neither sees or ends what belongs to the other', async () => {
    const [one, other, w] = [await client({ cancel: true }), await client({ cancel: true }), await worker({ cancel: true })]
    const query = runQuery()
    one.send(query)
    const first = await w.expect('proxy.runQueryEx')
    other.send(query)
    const second = await w.expect('proxy.runQueryEx')
    expect(Buffer.from(first.request_id).equals(Buffer.from(second.request_id))).toBe(false)
    other.send({ '@type': 'client.cancelQuery', request_id: query.request_id })
    const cancel = await w.expect('proxy.cancelQuery')
    expect(Buffer.from(cancel.request_id).equals(Buffer.from(second.request_id))).toBe(true)
    w.send(firstAnswer(first.request_id))
    w.send(part(first.request_id, 'for one'))
    expect(Buffer.from((await one.expect('client.queryAnswerPartEx')).answer).toString()).toBe('for one')
    expect(other.received.some((r) => r.kind === 'packet' && r.inner?.['@type'] === 'client.queryAnswerPartEx')).toBe(false)
    w.send(lastPart(first.request_id, 2))
    w.send(firstAnswer(second.request_id))
    w.send(lastPart(second.request_id, 0))
    await one.expect('proxy.clientRequestPayment')
    await other.expect('proxy.clientRequestPayment')
    await othersAreServed(w, 2n)
  })

  it('sends large frames before it is authorized: it is left at their first bytes, a small one is taken', async () => {
    for (const port of [proxy.status.value.clientPort, proxy.status.value.workerPort]) {
      const peer = await keep(RawPeer.open(port ?? 0))
      await peer.connect()
      const id = 1n
      peer.frame({ '@type': 'tcp.query', id, data: new Uint8Array(60 * 1024) })
      expect(await peer.expect('tcp.queryError')).toMatchObject({ id })
      const announced = Buffer.alloc(8)
      announced.writeUInt32LE(70 * 1024)
      announced.writeInt32LE(2, 4)
      peer.write(announced)
      await expect.poll(() => peer.closed).toBe(true)
    }
    const w = await worker()
    const large = await client()
    large.send(runQuery({ query: requestBytes({ model, max_tokens: 100, messages: [], padding: 'x'.repeat(100_000) }) }))
    const { request_id } = await w.expect('proxy.runQueryEx')
    w.send(firstAnswer(request_id))
    w.send(part(request_id, new Uint8Array(100_000)))
    w.send(lastPart(request_id, 2))
    await large.expect('proxy.clientRequestPayment')
  })

  it('that never reads keeps neither memory nor others busy', async () => {
    const w = await worker({ cancel: true })
    const deaf = await client({ cancel: true })
    deaf.pauseReading(true)
    const before = await heldBytes()
    for (let round = 0; round < 6; round++) {
      deaf.send(runQuery())
      const { request_id } = await w.expect('proxy.runQueryEx')
      w.send(firstAnswer(request_id))
      for (let at = 0; at < 16; at++) w.send(part(request_id, new Uint8Array(512 * 1024)))
      await w.expect('proxy.cancelQuery')
      w.send(lastPart(request_id, 1))
      await w.expect('proxy.workerRequestPayment')
    }
    // 48 MB were sent; the sending peer of this test holds copies of a part of it until they are read.
    expect((await heldBytes()) - before).toBeLessThan(40 << 20)
    await othersAreServed(w, 6n)
  })

  it('asks for lists and payments without end: it is answered in its turn, and so are others', async () => {
    const [greedy, w] = [await client(), await worker()]
    const answers = Array.from({ length: 300 }, (_, at) =>
      greedy.query({ '@type': at % 2 === 0 ? 'client.updatePaymentStatus' : 'client.getWorkerTypesV2' }, 10_000),
    )
    await othersAreServed(w)
    expect(await Promise.allSettled(answers)).toHaveLength(300)
  })
})
