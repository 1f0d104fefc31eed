import { afterEach, describe, expect, it, vi } from 'vitest'
import { ed25519Signer } from '../../contracts/ed25519.ts'
import { publicKeyOfSeed } from '../../contracts/signed.ts'
import { createLogger } from '../base/logger.ts'
import { adjustUsage } from '../protocol/accounting/adjusted-tokens.ts'
import { encodeHttpResponse } from '../protocol/http/http-message.ts'
import type { KeyRing } from '../protocol/sealed/direct/key-ring.ts'
import { pinRefusals } from '../protocol/sealed/direct/refusals.ts'
import { SealRefused } from '../protocol/sealed/direct/seal-errors.ts'
import { signKey } from '../protocol/sealed/direct/worker-key.ts'
import { fullModel, identity, model, owner, ringOf, w5 } from '../protocol/sealed/testing/sealing-scene.ts'
import { scriptedNetwork } from '../protocol/testing/scripted-network.ts'
import type { ScriptedConnection } from '../protocol/testing/scripted-proxy.ts'
import { sealedExtensionFlag } from '../protocol/tl/schema.ts'
import type { TlObject } from '../protocol/tl/types.ts'
import type { FinalInfo, Reply } from '../worker/query-reply.ts'
import { SealedReply } from '../worker/sealed-reply.ts'
import type { ChatRequest } from './client.ts'
import { becomeReady, clientPeer, completeHandshake, proxyContract } from './testing/client-peer.ts'

type Peer = Awaited<ReturnType<typeof clientPeer>>
let peer: Peer | undefined
afterEach(async () => {
  await peer?.dispose()
  peer = undefined
})

const never = new AbortController().signal
const secret = 'The canary sings at midnight'
const chat: ChatRequest = {
  model,
  maxTokens: 100,
  body: JSON.stringify({ model, stream: true, max_tokens: 100, messages: [{ role: 'user', content: secret }] }),
}
const sealing = { flags: 3 | 0x4000_0000 | sealedExtensionFlag }

async function ready(
  options: Parameters<typeof clientPeer>[0] = {},
  handshake: Parameters<typeof completeHandshake>[1] = sealing,
) {
  peer = await clientPeer(options)
  return { ...peer, connection: await becomeReady(peer, handshake) }
}

type Told = TlObject<'client.workerKey'>
const told = (signed_key: Uint8Array, change: Partial<Told> = {}): Told => ({
  '@type': 'client.workerKey',
  signed_key,
  coefficient: 1000,
  active_requests: 0,
  max_active_requests: 8,
  ...change,
})
async function tell(connection: ScriptedConnection, keys: readonly Told[]): Promise<string> {
  const { question, answer } = await connection.nextQuery('client.getWorkerKeys')
  answer({ '@type': 'client.workerKeys', keys })
  return question.model_name
}

/** What an honest worker sends for a question, as the messages that a proxy makes of it. */
async function answersOf(ring: KeyRing, query: TlObject<'client.runSealedQuery'>) {
  const { sealer, request } = await ring.open(query.query, { keyId: query.worker_key, proxy: proxyContract })
  const sent: { kind: 'answer' | 'part' | 'error'; bytes: Uint8Array; text?: string; code?: number; final: boolean }[] = []
  const inner: Reply = {
    answer: async (bytes, final) => void sent.push({ kind: 'answer', bytes, final: final !== undefined }),
    part: async (bytes, final) => void sent.push({ kind: 'part', bytes, final: final !== undefined }),
    error: async (code, text) => void sent.push({ kind: 'error', bytes: new Uint8Array(), text, code, final: true }),
  }
  return { reply: new SealedReply(inner, sealer, 1000), sent, request }
}
const head = encodeHttpResponse({ status: 200, reason: 'OK', headers: [['Content-Type', 'text/event-stream']] })
const event = (content: string): Uint8Array => Buffer.from(`data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`)
const counts = { promptTokens: 20, cachedTokens: 0, completionTokens: 3, reasoningTokens: 0 }
const { multipliers } = scriptedNetwork.root.params
const tokens = adjustUsage(counts, 1000, multipliers)
const finalInfo = (change: Partial<FinalInfo> = {}): FinalInfo => ({
  tokens,
  counts,
  startedAtMs: 1,
  answeredAtMs: 2,
  endedAtMs: 3,
  ...change,
})
const used = (change: Partial<TlObject<'tokensUsed'>> = {}): TlObject<'tokensUsed'> => ({
  '@type': 'tokensUsed',
  prompt_tokens_used: tokens.prompt,
  cached_tokens_used: 0n,
  completion_tokens_used: tokens.completion,
  reasoning_tokens_used: 0n,
  total_tokens_used: tokens.total,
  ...change,
})
const ending = (tokens_used = used()) => ({
  flags: 1,
  final_info: { '@type': 'client.queryFinalInfo' as const, flags: 0, tokens_used },
})

/** Asks, lets an honest worker answer, and lets the test carry the pieces as it likes. */
async function asked(options: Parameters<typeof clientPeer>[0] = {}, final = finalInfo()) {
  const scene = await ready(options)
  const ring = ringOf()
  const { signedKey } = await ring.current()
  const handle = scene.client.runChat(chat, never)
  const text = (async () => {
    let all = ''
    for await (const bytes of handle.body) all += Buffer.from(bytes).toString()
    return all
  })()
  text.catch(() => undefined)
  await tell(scene.connection, [told(signedKey)])
  const query = await scene.connection.nextPacket('client.runSealedQuery')
  const { reply, sent, request } = await answersOf(ring, query)
  await reply.answer(head)
  for (const word of ['one', 'two', 'three']) await reply.part(event(word))
  await reply.part(new Uint8Array(), final)
  const [first, ...rest] = sent.map(({ bytes }) => bytes)
  const id = query.request_id
  const carry = async (parts: readonly (Uint8Array | undefined)[], end = ending()): Promise<void> => {
    const [begin, ...more] = parts
    await scene.connection.send({ '@type': 'client.queryAnswerEx', request_id: id, answer: begin ?? head, flags: 0 })
    for (const [index, part] of more.entries())
      await scene.connection.send({
        '@type': 'client.queryAnswerPartEx',
        request_id: id,
        answer: part ?? new Uint8Array(),
        ...(index === more.length - 1 ? end : { flags: 0 }),
      })
  }
  return { ...scene, ring, handle, text, query, request, parts: [first, ...rest], carry }
}
const flip = (bytes: Uint8Array | undefined, at: number): Uint8Array => {
  const changed = new Uint8Array(bytes ?? [])
  changed[at] = (changed[at] ?? 0) ^ 1
  return changed
}

describe('a proxy that carries a sealed question', () => {
  it('honestly brings back the answer, and cannot have read anything', async () => {
    const { query, request, parts, carry, text, handle } = await asked()
    expect(Buffer.from(request).includes(secret)).toBe(true)
    expect(Buffer.from(query.query).includes(secret)).toBe(false)
    await carry(parts)
    expect(await text).toContain('three')
    expect(handle.seal).toMatchObject({ scheme: 'direct', answer: { state: 'whole' }, usage: { deviations: [] } })
    expect(handle.seal).not.toHaveProperty('answer.reason')
    expect(JSON.stringify(handle.seal)).not.toContain(secret)
  })

  type Parts = readonly (Uint8Array | undefined)[]
  it.each<[string, string, (parts: Parts) => Parts]>([
    ['alters a part', 'altered', ([first, one, two, three, end]) => [first, one, flip(two, 40), three, end]],
    ['alters the head', 'altered', ([first, ...rest]) => [flip(first, (first?.length ?? 0) - 100), ...rest]],
    ['reorders two parts', 'altered', ([first, one, two, three, end]) => [first, two, one, three, end]],
    ['leaves out a part', 'altered', ([first, one, , three, end]) => [first, one, three, end]],
    ['repeats a part', 'altered', ([first, one, two, three, end]) => [first, one, two, two, three, end]],
    ['cuts off the end', 'truncated', ([first, one, two, three]) => [first, one, two, three]],
    ['cuts off nearly all', 'truncated', ([first, one]) => [first, one]],
    ['adds to it', 'after-end', ([first, one, two, three, end]) => [first, one, two, three, end, event('four')]],
    [
      'answers itself',
      'not-sealed',
      () => [encodeHttpResponse({ status: 200, reason: 'OK', headers: [] }, event('I am the worker')), event('x')],
    ],
  ])('and %s is found out', async (_name, reason, tamper) => {
    const { parts, carry, text, handle } = await asked()
    await carry(tamper(parts))
    await expect(text).rejects.toMatchObject({ code: 'seal-broken' })
    await expect(handle.end).rejects.toMatchObject({ code: 'seal-broken', advice: expect.any(String) })
    expect(handle.seal).toMatchObject({ scheme: 'direct', answer: { state: 'broken', reason } })
  })

  it('and brings the answer to another question is found out', async () => {
    const one = await asked()
    const other = one.client.runChat(chat, never)
    other.end.catch(() => undefined)
    const { request_id } = await one.connection.nextPacket('client.runSealedQuery')
    const [first = new Uint8Array()] = one.parts
    await one.connection.send({ '@type': 'client.queryAnswerEx', request_id, answer: first, flags: 0 })
    await expect(other.head).rejects.toMatchObject({ code: 'seal-broken' })
    expect(other.seal).toMatchObject({ answer: { state: 'broken', reason: 'altered' } })
    await one.carry(one.parts)
    expect(await one.text).toContain('three')
  })

  it('and sends it again gets nothing from the worker', async () => {
    const { ring, query } = await asked()
    await expect(ring.open(query.query, { keyId: query.worker_key, proxy: proxyContract })).rejects.toMatchObject({
      reason: 'replayed',
    })
  })

  it('and sends it to another worker, or through another proxy, gets nothing either', async () => {
    const { query, ring } = await asked()
    const other = ringOf()
    const { id } = await other.current()
    for (const keyId of [query.worker_key, id])
      await expect(other.open(query.query, { keyId, proxy: proxyContract })).rejects.toBeInstanceOf(SealRefused)
    await expect(ring.open(query.query, { keyId: query.worker_key, proxy: scriptedNetwork.owner })).rejects.toMatchObject({
      reason: 'other-proxy',
    })
  })

  it('and alters the question gets nothing, and the client a refusal without a charge', async () => {
    const { connection, client } = await ready()
    const ring = ringOf()
    const handle = client.runChat(chat, never)
    await tell(connection, [told((await ring.current()).signedKey)])
    const query = await connection.nextPacket('client.runSealedQuery')
    const altered = flip(query.query, query.query.length - 40)
    await expect(ring.open(altered, { keyId: query.worker_key, proxy: proxyContract })).rejects.toMatchObject({
      reason: 'altered',
    })
    await connection.send({
      '@type': 'client.queryAnswerErrorEx',
      request_id: query.request_id,
      error_code: 621,
      error: 'worker: sealed query: the request does not open',
      flags: 0,
    })
    await expect(handle.end).rejects.toMatchObject({ code: 'seal-refused', money: 'You paid nothing.' })
    expect(handle.seal).toMatchObject({ answer: { state: 'refused' } })
  })

  it('and forges the worker’s own words in an error is found out', async () => {
    const { connection, query, handle, text } = await asked()
    const forged = Buffer.concat([Buffer.from('CDA1'), Buffer.alloc(32, 1), Buffer.from([16, 2, 0, 0]), Buffer.alloc(528, 7)])
    await connection.send({
      '@type': 'client.queryAnswerErrorEx',
      request_id: query.request_id,
      error_code: 621,
      error: `worker: sealed error ${forged.toString('base64')}`,
      flags: 0,
    })
    await expect(text).rejects.toMatchObject({ code: 'seal-broken' })
    expect(handle.seal).toMatchObject({ answer: { state: 'broken', reason: 'altered' } })
  })

  it('and bills more than the worker stated is found out', async () => {
    const lines: string[] = []
    const logger = createLogger((line) => lines.push(line))
    const { parts, carry, text, handle, events, query } = await asked({ logger })
    const more = tokens.total + 24n
    await carry(parts, ending(used({ completion_tokens_used: tokens.completion + 24n, total_tokens_used: more })))
    await text
    expect((await handle.end).tokens?.total).toBe(more)
    expect(handle.seal).toMatchObject({
      usage: {
        statedTokens: `${more}`,
        worker: { adjustedTokens: `${tokens.total}` },
        deviations: ['stated-above-worker'],
      },
    })
    // It is told and logged, with numbers and without words.
    const deviation = { kind: 'sealed-usage', requestId: handle.requestId, deviations: ['stated-above-worker'] }
    expect(events).toContainEqual(expect.objectContaining({ type: 'deviation', deviation }))
    const line = lines.find((one) => one.includes('billed otherwise')) ?? ''
    expect(line).toContain(`request=${Buffer.from(query.request_id).toString('hex').slice(0, 12)} `)
    expect(line).toContain(`deviations=stated-above-worker stated=${more} worker=${tokens.total} `)
    expect(lines.join('\n')).not.toMatch(/canary|three/)
  })

  it('with a worker that bills a tenfold answer is found out by the recount', async () => {
    const tenfold = { ...counts, completionTokens: 70 }
    const dear = adjustUsage(tenfold, 1000, multipliers)
    const { parts, carry, text, handle } = await asked({}, finalInfo({ counts: tenfold, tokens: dear }))
    await carry(parts, ending(used({ completion_tokens_used: dear.completion, total_tokens_used: dear.total })))
    await text
    expect(handle.seal).toMatchObject({
      usage: {
        recount: { textEvents: 3, textBytes: 11, expectedTokens: 3, toleratedTokens: 36, billedTokens: 70 },
        deviations: ['completion-beyond-tolerance'],
      },
    })
  })
})

describe('a proxy that lies about its workers', () => {
  const nowMs = Date.now()
  const statement = async () => ({
    publicKey: (await ringOf().current()).publicKey,
    createdAtMs: nowMs,
    expiresAtMs: nowMs + 3_600_000,
    root: scriptedNetwork.root.address,
    owner,
    wallet: w5,
    model: fullModel,
  })
  const mine = new Uint8Array(32).fill(66)

  it.each<[string, () => Promise<Uint8Array>]>([
    [
      'names its own key as the worker’s',
      async () => (await signKey(await statement(), { ...identity, sign: ed25519Signer(mine) })).signedKey,
    ],
    [
      'signs with its own wallet for another owner',
      async () =>
        (
          await signKey(
            { ...(await statement()), wallet: { ...w5, public_key: publicKeyOfSeed(mine) } },
            { ...identity, sign: ed25519Signer(mine) },
          )
        ).signedKey,
    ],
    [
      'tells the key of another network',
      async () => (await signKey({ ...(await statement()), root: owner }, identity)).signedKey,
    ],
    [
      'tells the key of another model',
      async () => (await signKey({ ...(await statement()), model: 'Other@c:h' }, identity)).signedKey,
    ],
    ['tells an old key', async () => (await signKey({ ...(await statement()), expiresAtMs: nowMs - 1000 }, identity)).signedKey],
    ['tells noise', async () => new Uint8Array(100).fill(3)],
  ])('and %s is not told the question, not even in plain', async (_name, make) => {
    const { client, connection } = await ready()
    const handle = client.runChat(chat, never)
    expect(await tell(connection, [told(await make())])).toBe(model)
    await expect(handle.end).rejects.toMatchObject({ code: 'seal-unavailable', money: 'You paid nothing.' })
    expect(await connection.isSilent(50)).toBe(true)
  })

  it('is not told the question when the connection may not be used any more after the keys have come', async () => {
    const { client, connection } = await ready()
    let [mayGo, looks] = [true, 0]
    const handle = client.runChat({ ...chat, mayGo: () => ++looks > 0 && mayGo }, never)
    const asked = connection.nextQuery('client.getWorkerKeys')
    const { answer } = await asked
    expect(looks).toBe(0)
    mayGo = false
    answer({ '@type': 'client.workerKeys', keys: [told((await ringOf().current()).signedKey)] })
    await expect(handle.end).rejects.toMatchObject({ code: 'connection-changed', money: 'You paid nothing.' })
    expect(looks).toBe(1)
    expect(await connection.isSilent(50)).toBe(true)
  })

  it('among a thousand false keys the good one is found, if it is among the first', async () => {
    const { client, connection } = await ready()
    const { signedKey, id } = await ringOf().current()
    void client.runChat(chat, never)
    await tell(connection, [
      ...Array.from({ length: 200 }, () => told(new Uint8Array(50))),
      told(signedKey),
      ...Array.from({ length: 800 }, () => told(new Uint8Array(9))),
    ])
    expect((await connection.nextPacket('client.runSealedQuery')).worker_key).toEqual(id)
  })

  it('and answers the question for keys with nonsense is not told anything', async () => {
    const { client, connection } = await ready()
    const handle = client.runChat(chat, never)
    ;(await connection.nextQuery('client.getWorkerKeys')).answer({ '@type': 'tcp.ping', id: 1n })
    await expect(handle.end).rejects.toMatchObject({ code: 'seal-unavailable' })
    expect(await connection.isSilent(50)).toBe(true)
  })

  it('a proxy that did not announce the extension is never asked for keys, and gets the question in plain', async () => {
    const { client, connection } = await ready({}, {})
    const handle = client.runChat(chat, never)
    const query = await connection.nextPacket('client.runQueryEx')
    expect(Buffer.from(query.query).includes(secret)).toBe(true)
    expect(handle.seal).toEqual({ scheme: 'none', reason: 'proxy-without' })
  })

  it('that refuses the named key is asked for the keys again, once', async () => {
    const { client, connection } = await ready()
    const ring = ringOf()
    const handle = client.runChat(chat, never)
    const refuse = async (query: TlObject<'client.runSealedQuery'>): Promise<void> =>
      connection.send({
        '@type': 'client.queryAnswerErrorEx',
        request_id: query.request_id,
        error_code: 651,
        error: pinRefusals.gone,
        flags: 0,
      })
    await tell(connection, [told((await ringOf().current()).signedKey)])
    await refuse(await connection.nextPacket('client.runSealedQuery'))
    const { signedKey, id } = await ring.current()
    await tell(connection, [told(signedKey)])
    const second = await connection.nextPacket('client.runSealedQuery')
    expect(second.worker_key).toEqual(id)
    await refuse(second)
    await expect(handle.end).rejects.toMatchObject({ code: 'worker-gone' })
  })

  it('the cheapest worker with room is chosen, within the limit of price', async () => {
    const { client, connection } = await ready()
    const rings = [ringOf(), ringOf(), ringOf(), ringOf()]
    const keys = await Promise.all(rings.map((ring) => ring.current()))
    const [full, dear, good, tooDear] = keys.map(({ signedKey }) => signedKey)
    void client.runChat(chat, never)
    await tell(connection, [
      told(full ?? new Uint8Array(), { coefficient: 100, active_requests: 8 }),
      told(dear ?? new Uint8Array(), { coefficient: 900 }),
      told(good ?? new Uint8Array(), { coefficient: 800 }),
      told(tooDear ?? new Uint8Array(), { coefficient: 1001 }),
    ])
    expect((await connection.nextPacket('client.runSealedQuery')).worker_key).toEqual(keys[2]?.id)
  })
})

describe('a worker that is full', () => {
  const refuse = ({ request_id }: TlObject<'client.runSealedQuery'>, connection: ScriptedConnection): Promise<void> =>
    connection.send({ '@type': 'client.queryAnswerErrorEx', request_id, error_code: 651, error: pinRefusals.full, flags: 0 })

  it('is followed by another one that has room by now, asked for once', async () => {
    const { client, connection } = await ready()
    const [one, other] = await Promise.all([ringOf().current(), ringOf().current()])
    const handle = client.runChat(chat, never)
    await tell(connection, [told(one.signedKey)])
    await refuse(await connection.nextPacket('client.runSealedQuery'), connection)
    await tell(connection, [told(one.signedKey, { active_requests: 8 }), told(other.signedKey)])
    const second = await connection.nextPacket('client.runSealedQuery')
    expect(second.worker_key).toEqual(other.id)
    await refuse(second, connection)
    await expect(handle.end).rejects.toMatchObject({ code: 'worker-busy' })
    expect(await connection.isSilent(50)).toBe(true)
  })

  it('and the only one that seals makes a question fail with these words, and leave for no other', async () => {
    const { client, connection } = await ready()
    const key = told((await ringOf().current()).signedKey, { active_requests: 8 })
    const handle = client.runChat(chat, never)
    for (let tries = 0; tries < 2; tries++) {
      await tell(connection, [key])
      await refuse(await connection.nextPacket('client.runSealedQuery'), connection)
    }
    await expect(handle.end).rejects.toMatchObject({
      ...{ code: 'worker-busy', money: 'You paid nothing.', retryable: true },
      message: 'Every worker that the question could be sealed to is full.',
      advice: expect.stringContaining('It was not sent to others instead'),
      words: { code: 'sealing-workers-busy' },
    })
    expect(await connection.isSilent(50)).toBe(true)
  })
})

describe('a question whose keys come late', () => {
  it('does not leave when it has failed meanwhile, neither sealed nor readable', async () => {
    const { client, connection } = await ready()
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const handle = client.runChat({ ...chat, timeoutMs: 1_000 }, never)
    vi.advanceTimersByTime(6_001)
    vi.useRealTimers()
    await expect(handle.end).rejects.toMatchObject({ code: 'timeout' })
    expect(await tell(connection, [])).toBe(model)
    expect(await connection.isSilent(50)).toBe(true)
    expect(handle.seal).toEqual({ scheme: 'none', reason: 'not-sent' })
  })

  it('ends at once when it is stopped: nothing was sent, and nothing is', async () => {
    const { client, connection } = await ready()
    const stop = new AbortController()
    const handle = client.runChat(chat, stop.signal)
    stop.abort()
    expect(await handle.end).toEqual({ stopped: 'ended', cost: 0n })
    await tell(connection, [])
    expect(await connection.isSilent(50)).toBe(true)
    expect(handle.seal).toEqual({ scheme: 'none', reason: 'not-sent' })
  })
})

describe('what a proxy told before', () => {
  const answered = async (handle: { end: Promise<unknown> }): Promise<unknown> => handle.end.catch((thrown: unknown) => thrown)

  it('holds over a new connection: workers that are hidden then do not make a question readable', async () => {
    const { client, connection, proxy } = await ready()
    void answered(client.runChat(chat, never))
    await tell(connection, [told((await ringOf().current()).signedKey)])
    await connection.nextPacket('client.runSealedQuery')
    proxy.cut()
    const again = await proxy.accept()
    await completeHandshake(again, sealing)
    await client.whenReady(AbortSignal.timeout(60_000))
    const handle = client.runChat(chat, never)
    await tell(again, [])
    await expect(handle.end).rejects.toMatchObject({ code: 'no-worker' })
    expect(await again.isSilent(50)).toBe(true)
  })

  it('holds a question back for an hour, that may leave readable, and no longer', async () => {
    const { client, connection } = await ready()
    void answered(client.runChat(chat, never))
    await tell(connection, [told((await ringOf().current()).signedKey)])
    await connection.nextPacket('client.runSealedQuery')
    const start = Date.now()
    const clock = vi.spyOn(Date, 'now')
    try {
      clock.mockReturnValue(start + 3_590_000)
      const early = client.runChat(chat, never)
      await tell(connection, [])
      await expect(early.end).rejects.toMatchObject({ code: 'no-worker' })
      clock.mockReturnValue(start + 3_610_000)
      const late = client.runChat(chat, never)
      await tell(connection, [])
      expect(Buffer.from((await connection.nextPacket('client.runQueryEx')).query).includes(secret)).toBe(true)
      expect(late.seal).toEqual({ scheme: 'none', reason: 'no-keys' })
      // Within a second the proxy is not asked again; then it is, and one that has a worker now is believed.
      client.runChat(chat, never)
      await connection.nextPacket('client.runQueryEx')
      clock.mockReturnValue(start + 3_611_000)
      const demanded = client.runChat({ ...chat, seal: 'required' }, never)
      await tell(connection, [])
      await expect(demanded.end).rejects.toMatchObject({ code: 'seal-unavailable' })
    } finally {
      clock.mockRestore()
    }
  })
})

describe('a stranger’s worker', () => {
  it('that asks more than the limit does not keep a question from the others, which may read it; a seal that is required is not given up', async () => {
    const { client, connection } = await ready()
    const { signedKey } = await ringOf().current()
    const dear = [told(signedKey, { coefficient: 1_000_000 })]
    const handle = client.runChat(chat, never)
    await tell(connection, dear)
    await connection.nextPacket('client.runQueryEx')
    expect(handle.seal).toEqual({ scheme: 'none', reason: 'no-keys' })
    const demanded = client.runChat({ ...chat, seal: 'required' }, never)
    await expect(demanded.end).rejects.toMatchObject({ code: 'too-expensive', money: 'You paid nothing.' })
    expect(await connection.isSilent(50)).toBe(true)
  })

  it('that refused a question does not get the next one while there is another', async () => {
    const { client, connection } = await ready()
    const [cheap, other] = await Promise.all([ringOf().current(), ringOf().current()])
    const keys = [told(cheap.signedKey, { coefficient: 500 }), told(other.signedKey)]
    client.runChat(chat, never).end.catch(() => undefined)
    await tell(connection, keys)
    const first = await connection.nextPacket('client.runSealedQuery')
    expect(first.worker_key).toEqual(cheap.id)
    await connection.send({
      '@type': 'client.queryAnswerErrorEx',
      request_id: first.request_id,
      error_code: 651,
      error: pinRefusals.gone,
      flags: 0,
    })
    await tell(connection, keys)
    expect((await connection.nextPacket('client.runSealedQuery')).worker_key).toEqual(other.id)
  })
})

it('keys of another time are a question about the clock', async () => {
  const { client, connection } = await ready()
  const { signedKey } = await ringOf({ now: () => Date.now() + 3_000_000 }).current()
  const handle = client.runChat(chat, never)
  await tell(connection, [told(signedKey)])
  await expect(handle.end).rejects.toMatchObject({
    code: 'seal-unavailable',
    advice: expect.stringContaining('clock'),
    words: { code: 'seal-unavailable-clock' },
  })
})

it.each(['"n":1025', '"max_tokens":2147483648'])('a body with %s is refused in words', async (field) => {
  const { client } = await ready()
  const body = `{"model":"${model}","messages":[{"role":"user","content":"hi"}],${field}}`
  expect(() => client.runChat({ ...chat, body }, never)).toThrow(expect.objectContaining({ code: 'invalid-request' }))
})

it('a refusal of the engine that is cut behind its head is no whole answer', async () => {
  const { client, connection } = await ready()
  const ring = ringOf()
  const handle = client.runChat(chat, never)
  await tell(connection, [told((await ring.current()).signedKey)])
  const query = await connection.nextPacket('client.runSealedQuery')
  const { reply, sent } = await answersOf(ring, query)
  await reply.answer(encodeHttpResponse({ status: 500, reason: 'Wrong', headers: [] }))
  const [first] = sent
  await connection.send({ '@type': 'client.queryAnswerEx', request_id: query.request_id, answer: first?.bytes ?? head, flags: 0 })
  expect((await handle.head).status).toBe(500)
  await connection.send({
    '@type': 'client.queryAnswerErrorEx',
    request_id: query.request_id,
    error_code: 651,
    error: 'worker: backend HTTP status 500',
    flags: 0,
  })
  await expect(handle.end).rejects.toMatchObject({ code: expect.any(String) })
})
