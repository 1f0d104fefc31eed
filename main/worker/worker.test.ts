import { afterEach, describe, expect, it } from 'vitest'
import { decodeHttpResponse, encodeHttpRequest } from '../protocol/http/http-message.ts'
import type { WirePayment } from '../protocol/payments/signed-payment.ts'
import { scriptedNetwork, signedPayment } from '../protocol/testing/scripted-network.ts'
import type { ScriptedConnection } from '../protocol/testing/scripted-proxy.ts'
import type { TlObject } from '../protocol/tl/types.ts'
import { QueryRefused } from '../protocol/wire/wire-error.ts'
import {
  compareHonestly,
  completeHandshake,
  connectedToProxy,
  payoutOf,
  proxyContract,
  workerPeer,
} from './testing/worker-peer.ts'

type Peer = Awaited<ReturnType<typeof workerPeer>>
let peer: Peer | undefined
afterEach(async () => {
  await peer?.dispose()
  peer = undefined
})

const empty: WirePayment = { '@type': 'proxy.signedPaymentEmpty' }
const requestId = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)

async function ready(options: Parameters<typeof workerPeer>[0] = {}, totals: Parameters<typeof completeHandshake>[1] = {}) {
  peer = await workerPeer(options)
  peer.worker.start()
  const connection = await peer.proxy.accept()
  await completeHandshake(connection, totals)
  return { ...peer, connection }
}

function ask(
  connection: ScriptedConnection,
  question: string,
  change: { id?: number; payment?: WirePayment; timeout?: number; stream?: boolean; maxTokens?: number } = {},
): Promise<void> {
  const body = JSON.stringify({
    model: 'Qwen/Qwen3-8B',
    messages: [{ role: 'user', content: question }],
    ...(change.stream === false ? {} : { stream: true }),
  })
  return connection.send({
    '@type': 'proxy.runQueryEx',
    query: encodeHttpRequest({
      method: 'POST',
      path: '/v1/chat/completions',
      headers: [['content-type', 'application/json']],
      body: new TextEncoder().encode(body),
    }),
    signed_payment: change.payment ?? empty,
    coefficient: 1000n,
    timeout: change.timeout ?? 10,
    request_id: requestId(change.id ?? 1),
    flags: 1,
    enable_debug: false,
  })
}

type Answer = TlObject<'proxy.queryAnswerEx' | 'proxy.queryAnswerPartEx' | 'proxy.queryAnswerErrorEx'>
const nextAnswer = (connection: ScriptedConnection): Promise<Answer> =>
  connection.nextPacket('proxy.queryAnswerEx', 'proxy.queryAnswerPartEx', 'proxy.queryAnswerErrorEx')

async function finalAnswer(connection: ScriptedConnection): Promise<{ last: Answer; parts: number; text: string }> {
  let [parts, text] = [0, '']
  for (;;) {
    const answer = await nextAnswer(connection)
    if (answer['@type'] === 'proxy.queryAnswerPartEx') {
      parts++
      text += new TextDecoder().decode(answer.answer)
    }
    if ((answer.flags & 1) !== 0) return { last: answer, parts, text }
  }
}

const accountOf = (id: number, told: { signed?: WirePayment; db: bigint; max: bigint; tokens: bigint }): TlObject => ({
  '@type': 'proxy.workerRequestPayment',
  request_id: requestId(id),
  signed_payment: told.signed ?? empty,
  db_tokens: told.db,
  max_tokens: told.max,
  request_tokens: told.tokens,
  request_client_owner: scriptedNetwork.owner.toString(),
})

describe('a streamed answer', () => {
  it('goes out event by event, counted and with costs, and shows in the events of the ledger', async () => {
    const { connection, events, backend } = await ready()
    await ask(connection, 'hi')
    const first = await nextAnswer(connection)
    if (first['@type'] !== 'proxy.queryAnswerEx') throw new Error('expected the head')
    const head = decodeHttpResponse(first.answer)
    expect(head.headers.map(([name]) => name)).toEqual([
      'content-type',
      'X-Cocoon-Worker-Start',
      'X-Cocoon-Worker-End',
      'Transfer-Encoding',
    ])
    const { last, parts, text } = await finalAnswer(connection)
    expect(parts).toBeGreaterThanOrEqual(6)
    expect(text).toContain('"total_cost":42')
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true)
    expect(last.final_info?.tokens_used.total_tokens_used).toBe(21n)
    expect(new TextDecoder().decode(backend.requests[0]?.body)).toContain('"include_usage":true')

    await connection.send(accountOf(1, { signed: payoutOf(21n), db: 21n, max: 21n, tokens: 21n }))
    await expect.poll(() => events.map((event) => event.type)).toEqual(['total', 'started', 'finished', 'signed', 'counted'])
    expect(events[2]).toMatchObject({
      result: 'answered',
      promptTokens: 16,
      cachedTokens: 4,
      completionTokens: 5,
      reasoningTokens: 1,
      adjustedTokens: 21n,
    })
    expect(events[4]).toMatchObject({ requestTokens: 21n, maxTokens: 21n, workerFeePerToken: 1n, requestId: '01'.repeat(32) })
  })

  it('of an engine that may share its prompt cache says nothing of what was in it, and is billed so', async () => {
    const { connection, events, backend } = await ready()
    backend.keepsPromptsApart = false
    for (const [id, stream] of [true, false].entries()) {
      await ask(connection, 'hi', { id: id + 1, stream })
      const { last, text } = await finalAnswer(connection)
      expect(last.final_info?.tokens_used).toMatchObject({
        prompt_tokens_used: 16n,
        cached_tokens_used: 0n,
        total_tokens_used: 21n,
      })
      const said = text + JSON.stringify(last, (_, value) => (typeof value === 'bigint' ? String(value) : value))
      expect(said).not.toMatch(/cache_n|"cached_tokens":4/)
      if (stream) expect(text).toContain('"cached_tokens":0')
    }
    const finished = events.filter(({ type }) => type === 'finished')
    expect(finished).toMatchObject([{ cachedTokens: 0 }, { cachedTokens: 0 }])
  })

  it('that the proxy cancels ends within milliseconds as a success, counted by the worker', async () => {
    const { connection, events, backend } = await ready()
    const [abortedMs, tookMs]: [number[], number[]] = [[], []]
    for (const id of [1, 2, 3, 4, 5]) {
      await ask(connection, 'ENDLESS', { id })
      await nextAnswer(connection)
      for (let part = 0; part < 4; part++) await nextAnswer(connection)
      const cancelledAt = performance.now()
      await connection.send({ '@type': 'proxy.cancelQuery', request_id: requestId(id) })
      const { last } = await finalAnswer(connection)
      tookMs.push(performance.now() - cancelledAt)
      abortedMs.push((backend.abortedAt.at(-1) ?? Infinity) - cancelledAt)
      expect(backend.abortedAt).toHaveLength(id)
      expect(last['@type']).toBe('proxy.queryAnswerPartEx')
      const used = last.final_info?.tokens_used
      expect(used?.prompt_tokens_used).toBe(16n)
      expect(used?.completion_tokens_used).toBeGreaterThanOrEqual(4n)
      await expect.poll(() => events.at(-1)).toMatchObject({ type: 'finished', result: 'cancelled', promptTokens: 16 })
    }
    // A busy computer is late with any single one.
    expect(Math.min(...tookMs)).toBeLessThan(250)
    expect(Math.min(...abortedMs)).toBeLessThan(50)
  })

  it('cancelled before the engine answered costs nothing; a foreign cancel does nothing', async () => {
    const { connection, events } = await ready()
    await ask(connection, 'SLOW')
    await connection.send({ '@type': 'proxy.cancelQuery', request_id: requestId(9) })
    expect(await connection.isSilent(100)).toBe(true)
    await connection.send({ '@type': 'proxy.cancelQuery', request_id: requestId(1) })
    const answer = await nextAnswer(connection)
    expect(answer['@type']).toBe('proxy.queryAnswerEx')
    expect(answer.flags).toBe(1)
    expect(answer.final_info?.tokens_used.total_tokens_used).toBe(0n)
    await expect.poll(() => events.at(-1)).toMatchObject({ result: 'cancelled', adjustedTokens: 0n })
  })

  it('is given up when the connection is lost, and the worker comes back', async () => {
    const { connection, events, backend, proxy } = await ready()
    await ask(connection, 'ENDLESS')
    await nextAnswer(connection)
    proxy.cut()
    await expect.poll(() => backend.abortedAt.length).toBe(1)
    await expect.poll(() => events.at(-1)).toMatchObject({ type: 'finished', result: 'failed', adjustedTokens: 0n })
    await completeHandshake(await proxy.accept())
  })
})

describe("the proxy's totals", () => {
  const totals = (events: Peer['events']): unknown[] =>
    events.flatMap((event) => (event.type === 'total' ? [[event.tokens, event.lost, event.workerFeePerToken]] : []))

  it('are told to the ledger at each connection, with what got lost in between', async () => {
    const { connection, proxy, events } = await ready()
    await ask(connection, 'hi')
    await finalAnswer(connection)
    // Cut before the proxy could tell its count: it has counted all the same.
    proxy.cut()
    await completeHandshake(await proxy.accept(), { db: 21n, max: 21n })
    await expect
      .poll(() => totals(events))
      .toEqual([
        [0n, false, 1n],
        [21n, false, 1n],
      ])
    proxy.cut()
    const third = await proxy.accept()
    ;(await third.nextQuery('worker.connectToProxy')).answer(connectedToProxy())
    const compare = await third.nextQuery('worker.compareBalanceWithProxy')
    expect(compare.question.max_tokens).toBe(21n)
    // It had not stored all of it.
    const result = { signed_payment: payoutOf(0n), tokens_committed_to_db: 21n, max_tokens: 20n, error_code: 1 }
    compare.answer({ '@type': 'worker.compareBalanceWithProxyResult', ...result, tokens_committed_to_db: 21n })
    ;(await third.nextQuery('worker.extendedCompareBalanceWithProxy')).answer({
      '@type': 'worker.extendedCompareBalanceWithProxyResult',
      error_code: 0,
    })
    ;(await third.nextQuery('worker.proxyHandshakeComplete')).answer({ '@type': 'worker.proxyHandshakeCompleted' })
    await expect.poll(() => totals(events).at(-1)).toEqual([20n, true, 1n])
  })

  it('are told when they grew without a count, and a proxy that cannot tell them now is not left', async () => {
    const { connection, events } = await ready({ paymentStatusMs: [20, 20] })
    const refused = await connection.nextQuery('worker.updatePaymentStatus')
    refused.fail(new QueryRefused(651, 'proxy is disabled'))
    const answer = async (max: bigint): Promise<void> =>
      (await connection.nextQuery('worker.updatePaymentStatus')).answer({
        '@type': 'worker.paymentStatus',
        signed_payment: empty,
        db_tokens: max,
        max_tokens: max,
      })
    await answer(0n)
    await answer(7n)
    await answer(7n)
    await answer(9n)
    await expect.poll(() => totals(events).map((one) => (one as unknown[])[0])).toEqual([0n, 7n, 9n])
  })

  it('wait in memory while the disk is full; the connection stays, and all is kept when there is room', async () => {
    const { connection, events, disk, worker } = await ready({ paymentStatusMs: [400, 400] })
    disk.full = true
    await ask(connection, 'hi')
    await finalAnswer(connection)
    await connection.send(accountOf(1, { signed: payoutOf(0n), db: 21n, max: 21n, tokens: 21n }))
    await expect.poll(() => events.find((event) => event.type === 'counted')).toMatchObject({ maxTokens: 21n })
    const status = async (signed: bigint): Promise<void> =>
      (await connection.nextQuery('worker.updatePaymentStatus')).answer({
        '@type': 'worker.paymentStatus',
        signed_payment: payoutOf(signed),
        db_tokens: 21n,
        max_tokens: 21n,
      })
    await status(21n)
    await status(21n)
    // Not durable, so not reported as signed.
    expect(worker.contracts()[0]).toMatchObject({ signedTokens: 0n, maxTokens: 21n })
    expect(events.some((event) => event.type === 'signed')).toBe(false)
    disk.full = false
    await status(21n)
    await expect.poll(() => events.find((event) => event.type === 'signed')).toMatchObject({ tokens: 21n })
    expect(worker.contracts()[0]).toMatchObject({ signedTokens: 21n, dbTokens: 21n, maxTokens: 21n })
    // What the proxy said on a full disk binds it too.
    await status(20n)
    expect(await connection.closed).toMatch(/closed-by-peer|connection-lost/)
  })
})

describe('the end of a worker', () => {
  it('in the middle of an answer tells the last event and lets go of the database before it resolves', async () => {
    const { connection, worker, events } = await ready()
    await ask(connection, 'ENDLESS')
    await nextAnswer(connection)
    await worker.stop()
    expect(events.map((event) => event.type)).toEqual(['total', 'started', 'finished'])
    expect(events[2]).toMatchObject({ result: 'failed', adjustedTokens: 0n })
    expect(worker.state.value.running).toBe(0)
  })

  it('is not brought about by a reader of its events that throws: the connection ends, the place is free again', async () => {
    const { connection, worker, proxy } = await ready({ maxActiveRequests: 1 })
    const stopThrowing = worker.events.on(() => {
      throw new Error('the disk is full')
    })
    await ask(connection, 'hi')
    expect(await connection.closed).toBe('closed-by-peer')
    stopThrowing()
    const next = await proxy.accept()
    await completeHandshake(next)
    await ask(next, 'hi', { id: 2 })
    expect((await finalAnswer(next)).last.final_info?.tokens_used.total_tokens_used).toBe(21n)
  })
})

describe('faults of the engine', () => {
  it.each(['CRASH', 'BREAK'])('%s ends the request with an error, and the worker stays connected', async (question) => {
    const { connection, events } = await ready()
    await ask(connection, question)
    const { last } = await finalAnswer(connection)
    expect(last).toMatchObject({
      '@type': 'proxy.queryAnswerErrorEx',
      error_code: 601,
      error: 'worker: The engine ended unexpectedly.',
    })
    expect(last.final_info?.tokens_used.total_tokens_used).toBe(0n)
    await expect.poll(() => events.at(-1)).toMatchObject({ result: 'failed', adjustedTokens: 0n })
    await ask(connection, 'hi', { id: 2 })
    expect((await finalAnswer(connection)).last.final_info?.tokens_used.total_tokens_used).toBe(21n)
  })

  it('a refusal that states usage is passed on, and nobody pays for it', async () => {
    const { connection, events } = await ready()
    await ask(connection, 'FAIL500 WITH USAGE')
    const { last, text } = await finalAnswer(connection)
    expect(text).toContain('boom')
    expect(last.final_info?.tokens_used.total_tokens_used).toBe(0n)
    await expect.poll(() => events.at(-1)).toMatchObject({ result: 'failed', completionTokens: 0, adjustedTokens: 0n })
  })

  it('a deadline in the middle of an answer is an error, an impossible one is refused', async () => {
    const { connection } = await ready()
    await ask(connection, 'ENDLESS', { timeout: 0.2 })
    expect((await finalAnswer(connection)).last).toMatchObject({ error_code: 652 })
    for (const [id, timeout] of [
      [2, -1],
      [3, Number.NaN],
    ] as const) {
      await ask(connection, 'hi', { id, timeout })
      expect((await finalAnswer(connection)).last).toMatchObject({ error_code: 652 })
    }
  })
})

describe('readiness', () => {
  it('is told by pause, resume and the health of the engine; running requests finish', async () => {
    const { connection, worker, backend } = await ready()
    await ask(connection, 'ENDLESS')
    await nextAnswer(connection)
    worker.pause()
    let message: TlObject
    do message = await connection.nextPacket('proxy.queryAnswerPartEx', 'worker.enabledDisabled')
    while (message['@type'] !== 'worker.enabledDisabled')
    expect(message.disabled).toBe(1)
    await ask(connection, 'hi', { id: 2 })
    let refusal: Answer
    do refusal = await nextAnswer(connection)
    while (refusal['@type'] !== 'proxy.queryAnswerErrorEx')
    expect(refusal.error_code).toBe(651)
    expect(worker.state.value).toMatchObject({ running: 1, paused: true })
    await connection.send({ '@type': 'proxy.cancelQuery', request_id: requestId(1) })
    await finalAnswer(connection)
    worker.resume()
    expect(await connection.nextPacket('worker.enabledDisabled')).toMatchObject({ disabled: 0 })
    backend.isHealthy = false
    expect(await connection.nextPacket('worker.enabledDisabled')).toMatchObject({ disabled: 1 })
    worker.setCoefficient(1500)
    expect(await connection.nextPacket('worker.newCoefficient')).toMatchObject({ new_coefficient: 1500 })
  })

  it('and a price that changes during the handshake are told when it is complete', async () => {
    peer = await workerPeer()
    peer.worker.start()
    const connection = await peer.proxy.accept()
    const hello = await connection.nextQuery('worker.connectToProxy')
    expect(hello.question.params.coefficient).toBe(1000)
    peer.worker.setCoefficient(1500)
    hello.answer(connectedToProxy())
    await compareHonestly(connection)
    const complete = await connection.nextQuery('worker.proxyHandshakeComplete')
    peer.worker.pause()
    complete.answer({ '@type': 'worker.proxyHandshakeCompleted' })
    expect(await connection.nextPacket('worker.newCoefficient')).toMatchObject({ new_coefficient: 1500 })
    expect(await connection.nextPacket('worker.enabledDisabled')).toMatchObject({ disabled: 1 })
  })

  it('has a limit of requests', async () => {
    const { connection } = await ready({ maxActiveRequests: 1 })
    await ask(connection, 'SLOW')
    await ask(connection, 'hi', { id: 2 })
    expect(await nextAnswer(connection)).toMatchObject({ error_code: 602, error: 'worker: too many active queries' })
  })

  it('starts afresh when the terms of the network change', async () => {
    const { connection, root, proxy } = await ready()
    const { params } = scriptedNetwork.root
    root.set({ ...scriptedNetwork.root, params: { ...params, paramsVersion: params.paramsVersion + 1 } })
    expect(await connection.closed).toBe('closed-by-peer')
    const next = await proxy.accept()
    ;(await next.nextQuery('worker.connectToProxy')).answer(connectedToProxy())
    // The proxy still lives by the old terms: its addresses are no longer the derived ones.
    expect(await next.closed).toBe('closed-by-peer')
  })
})

describe('a proxy that lies', () => {
  const key = new Uint8Array(32).fill(7)
  const known = { signed: 15n, db: 20n, max: 30n }

  it.each([
    ['a payment by another key', { signed: payoutOf(50n, key), db: 50n, max: 50n, tokens: 20n }],
    [
      'a payment for another contract',
      {
        signed: signedPayment({ kind: 'worker-payout', queryId: 1n, contract: proxyContract, tokens: 50n }),
        db: 50n,
        max: 50n,
        tokens: 20n,
      },
    ],
    ['an older payment', { signed: payoutOf(14n), db: 20n, max: 30n, tokens: 0n }],
    ['a lower stored total', { signed: payoutOf(15n), db: 19n, max: 30n, tokens: 0n }],
    ['a lower total', { signed: payoutOf(15n), db: 20n, max: 29n, tokens: 0n }],
    ['a negative total', { signed: payoutOf(15n), db: 20n, max: -1n, tokens: 0n }],
    [
      'no bag of cells',
      { signed: { '@type': 'proxy.signedPayment', data: new Uint8Array([1, 2]) } as const, db: 20n, max: 30n, tokens: 0n },
    ],
  ])('is cut off for %s after a request, and nothing is believed', async (_name, told) => {
    const { connection, worker, events } = await ready({}, known)
    await connection.send(accountOf(1, told))
    expect(await connection.closed).toMatch(/closed-by-peer|connection-lost/)
    expect(worker.contracts()[0]).toMatchObject({ signedTokens: 15n, dbTokens: 20n, maxTokens: 30n })
    expect(events.map((event) => event.type)).toEqual(['signed', 'total'])
    await expect.poll(() => worker.state.value.connections[0]?.failure).toBeDefined()
  })

  it('forges or replays a payment beside a query: it is not kept, the query is served', async () => {
    const { connection, worker } = await ready({}, known)
    await ask(connection, 'hi', { payment: payoutOf(1000n, key) })
    await finalAnswer(connection)
    await ask(connection, 'hi', { id: 2, payment: payoutOf(3n) })
    await finalAnswer(connection)
    expect(worker.contracts()[0]?.signedTokens).toBe(15n)
    await ask(connection, 'hi', { id: 3, payment: payoutOf(16n) })
    await finalAnswer(connection)
    expect(worker.contracts()[0]?.signedTokens).toBe(16n)
  })

  it('names another worker contract, or sends a query before the handshake', async () => {
    peer = await workerPeer()
    peer.worker.start()
    const first = await peer.proxy.accept()
    ;(await first.nextQuery('worker.connectToProxy')).answer(connectedToProxy({}, proxyContract.toString()))
    expect(await first.closed).toBe('closed-by-peer')
    const second = await peer.proxy.accept()
    await second.nextQuery('worker.connectToProxy')
    await ask(second, 'hi')
    expect(await second.closed).toMatch(/closed-by-peer|connection-lost/)
    expect(peer.backend.requests).toEqual([])
  })

  it('never answers: the handshake is given up', async () => {
    peer = await workerPeer({ handshakeTimeoutMs: 80 })
    peer.worker.start()
    const connection = await peer.proxy.accept()
    await connection.next()
    expect(await connection.closed).toBe('closed-by-peer')
  })

  it('counts a request that was not served here: told to nobody', async () => {
    const { connection, worker, events } = await ready({}, known)
    await connection.send(accountOf(77, { signed: payoutOf(15n), db: 25n, max: 40n, tokens: 10n }))
    await expect.poll(() => worker.contracts()[0]?.maxTokens).toBe(40n)
    expect(events.map((event) => event.type)).toEqual(['signed', 'total'])
  })

  it('asks twice with one id: the second is not served', async () => {
    const { connection, backend } = await ready()
    await ask(connection, 'ENDLESS')
    await ask(connection, 'hi')
    await nextAnswer(connection)
    await connection.send({ '@type': 'proxy.cancelQuery', request_id: requestId(1) })
    await finalAnswer(connection)
    expect(backend.requests).toHaveLength(1)
  })
})
