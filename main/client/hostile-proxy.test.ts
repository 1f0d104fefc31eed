import { afterEach, describe, expect, it } from 'vitest'
import { heldBytes } from '../base/testing/held-bytes.ts'
import { encodeHttpResponse } from '../protocol/http/http-message.ts'
import { scriptedNetwork } from '../protocol/testing/scripted-network.ts'
import type { ScriptedConnection } from '../protocol/testing/scripted-proxy.ts'
import type { TlObject } from '../protocol/tl/types.ts'
import type { QueryHandle } from './running-query.ts'
import { becomeReady, chargeOf, clientPeer, completeHandshake, connectedToProxy } from './testing/client-peer.ts'

type Peer = Awaited<ReturnType<typeof clientPeer>>
let peer: Peer | undefined
afterEach(async () => {
  await peer?.dispose()
  peer = undefined
})

const never = new AbortController().signal
const chat = { model: 'M', body: '{"model":"M","messages":[]}', maxTokens: 100 }
const int64 = { least: -(2n ** 63n), most: 2n ** 63n - 1n }
const known = { signed: 15n, db: 20n, max: 30n }

async function ready(options: Parameters<typeof clientPeer>[0] = {}) {
  peer = await clientPeer(options)
  return { ...peer, connection: await becomeReady(peer, known) }
}

const tokens = (change: Partial<TlObject<'tokensUsed'>>): TlObject<'tokensUsed'> => ({
  '@type': 'tokensUsed',
  prompt_tokens_used: 0n,
  cached_tokens_used: 0n,
  completion_tokens_used: 0n,
  reasoning_tokens_used: 0n,
  total_tokens_used: 0n,
  ...change,
})
const whole = (
  request_id: Uint8Array,
  used: TlObject<'tokensUsed'>,
  times: Partial<TlObject<'client.queryFinalInfo'>> = {},
): TlObject<'client.queryAnswerEx'> => ({
  '@type': 'client.queryAnswerEx',
  request_id,
  answer: encodeHttpResponse({ status: 200, reason: 'OK', headers: [] }, Buffer.from('hello')),
  flags: 1,
  final_info: { '@type': 'client.queryFinalInfo', flags: 0, tokens_used: used, ...times },
})
const payment = (request_id: Uint8Array, told: { tokens: bigint; db: bigint; max: bigint }): TlObject => ({
  '@type': 'proxy.clientRequestPayment',
  request_id,
  signed_payment: { '@type': 'proxy.signedPaymentEmpty' },
  db_tokens: told.db,
  max_tokens: told.max,
  request_tokens: told.tokens,
})
const book = () => peer?.client.accounts.list(scriptedNetwork.root.address)[0]
const textOf = async (handle: QueryHandle): Promise<string> => {
  let text = ''
  for await (const bytes of handle.body) text += new TextDecoder().decode(bytes)
  return text
}

/** The client still asks and is answered, over the same connection. */
async function isServed(connection: ScriptedConnection): Promise<void> {
  const handle = peer?.client.runChat(chat, never)
  if (handle === undefined) throw new Error('no client')
  const { request_id } = await connection.nextPacket('client.runQueryEx')
  await connection.send(whole(request_id, tokens({ prompt_tokens_used: 3n, total_tokens_used: 3n })))
  expect(await textOf(handle)).toBe('hello')
  expect(await handle.end).toMatchObject({ cost: 6n })
}

describe('a proxy that does harm to its client', () => {
  it.each([
    ['negative usage', { prompt_tokens_used: -5n, total_tokens_used: -5n }],
    ['the least number', { completion_tokens_used: int64.least, total_tokens_used: int64.least }],
    ['a total that is not the sum', { prompt_tokens_used: 1n, total_tokens_used: 1_000_000n }],
    ['parts that make up for one another', { prompt_tokens_used: -5n, completion_tokens_used: 10n, total_tokens_used: 5n }],
  ])('states %s: the answer stays, no cost is shown for it, and it is reported', async (_name, used) => {
    const { client, connection, events } = await ready()
    const handle = client.runChat(chat, never)
    const { request_id } = await connection.nextPacket('client.runQueryEx')
    await connection.send(whole(request_id, tokens(used)))
    expect(await textOf(handle)).toBe('hello')
    expect(await handle.end).toEqual({})
    expect(events).toMatchObject([{ type: 'deviation', deviation: { kind: 'usage-impossible' } }])
    expect(book()).toMatchObject({ signedTokens: 15n, dbTokens: 20n, maxTokens: 30n })
    await isServed(connection)
  })

  it.each([
    ['a prompt of more tokens than bytes', { prompt_tokens_used: 5_000n, total_tokens_used: 5_000n }],
    ['an answer beyond what was allowed', { completion_tokens_used: 117n, total_tokens_used: 117n }],
    ['the most number', { reasoning_tokens_used: int64.most, total_tokens_used: int64.most }],
  ])('states %s: it is reported', async (_name, used) => {
    const { client, connection, events } = await ready()
    const handle = client.runChat(chat, never)
    const { request_id } = await connection.nextPacket('client.runQueryEx')
    await connection.send(whole(request_id, tokens(used)))
    await handle.end
    expect(events).toMatchObject([{ type: 'deviation', deviation: { kind: 'usage-too-much' } }])
    await isServed(connection)
  })

  it('tells times that are none: they are left out', async () => {
    const { client, connection } = await ready()
    const handle = client.runChat(chat, never)
    const { request_id } = await connection.nextPacket('client.runQueryEx')
    const times = {
      flags: 2,
      proxy_start_time: Number.NaN,
      proxy_end_time: Number.POSITIVE_INFINITY,
      worker_start_time: -1e308,
      worker_end_time: 1,
    }
    await connection.send(whole(request_id, tokens({}), times))
    expect(await handle.end).not.toHaveProperty('times')
    await isServed(connection)
  })

  it.each([
    ['negative tokens', { tokens: -7n, db: 20n, max: 23n }],
    ['the least numbers', { tokens: int64.least, db: int64.least, max: int64.least }],
    ['a negative total', { tokens: 0n, db: -1n, max: 30n }],
  ])('accounts for a request with %s: nothing is charged, kept or lowered', async (_name, told) => {
    const { client, connection, events } = await ready()
    const handle = client.runChat(chat, never)
    const { request_id } = await connection.nextPacket('client.runQueryEx')
    await connection.send(whole(request_id, tokens({})))
    await handle.end
    await connection.send(payment(request_id, told))
    await expect.poll(() => events.length).toBeGreaterThan(0)
    expect(events.every((event) => event.type === 'deviation' || event.cost >= 0n)).toBe(true)
    expect(book()).toMatchObject({ signedTokens: 15n, dbTokens: 20n, maxTokens: 30n })
    await isServed(connection)
  })

  it('tells the largest total: the balance counts as used up, and nothing more is believed or paid', async () => {
    const { connection, events } = await ready()
    await connection.send(payment(new Uint8Array(32), { tokens: int64.most, db: int64.most, max: int64.most }))
    await expect.poll(() => events.length).toBeGreaterThan(0)
    expect(book()).toMatchObject({ signedTokens: 15n })
    expect(events[0]).toMatchObject({ type: 'deviation' })
    await isServed(connection)
  })

  it.each([
    ['negative', { signed: -1n, db: 0n, max: 0n }],
    ['lower than before', { signed: 3n, db: 4n, max: 5n }],
  ])('comes back with totals that are %s: the larger ones stay', async (_name, told) => {
    const { connection, proxy } = await ready()
    connection.connection.close('again')
    const next = await proxy.accept()
    await completeHandshake(next, { ...told, signed: told.signed < 0n ? 0n : told.signed })
    await peer?.client.whenReady(AbortSignal.timeout(60_000))
    await isServed(next)
    expect(book()).toMatchObject({ signedTokens: 15n, dbTokens: 20n, maxTokens: 30n })
  })

  it('answers requests of others, twice, and after their end: only the own first answer counts', async () => {
    const { client, connection } = await ready()
    const [one, two] = [client.runChat(chat, never), client.runChat(chat, never)]
    const first = (await connection.nextPacket('client.runQueryEx')).request_id
    const second = (await connection.nextPacket('client.runQueryEx')).request_id
    await connection.send(whole(new Uint8Array(32).fill(9), tokens({ prompt_tokens_used: 9n, total_tokens_used: 9n })))
    await connection.send(whole(first, tokens({ prompt_tokens_used: 1n, total_tokens_used: 1n })))
    await connection.send(whole(first, tokens({ prompt_tokens_used: 50n, total_tokens_used: 50n })))
    await connection.send({ '@type': 'client.queryAnswerErrorEx', request_id: first, error_code: 651, error: 'late', flags: 0 })
    await connection.send(whole(second, tokens({ prompt_tokens_used: 2n, total_tokens_used: 2n })))
    expect([await one.end, await two.end]).toMatchObject([{ cost: 2n }, { cost: 4n }])
    await isServed(connection)
  })

  it.each([
    ['below zero', -1],
    ['zero', 0],
    ['of the far future', 2 ** 31 - 1],
  ])('chooses a protocol version %s and is left, nothing is sent to it', async (_name, proto_version) => {
    peer = await clientPeer()
    peer.client.start()
    const connection = await peer.proxy.accept()
    ;(await connection.nextQuery('client.connectToProxy')).answer(connectedToProxy({ proto_version }))
    expect(await connection.closed).toBe('closed-by-peer')
    expect(() => peer?.client.runChat(chat, never)).toThrow(expect.objectContaining({ code: 'no-connection' }))
  })

  it('floods packets about nothing: memory stays as it was', async () => {
    const { connection, events } = await ready({ paymentStatusMs: [600_000, 600_000] })
    const before = await heldBytes()
    for (let at = 0; at < 300; at++) {
      const request_id = new Uint8Array(32).fill(at)
      const answer = new Uint8Array(256 * 1024)
      await connection.send({ '@type': 'client.queryAnswerPartEx', request_id, answer, flags: 0 })
      await connection.send(chargeOf(3n))
    }
    await isServed(connection)
    expect((await heldBytes()) - before).toBeLessThan(10 << 20)
    expect(events).toEqual([])
  })

  it('lists models in numbers that no network has: they are shown as told, and the next request works', async () => {
    const { client, connection } = await ready()
    const listing = client.models()
    const worker = {
      '@type': 'client.workerInstanceV2',
      flags: 0,
      coefficient: -(2 ** 31),
      active_requests: 2 ** 31 - 1,
      max_active_requests: -1,
    } as const
    const types = Array.from({ length: 1000 }, (_, at) => ({
      '@type': 'client.workerTypeV2' as const,
      name: `m${at % 10}`,
      workers: Array.from({ length: 20 }, () => worker),
    }))
    ;(await connection.nextQuery('client.getWorkerTypesV2')).answer({ '@type': 'client.workerTypesV2', types })
    expect(await listing).toHaveLength(10)
    await isServed(connection)
  })

  it('refuses without end: every request is told so once, and costs nothing', async () => {
    const { client, connection } = await ready()
    const handles = Array.from({ length: 100 }, () => client.runChat(chat, never))
    for (const _handle of handles) {
      const { request_id } = await connection.nextPacket('client.runQueryEx')
      await connection.send({
        '@type': 'client.queryAnswerError',
        request_id,
        error_code: -(2 ** 31),
        error: 'x'.repeat(10_000),
        request_tokens_used: tokens({ total_tokens_used: int64.most }),
      })
    }
    const ends = await Promise.allSettled(handles.map(({ end }) => end))
    expect(ends.every((end) => end.status === 'rejected' && end.reason.money === 'You paid nothing.')).toBe(true)
    await isServed(connection)
    expect(client.state.value.running).toBe(0)
  })
})
