import { createHash, createHmac } from 'node:crypto'
import { afterEach, describe, expect, it } from 'vitest'
import { encodeHttpResponse } from '../protocol/http/http-message.ts'
import { scriptedNetwork } from '../protocol/testing/scripted-network.ts'
import type { ScriptedConnection } from '../protocol/testing/scripted-proxy.ts'
import type { TlObject } from '../protocol/tl/types.ts'
import type { Chain } from '../ton/chain.ts'
import { AccountStore } from './account-store.ts'
import type { QueryHandle } from './running-query.ts'
import { contractSecret, secretHash } from './secret.ts'
import {
  becomeReady,
  chargeOf,
  clientContract,
  clientPeer,
  completeHandshake,
  connectedToProxy,
  proxyContract,
} from './testing/client-peer.ts'

type Peer = Awaited<ReturnType<typeof clientPeer>>
let peer: Peer | undefined
afterEach(async () => {
  await peer?.dispose()
  peer = undefined
})

const never = new AbortController().signal
const encoder = new TextEncoder()
const chat = { model: 'M', body: '{"model":"M","messages":[],"stream":true}' }

async function ready(options: Parameters<typeof clientPeer>[0] = {}, handshake: Parameters<typeof completeHandshake>[1] = {}) {
  peer = await clientPeer(options)
  return { ...peer, connection: await becomeReady(peer, handshake) }
}

const used = (total: bigint): TlObject<'tokensUsed'> => ({
  '@type': 'tokensUsed',
  prompt_tokens_used: total,
  cached_tokens_used: 0n,
  completion_tokens_used: 0n,
  reasoning_tokens_used: 0n,
  total_tokens_used: total,
})
const final = (total: bigint) =>
  ({
    flags: 1,
    final_info: {
      '@type': 'client.queryFinalInfo',
      flags: 2,
      tokens_used: used(total),
      proxy_start_time: 1,
      proxy_end_time: 2,
      worker_start_time: 1.25,
      worker_end_time: 1.75,
    },
  }) as const
const head = (id: Uint8Array): TlObject => ({
  '@type': 'client.queryAnswerEx',
  request_id: id,
  answer: encodeHttpResponse({ status: 200, reason: 'OK', headers: [['content-type', 'text/event-stream']] }),
  flags: 0,
})
const part = (id: Uint8Array, text: string): TlObject => ({
  '@type': 'client.queryAnswerPartEx',
  request_id: id,
  answer: encoder.encode(text),
  flags: 0,
})
const last = (id: Uint8Array, total: bigint): TlObject => ({
  '@type': 'client.queryAnswerPartEx',
  request_id: id,
  answer: new Uint8Array(0),
  ...final(total),
})
const account = (id: Uint8Array, told: { max: bigint; tokens: bigint; db?: bigint }): TlObject => ({
  '@type': 'proxy.clientRequestPayment',
  request_id: id,
  signed_payment: { '@type': 'proxy.signedPaymentEmpty' },
  db_tokens: told.db ?? 0n,
  max_tokens: told.max,
  request_tokens: told.tokens,
})

const textOf = async (handle: QueryHandle): Promise<string> => {
  let text = ''
  for await (const bytes of handle.body) text += new TextDecoder().decode(bytes)
  return text
}
const asked = async (connection: ScriptedConnection): Promise<Uint8Array> =>
  (await connection.nextPacket('client.runQueryEx')).request_id

describe('a query', () => {
  it('streams, ends with usage, times and cost, and is accounted for', async () => {
    const { client, connection, events } = await ready({}, { max: 100n })
    const handle = client.runChat(chat, never)
    const id = await asked(connection)
    await connection.send(head(id))
    await connection.send(part(id, 'data: one\n\n'))
    expect((await handle.head).status).toBe(200)
    await connection.send(part(new Uint8Array(32), 'foreign'))
    await connection.send(part(id, 'data: two\n\n'))
    await connection.send(last(id, 43n))
    expect(await textOf(handle)).toBe('data: one\n\ndata: two\n\n')
    const times = { proxyStartMs: 1000, proxyEndMs: 2000, workerStartMs: 1250, workerEndMs: 1750 }
    expect(await handle.end).toMatchObject({ cost: 86n, times, tokens: { total: 43n } })
    await connection.send(account(id, { max: 143n, tokens: 43n }))
    await expect
      .poll(() => events)
      .toEqual([
        { type: 'charged', clientContract: clientContract.toString(), requestId: handle.requestId, tokens: 43n, cost: 86n },
      ])
  })

  it('that is stopped ends the generation where the proxy can', async () => {
    const { client, connection } = await ready()
    const stop = new AbortController()
    const handle = client.runChat(chat, stop.signal)
    const id = await asked(connection)
    await connection.send(head(id))
    await connection.send(part(id, 'half'))
    await handle.head
    stop.abort()
    expect(await connection.nextPacket('client.cancelQuery')).toMatchObject({ request_id: id })
    await connection.send(last(id, 7n))
    expect(await handle.end).toMatchObject({ stopped: 'ended', cost: 14n })
    expect(await textOf(handle)).toBe('half')
  })

  it('that is stopped is only hidden where the proxy cannot, or does not', async () => {
    const { client, connection, events } = await ready({ cancelWaitMs: 50 }, { flags: 3 })
    const stop = new AbortController()
    const handle = client.runChat(chat, stop.signal)
    const id = await asked(connection)
    stop.abort()
    expect(await handle.end).toEqual({ stopped: 'hidden' })
    await expect(handle.head).rejects.toMatchObject({ code: 'stopped' })
    expect(await connection.isSilent(50)).toBe(true)
    // What still comes is not shown, but the account is checked.
    await connection.send(head(id))
    await connection.send(last(id, 9n))
    await connection.send(account(id, { max: 9n, tokens: 9n }))
    await expect.poll(() => events.map((event) => event.type)).toEqual(['charged'])

    await peer?.dispose()
    const silent = await ready({ cancelWaitMs: 50 })
    const other = new AbortController()
    const unanswered = silent.client.runChat(chat, other.signal)
    await asked(silent.connection)
    other.abort()
    expect(await unanswered.end).toEqual({ stopped: 'hidden' })
  })

  it('fails at once when the connection is lost, and the client connects again', async () => {
    const { client, connection, proxy } = await ready()
    const handle = client.runChat(chat, never)
    const id = await asked(connection)
    await connection.send(head(id))
    await connection.send(part(id, 'half'))
    await handle.head
    proxy.cut()
    await expect(handle.end).rejects.toMatchObject({ code: 'connection-lost', retryable: true })
    await expect(textOf(handle)).rejects.toMatchObject({ code: 'connection-lost' })
    await completeHandshake(await proxy.accept())
    await client.whenReady(AbortSignal.timeout(60_000))
  })

  it.each([
    [
      'the words of the engine, where a newer worker ends them with an error of its own',
      400,
      'backend HTTP status 400',
      undefined,
    ],
    ['nothing whole, where an answer that was none of a refusal breaks off', 200, 'backend HTTP status 400', 'proxy-not-ready'],
    ['nothing whole, where a refusal breaks off by another error', 400, 'the worker was lost', 'proxy-not-ready'],
  ])('ends with %s', async (_name, status, error, failure) => {
    const { client, connection } = await ready()
    const handle = client.runChat(chat, never)
    const request_id = await asked(connection)
    const answer = encodeHttpResponse({ status, reason: '', headers: [] }, Buffer.from('no such model'))
    await connection.send({ '@type': 'client.queryAnswerEx', request_id, answer, flags: 0 })
    await connection.send({ '@type': 'client.queryAnswerErrorEx', request_id, error_code: 651, error, flags: 0 })
    if (failure !== undefined) return void (await expect(handle.end).rejects.toMatchObject({ code: failure }))
    expect((await handle.head).status).toBe(status)
    expect(await textOf(handle)).toBe('no such model')
    expect(await handle.end).toEqual({ cost: 0n })
  })

  it('is refused here when it is no good, and when nothing is connected', async () => {
    const { client } = await ready()
    const run =
      (body: string, model = 'M') =>
      () =>
        client.runChat({ model, body }, never)
    expect(run('{"model":"M","messages":[],"tools":[]}')).toThrow("unknown option 'tools'")
    expect(run('{"model":"N","messages":[]}')).toThrow('another model')
    expect(() => client.runChat({ ...chat, maxTokens: -1 }, never)).toThrow('out of range')
    expect(() => client.runChat(chat, AbortSignal.abort())).toThrow('stopped')
    await client.stop()
    expect(() => client.runChat(chat, never)).toThrow(
      expect.objectContaining({ code: 'no-connection', money: 'You paid nothing.' }),
    )
  })

  it.each([
    [651, 'balance is too low', 'balance-too-low'],
    [602, 'client balance is too low: 5 < 512', 'balance-too-low'],
    [651, 'no ready workers for model M', 'no-worker'],
    [651, 'can run this query with coefficient=1500', 'too-expensive'],
    [621, 'unknown model M', 'unknown-model'],
    [602, 'unknown public key 0909', 'unknown-key'],
    [602, 'worker: unknown private key', 'unknown-key'],
    [652, 'timeout in proxy', 'timeout'],
    [0, 'whatever', 'query-failed'],
  ])('fails with %i %j as %s, and costs nothing', async (code, error, name) => {
    const { client, connection } = await ready()
    const handle = client.runChat(chat, never)
    const id = await asked(connection)
    await connection.send({
      '@type': 'client.queryAnswerError',
      error_code: code,
      error,
      request_id: id,
      request_tokens_used: used(0n),
    })
    await expect(handle.end).rejects.toMatchObject({ code: name, money: 'You paid nothing.' })
    await expect(handle.head).rejects.toMatchObject({ code: name })
  })
})

describe('a full disk', () => {
  it('cuts no answer: what the proxy tells waits in memory, and is kept when there is room', async () => {
    const { client, connection, disk, events } = await ready()
    const onDisk = () => new AccountStore(disk.database).ofNetwork(scriptedNetwork.root.address.toString())[0]
    const handle = client.runChat(chat, never)
    const id = await asked(connection)
    await connection.send(head(id))
    disk.full = true
    await connection.send(chargeOf(7n))
    await connection.send(part(id, 'all of it'))
    await connection.send(last(id, 5n))
    await connection.send(account(id, { max: 12n, tokens: 12n, db: 9n }))
    expect(await textOf(handle)).toBe('all of it')
    expect(await handle.end).toMatchObject({ cost: 10n })
    await expect.poll(() => events.some((event) => event.type === 'charged')).toBe(true)
    const told = { signedTokens: 7n, dbTokens: 9n, maxTokens: 12n }
    expect(client.accounts.list(scriptedNetwork.root.address)[0]).toMatchObject(told)
    expect(onDisk()).toMatchObject({ signedTokens: 0n, dbTokens: 0n, maxTokens: 0n })
    // The first try of writing has failed by then.
    await new Promise((resolve) => setTimeout(resolve, 1_200))
    disk.full = false
    await expect.poll(onDisk).toMatchObject(told)
    expect(client.state.value.connections[0]?.phase).toBe('ready')
  })
})

describe('a proxy that lies', () => {
  it.each([
    ['a part before the answer', (id: Uint8Array) => part(id, 'x')],
    [
      'an answer that is no HTTP',
      (id: Uint8Array): TlObject => ({
        '@type': 'client.queryAnswerEx',
        request_id: id,
        answer: encoder.encode('junk'),
        flags: 0,
      }),
    ],
  ])('sends %s: the query fails and is cancelled', async (_name, message) => {
    const { client, connection } = await ready()
    const handle = client.runChat(chat, never)
    const id = await asked(connection)
    await connection.send(message(id))
    await expect(handle.end).rejects.toMatchObject({ code: 'answer-malformed' })
    expect(await connection.nextPacket('client.cancelQuery')).toMatchObject({ request_id: id })
  })

  it('floods a reader that does not read: that question ends, and one that is read beside it gets all of its answer', async () => {
    const { client, connection } = await ready()
    const [slow, quick] = [client.runChat(chat, never), client.runChat(chat, never)]
    const [slowId, quickId] = [await asked(connection), await asked(connection)]
    const block = 'y'.repeat(1 << 20)
    const [startedAt, quickText] = [performance.now(), textOf(quick)]
    for (const [id, blocks] of [[slowId, 9] as const, [quickId, 24] as const]) {
      await connection.send(head(id))
      for (let sent = 0; sent < blocks; sent++) await connection.send(part(id, block))
      await connection.send(last(id, 1n))
    }
    expect((await quickText).length).toBe(24 << 20)
    expect(await quick.end).toMatchObject({ cost: 2n })
    expect(performance.now() - startedAt).toBeLessThan(60_000)
    await expect(slow.end).rejects.toMatchObject({ code: 'answer-too-large' })
    expect(await connection.nextPacket('client.cancelQuery')).toMatchObject({ request_id: slowId })
    await expect(textOf(slow)).rejects.toMatchObject({ code: 'answer-too-large' })
  })

  it('forges, replays and lowers: nothing of it is believed, all of it is reported', async () => {
    const { client, connection, events } = await ready({}, { signed: 15n, db: 20n, max: 30n })
    await connection.send(chargeOf(1000n, new Uint8Array(32).fill(7)))
    await connection.send(chargeOf(3n))
    await connection.send({ '@type': 'proxy.signedPayment', data: encoder.encode('junk') })
    const first = client.runChat(chat, never)
    const id = await asked(connection)
    await connection.send(head(id))
    await connection.send(last(id, 5n))
    await first.end
    await connection.send(account(id, { max: 40n, tokens: 10n, db: 19n }))
    await connection.send(account(new Uint8Array(32).fill(3), { max: 39n, tokens: 0n, db: 40n }))
    await expect
      .poll(() => events.map((event) => (event.type === 'deviation' ? event.deviation.kind : event.type)))
      .toEqual([
        'payment-refused',
        'payment-refused',
        'request-differs',
        'charged',
        'total-fell',
        'growth-differs',
        'foreign-request',
      ])
    const { address } = scriptedNetwork.root
    expect(client.accounts.list(address)[0]).toMatchObject({ signedTokens: 15n, maxTokens: 40n, dbTokens: 40n })
  })

  it.each([
    ['a wrong proxy contract', connectedToProxy({ proxy_sc_address: clientContract.toString() })],
    ['a wrong client contract', connectedToProxy({}, { client_sc_address: proxyContract.toString() })],
    ['no address', connectedToProxy({ proxy_owner_address: 'nowhere' })],
    ['another test mode', connectedToProxy({ is_test: false })],
    ['a version that was not offered', connectedToProxy({ proto_version: 7 })],
  ])('introduces itself with %s and is left', async (_name, hello) => {
    peer = await clientPeer()
    peer.client.start()
    const connection = await peer.proxy.accept()
    ;(await connection.nextQuery('client.connectToProxy')).answer(hello)
    expect(await connection.closed).toBe('closed-by-peer')
    await expect.poll(() => peer?.client.state.value.connections[0]?.failure).toBeDefined()
  })

  it('never answers: handshake and query are given up', async () => {
    peer = await clientPeer({ handshakeTimeoutMs: 80 })
    peer.client.start()
    const connection = await peer.proxy.accept()
    await connection.next()
    expect(await connection.closed).toBe('closed-by-peer')
  })
})

describe('payment status', () => {
  it('that ends after the connection does not show the client as connected', async () => {
    const account = { status: 'uninit', balance: 0n, code: null, data: null, last: null } as const
    const second = Promise.withResolvers<typeof account>()
    let reads = 0
    const chain = { account: () => (++reads === 1 ? Promise.resolve(account) : second.promise) } as unknown as Chain
    const wallet = { address: scriptedNetwork.clientOwner, send: () => Promise.reject(new Error('nothing is to be sent')) }
    peer = await clientPeer({ money: { chain, wallet }, paymentStatusMs: [10, 20] })
    const { client, proxy } = peer
    client.start()
    const connection = await proxy.accept()
    const secret = contractSecret(new Uint8Array(32).fill(9), clientContract)
    const auth = { '@type': 'client.proxyConnectionAuthShort', secret_hash: secretHash(secret), nonce: 5n } as const
    ;(await connection.nextQuery('client.connectToProxy')).answer(connectedToProxy({}, { auth }))
    const totals = { signed_payment: chargeOf(0n), max_tokens: 0n }
    ;(await connection.nextQuery('client.authorizeWithProxyShort')).answer({
      '@type': 'client.authorizationWithProxySuccess',
      tokens_committed_to_db: 0n,
      ...totals,
    })
    const question = await connection.nextQuery('client.updatePaymentStatus')
    question.answer({ '@type': 'client.paymentStatus', db_tokens: 0n, ...totals })
    await expect.poll(() => reads).toBe(2)
    await client.stop()
    second.resolve(account)
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(client.state.value.connections).toEqual([])
  })

  it('is asked again and again, and a change of terms opens a new connection', async () => {
    const { client, connection, root, proxy } = await ready({ paymentStatusMs: [20, 30] })
    const question = await connection.nextQuery('client.updatePaymentStatus')
    question.answer({ '@type': 'client.paymentStatus', signed_payment: chargeOf(21n), db_tokens: 21n, max_tokens: 31n })
    await expect.poll(() => client.state.value.connections[0]?.used).toBe(62n)
    expect(client.state.value.connections[0]).toMatchObject({ phase: 'ready', sentence: 'Ready.', canCancel: true })
    const { params } = scriptedNetwork.root
    root.set({ ...scriptedNetwork.root, params: { ...params, paramsVersion: params.paramsVersion + 1 } })
    expect(await connection.closed).toBe('closed-by-peer')
    await (await proxy.accept()).nextQuery('client.connectToProxy')
    // What was used by the former account is no figure of the one that is opened now.
    expect(client.state.value.connections[0]?.used).toBeUndefined()
  })
})

describe('the secret of a client contract', () => {
  it('is the HMAC of the master secret over its address: another one for each', () => {
    const master = new Uint8Array(32).fill(1)
    const expected = createHmac('sha256', master)
      .update(Buffer.concat([Buffer.of(0), clientContract.hash]))
      .digest()
    expect(Buffer.from(contractSecret(master, clientContract)).equals(expected)).toBe(true)
    expect(contractSecret(master, clientContract)).not.toEqual(contractSecret(master, proxyContract))
    expect(() => contractSecret(new Uint8Array(0), clientContract)).toThrow(RangeError)
    expect(Buffer.from(secretHash(expected))).toEqual(createHash('sha256').update(expected).digest())
  })
})
