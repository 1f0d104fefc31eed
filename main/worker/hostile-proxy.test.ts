import { afterEach, describe, expect, it } from 'vitest'
import { createLogger } from '../base/logger.ts'
import { heldBytes } from '../base/testing/held-bytes.ts'
import { encodeHttpRequest } from '../protocol/http/http-message.ts'
import type { WirePayment } from '../protocol/payments/signed-payment.ts'
import { scriptedNetwork } from '../protocol/testing/scripted-network.ts'
import type { ScriptedConnection } from '../protocol/testing/scripted-proxy.ts'
import type { TlObject } from '../protocol/tl/types.ts'
import { completeHandshake, connectedToProxy, payoutOf, workerPeer } from './testing/worker-peer.ts'

type Peer = Awaited<ReturnType<typeof workerPeer>>
let peer: Peer | undefined
afterEach(async () => {
  await peer?.dispose()
  peer = undefined
})

const int64 = { least: -(2n ** 63n), most: 2n ** 63n - 1n }
const known = { signed: 15n, db: 20n, max: 30n }
const empty: WirePayment = { '@type': 'proxy.signedPaymentEmpty' }
const model = 'Qwen/Qwen3-8B'

async function ready(options: Parameters<typeof workerPeer>[0] = {}) {
  peer = await workerPeer(options)
  peer.worker.start()
  const connection = await peer.proxy.accept()
  await completeHandshake(connection, known)
  return { ...peer, connection }
}

const request = (body: string | Uint8Array, path = '/v1/chat/completions'): Uint8Array =>
  encodeHttpRequest({
    method: 'POST',
    path,
    headers: [['content-type', 'application/json']],
    body: typeof body === 'string' ? Buffer.from(body) : body,
  })
const question = (content: string, stream = true): Uint8Array =>
  request(JSON.stringify({ model, messages: [{ role: 'user', content }], stream }))
let ids = 0
function query(change: Partial<TlObject<'proxy.runQueryEx'>> = {}): TlObject<'proxy.runQueryEx'> {
  ids += 1
  return {
    '@type': 'proxy.runQueryEx',
    query: question('hi'),
    signed_payment: empty,
    coefficient: 1000n,
    timeout: 10,
    request_id: new Uint8Array(32).fill(ids),
    flags: 1,
    enable_debug: false,
    ...change,
  }
}
type Answer = TlObject<'proxy.queryAnswerEx' | 'proxy.queryAnswerPartEx' | 'proxy.queryAnswerErrorEx'>
async function lastAnswer(connection: ScriptedConnection): Promise<Answer> {
  for (;;) {
    const answer = await connection.nextPacket('proxy.queryAnswerEx', 'proxy.queryAnswerPartEx', 'proxy.queryAnswerErrorEx')
    if ((answer.flags & 1) !== 0) return answer
  }
}
const book = () => peer?.worker.contracts()[0]
const untouched = { signedTokens: 15n, dbTokens: 20n, maxTokens: 30n }

/** The worker still serves over the same connection, and states its true usage. */
async function serves(connection: ScriptedConnection): Promise<void> {
  await connection.send(query())
  const last = await lastAnswer(connection)
  expect(last.final_info?.tokens_used.total_tokens_used).toBeGreaterThan(0n)
}

describe('a proxy that does harm to its worker', () => {
  it.each([
    ['the least numbers', { signed: 15n, db: int64.least, max: int64.least }],
    ['less stored than before', { signed: 15n, db: 19n, max: 30n }],
    ['less in total than before', { signed: 15n, db: 20n, max: 29n }],
    ['less signed than before', { signed: 14n, db: 20n, max: 30n }],
  ])('compares balances with %s and is left; nothing is lowered', async (_name, totals) => {
    const { connection, proxy } = await ready()
    connection.connection.close('again')
    const next = await proxy.accept()
    ;(await next.nextQuery('worker.connectToProxy')).answer(connectedToProxy())
    const compare = await next.nextQuery('worker.compareBalanceWithProxy')
    expect(compare.question).toMatchObject({ tokens_committed_to_blockchain: 15n, tokens_committed_to_db: 20n, max_tokens: 30n })
    compare.answer({
      '@type': 'worker.compareBalanceWithProxyResult',
      signed_payment: payoutOf(totals.signed),
      tokens_committed_to_db: totals.db,
      max_tokens: totals.max,
      error_code: 0,
    })
    expect(await next.closed).toBe('closed-by-peer')
    expect(book()).toMatchObject(untouched)
  })

  it.each([
    ['is served again', 15n, 'served'],
    ['is left when it signs less than it had signed', 14n, 'left'],
  ])(
    'told totals that nobody signed, beyond all it counts, and knows less after an extended comparison: it %s',
    async (_name, signed, end) => {
      const { connection, proxy } = await ready()
      const beyond = 10n ** 17n
      await connection.send(query())
      await lastAnswer(connection)
      await connection.send({
        '@type': 'proxy.workerRequestPayment',
        ...{ request_id: new Uint8Array(32).fill(ids), request_client_owner: '', signed_payment: empty },
        ...{ db_tokens: beyond, max_tokens: beyond, request_tokens: 1n },
      })
      await expect.poll(book).toMatchObject({ dbTokens: beyond, maxTokens: beyond })
      connection.connection.close('again')
      const next = await proxy.accept()
      ;(await next.nextQuery('worker.connectToProxy')).answer(connectedToProxy())
      ;(await next.nextQuery('worker.compareBalanceWithProxy')).answer({
        '@type': 'worker.compareBalanceWithProxyResult',
        signed_payment: payoutOf(signed),
        tokens_committed_to_db: 20n,
        max_tokens: 30n,
        error_code: 1,
      })
      ;(await next.nextQuery('worker.extendedCompareBalanceWithProxy')).answer({
        '@type': 'worker.extendedCompareBalanceWithProxyResult',
        error_code: 0,
      })
      if (end === 'left') {
        expect(await next.closed).toBe('closed-by-peer')
        expect(book()).toMatchObject({ signedTokens: 15n, dbTokens: beyond })
        return
      }
      ;(await next.nextQuery('worker.proxyHandshakeComplete')).answer({ '@type': 'worker.proxyHandshakeCompleted' })
      await serves(next)
      expect(book()).toMatchObject(untouched)
    },
  )

  it('does not sign its balance and is left', async () => {
    peer = await workerPeer()
    peer.worker.start()
    const connection = await peer.proxy.accept()
    ;(await connection.nextQuery('worker.connectToProxy')).answer(connectedToProxy())
    ;(await connection.nextQuery('worker.compareBalanceWithProxy')).answer({
      '@type': 'worker.compareBalanceWithProxyResult',
      signed_payment: empty,
      tokens_committed_to_db: 0n,
      max_tokens: 0n,
      error_code: 0,
    })
    expect(await connection.closed).toBe('closed-by-peer')
  })

  it.each([
    ['no time', { timeout: 0 }, 652],
    ['negative time', { timeout: -1e308 }, 652],
    ['time that is no number', { timeout: Number.NaN }, 652],
    ['no request', { query: new Uint8Array(0) }, undefined],
    ['half a request', { query: question('hi').subarray(0, 50) }, undefined],
    ['a body that is no text', { query: request(new Uint8Array(500).fill(0xff)) }, 621],
    ['a body nested a million times', { query: request('['.repeat(1_000_000)) }, 621],
    ['objects nested a million times', { query: request('{"a":'.repeat(200_000)) }, 621],
    ['an empty list', { query: request('[]') }, 621],
    ['another model', { query: request('{"model":"other","messages":[]}') }, 621],
    ['a field that nobody knows', { query: request(`{"model":"${model}","messages":[],"__proto__":{"stream":true}}`) }, 621],
    ['another path', { query: request('{}', '/../../etc/passwd') }, 621],
    ['a number beyond all', { query: request(`{"model":"${model}","messages":[],"max_tokens":1e999}`) }, 621],
  ] as const)('asks with %s: an error, no usage, and the next one is served', async (_name, change, code) => {
    const { connection, backend } = await ready()
    await connection.send(query(change))
    const answer = await lastAnswer(connection)
    expect(answer['@type']).toBe('proxy.queryAnswerErrorEx')
    if (code !== undefined) expect(answer).toMatchObject({ error_code: code })
    expect(answer.final_info?.tokens_used.total_tokens_used).toBe(0n)
    expect(backend.requests).toEqual([])
    await serves(connection)
  })

  it('names prices of its own: the worker charges by its own price', async () => {
    const { connection } = await ready()
    const totals: (bigint | undefined)[] = []
    for (const coefficient of [1000n, 0n, int64.most, int64.least]) {
      await connection.send(query({ coefficient }))
      totals.push((await lastAnswer(connection)).final_info?.tokens_used.total_tokens_used)
    }
    expect(new Set(totals).size).toBe(1)
    expect(totals[0]).toBeGreaterThan(0n)
  })

  it('asks far more at once than there are places: the rest is refused in words, and all places come free again', async () => {
    const { connection, worker, backend } = await ready({ maxActiveRequests: 4 })
    for (let at = 0; at < 200; at++) await connection.send(query({ query: question('SLOW'), timeout: 0.4 }))
    const answers: Answer[] = []
    while (answers.length < 200) answers.push(await lastAnswer(connection))
    expect(answers.filter((one) => one['@type'] === 'proxy.queryAnswerErrorEx' && one.error_code === 602)).toHaveLength(196)
    expect(backend.requests).toHaveLength(4)
    await expect.poll(() => worker.state.value.running).toBe(0)
    await serves(connection)
  })

  it('cancels requests of nobody without end: those that run go on', async () => {
    const { connection } = await ready()
    await connection.send(query({ query: question('SLOW'), timeout: 0.5 }))
    for (let at = 0; at < 5_000; at++)
      await connection.send({ '@type': 'proxy.cancelQuery', request_id: new Uint8Array(32).fill(at).fill(0xee, 1) })
    expect(await lastAnswer(connection)).not.toMatchObject({ error_code: 653 })
    await serves(connection)
  })

  it.each([
    ['negative tokens', { tokens: -5n, db: 20n, max: 30n }],
    ['the least tokens', { tokens: int64.least, db: 20n, max: 30n }],
    ['more tokens than in total', { tokens: int64.most, db: 20n, max: 30n }],
  ])('accounts for a request with %s: the books are as before, and the ledger hears of no such earnings', async (_name, told) => {
    const { connection, events } = await ready()
    const asked = query()
    await connection.send(asked)
    await lastAnswer(connection)
    await connection.send({
      '@type': 'proxy.workerRequestPayment',
      request_id: asked.request_id,
      signed_payment: empty,
      db_tokens: told.db,
      max_tokens: told.max,
      request_tokens: told.tokens,
      request_client_owner: scriptedNetwork.owner.toString(),
    })
    await Promise.race([connection.closed, connection.isSilent(100)])
    expect(book()).toMatchObject(untouched)
    expect(events.map((event) => event.type)).not.toContain('counted')
  })

  it.each([
    ['below zero', -1],
    ['of the far future', 2 ** 31 - 1],
  ])('chooses a protocol version %s: it is served in one that exists, or left', async (_name, proto_version) => {
    peer = await workerPeer()
    peer.worker.start()
    const connection = await peer.proxy.accept()
    ;(await connection.nextQuery('worker.connectToProxy')).answer(connectedToProxy({ proto_version }))
    const step = await Promise.race([connection.closed, connection.nextQuery('worker.compareBalanceWithProxy')])
    if (typeof step === 'string') return
    step.answer({
      '@type': 'worker.compareBalanceWithProxyResult',
      signed_payment: payoutOf(0n),
      tokens_committed_to_db: 0n,
      max_tokens: 0n,
      error_code: 0,
    })
    ;(await connection.nextQuery('worker.proxyHandshakeComplete')).answer({ '@type': 'worker.proxyHandshakeCompleted' })
    await serves(connection)
  })

  it('hands over a request that holds what no worker takes: the log says no word of it', async () => {
    const lines: string[] = []
    const { connection } = await ready({ logger: createLogger((line) => lines.push(line), 'debug') })
    await connection.send(query({ query: request(JSON.stringify({ model, messages: [], 'my secret': 1 })) }))
    expect(await connection.nextPacket('proxy.queryAnswerErrorEx')).toMatchObject({
      error_code: 621,
      error: expect.stringContaining('my secret'),
    })
    await expect.poll(() => lines.filter((line) => line.includes('request failed'))).toHaveLength(1)
    expect(lines.join()).not.toContain('secret')
    await serves(connection)
  })

  it('does not read what it asked for: the answers are given up, memory stays bounded, and the worker comes back', async () => {
    const { connection, proxy, worker } = await ready()
    const before = await heldBytes()
    connection.connection.close('deaf')
    const deaf = await proxy.accept()
    await completeHandshake(deaf, known)
    for (let at = 0; at < 20; at++) await deaf.send(query({ query: question('ENDLESS'), timeout: 1 }))
    await expect.poll(() => worker.state.value.running).toBe(0)
    expect((await heldBytes()) - before).toBeLessThan(20 << 20)
    await expect.poll(() => worker.state.value.connections[0]?.phase).toBe('ready')
  })
})
