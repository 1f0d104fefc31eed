import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Address, beginCell } from '@ton/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { pause } from '../base/pause.ts'
import { httpChain } from './http-chain.ts'

/** An endpoint that answers what the test says; what a good one answers is tested against the local chain. */
let server: Server
let answers: Array<{ status: number; body: string }>
let calls: string[]
const account = new Address(0, Buffer.alloc(32, 1))

beforeEach(async () => {
  answers = []
  calls = []
  server = createServer((request, response) => {
    let text = ''
    request.setEncoding('utf8')
    request.on('data', (part: string) => {
      text += part
    })
    request.on('end', () => {
      calls.push(String((JSON.parse(text) as { method: string }).method))
      const answer = answers.shift()
      if (answer === undefined) response.destroy()
      else response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterEach(() => {
  server.closeAllConnections()
  server.close()
})

const chain = (retryForMs = 0, closed?: AbortSignal) =>
  httpChain({
    ...(closed && { closed }),
    kind: 'testnet',
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v2/jsonRPC`,
    retryForMs,
    pollIntervalMs: 10,
  })
const ok = (result: unknown) => ({ status: 200, body: JSON.stringify({ ok: true, result }) })
const blockId = { '@type': 'ton.blockIdExt', workchain: -1, shard: '0', seqno: 1, root_hash: '', file_hash: '' }
const state = (change: object = {}) =>
  ok({
    balance: '5',
    state: 'active',
    data: '',
    code: '',
    last_transaction_id: { '@type': 'internal.transactionId', lt: '0', hash: '' },
    block_id: blockId,
    sync_utime: 1,
    ...change,
  })

describe('answers that are none', () => {
  it.each<[string, { status: number; body: string }]>([
    ['another form', ok({ balance: 5 })],
    ['a balance that is no number', state({ balance: 'much' })],
    ['code that is no BoC', state({ code: 'AAAA' })],
    ['HTML', { status: 200, body: '<html>' }],
    ['a list', ok([])],
  ])('%s is chain-malformed or chain-refused, never something else', async (_name, answer) => {
    answers = [answer]
    await expect(chain().account(account)).rejects.toMatchObject({ code: expect.stringMatching(/^chain-(malformed|refused)$/) })
  })

  it('a transaction that is no BoC, or a list that is no list, is chain-malformed', async () => {
    const entry = {
      data: beginCell().storeUint(5, 8).endCell().toBoc().toString('base64'),
      utime: 1,
      transaction_id: { lt: '1', hash: '' },
      fee: '0',
      storage_fee: '0',
      other_fee: '0',
      out_msgs: [],
    }
    answers = [ok([entry]), ok({ transactions: [] })]
    await expect(chain().transactions(account, 1)).rejects.toMatchObject({ code: 'chain-malformed' })
    await expect(chain().transactions(account, 1)).rejects.toMatchObject({ code: 'chain-malformed' })
  })

  it('a get-method with another exit code is getter-failed', async () => {
    answers = [ok({ gas_used: 1, exit_code: 1007, stack: [] }), ok({ gas_used: 1, exit_code: 1, stack: [['num', '0x10']] })]
    await expect(chain().runGetter(account, 'x')).rejects.toMatchObject({
      code: 'getter-failed',
      message: expect.stringContaining('1007'),
    })
    expect((await chain().runGetter(account, 'x')).readNumber()).toBe(16)
  })
})

describe('an endpoint whose address holds a key', () => {
  it('is asked with it and named without it: the name stands on screens, in logs and in files that are passed on', async () => {
    const place = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v2/jsonRPC`
    const asked = new Promise<string | undefined>((resolve) => server.once('request', ({ url }) => resolve(url)))
    answers = [state()]
    const keyed = httpChain({ kind: 'testnet', endpoint: `${place}?api_key=c0ffee`, retryForMs: 0 })
    expect(keyed.endpoint).toBe(place)
    expect(chain().endpoint).toBe(place)
    await keyed.account(account)
    expect(await asked).toContain('api_key=c0ffee')
    answers = [{ status: 500, body: JSON.stringify({ error: 'no' }) }]
    const failure = await keyed.account(account).catch((thrown: unknown) => thrown)
    expect(String(failure)).toMatch(/refused/)
    expect(String(failure)).not.toContain('c0ffee')
  })
})

describe('an endpoint that does not answer', () => {
  it('is tried again for reads, as long as was asked', async () => {
    answers = [{ status: 429, body: '{}' }, { status: 503, body: 'down' }, state()]
    expect((await chain(2000).account(account)).balance).toBe(5n)
    expect(calls).toHaveLength(3)
    await expect(chain().account(account)).rejects.toMatchObject({ code: 'chain-unreachable', retryable: true })
  })

  it('is not tried again for a send, and is told apart from a refusal', async () => {
    await expect(chain(2000).send(new Uint8Array([1]))).rejects.toMatchObject({ code: 'chain-unreachable' })
    expect(calls).toEqual(['sendBoc'])
    answers = [{ status: 500, body: JSON.stringify({ ok: false, error: 'exitcode=133' }) }]
    await expect(chain(2000).send(new Uint8Array([1]))).rejects.toMatchObject({
      code: 'send-refused',
      message: expect.stringContaining('exitcode=133'),
      money: 'Nothing was sent.',
    })
  })

  it.each(['LITE_SERVER_NETWORK: timeout', 'LITE_SERVER_NOTREADY: cannot load state', 'Internal Server Error'])(
    'says nothing about a sent message by an error of its own: %s',
    async (error) => {
      answers = [{ status: 500, body: JSON.stringify({ ok: false, error, code: 500 }) }]
      const failure = await chain()
        .send(new Uint8Array([1]))
        .catch((thrown: unknown) => thrown)
      expect(failure).toMatchObject({ code: 'chain-refused', message: expect.stringContaining(error) })
      // Only the chain can tell what became of the money.
      expect(failure).not.toHaveProperty('money', 'Nothing was sent.')
    },
  )

  it('does not end a watch, and the pauses grow', async () => {
    const ending = new AbortController()
    const next = chain().watch(account, 0n, ending.signal)[Symbol.asyncIterator]().next()
    await pause(1000)
    const tried = calls.length
    ending.abort()
    expect((await next).done).toBe(true)
    // At 10 ms without growth these would be near a hundred.
    expect(tried).toBeGreaterThan(2)
    expect(tried).toBeLessThan(12)
  })

  it('does not follow a redirect', async () => {
    answers = [{ status: 302, body: '' }]
    await expect(chain().account(account)).rejects.toMatchObject({ code: expect.stringMatching(/^chain-/) })
  })
})

describe('a chain that is closed', () => {
  const chainClosed = { code: 'chain-closed' }

  it('repeats no read, and asks nothing more', async () => {
    const closing = new AbortController()
    const one = chain(600_000, closing.signal)
    const reading = one.account(account)
    await expect.poll(() => calls.length).toBeGreaterThan(2)
    closing.abort()
    await expect(reading).rejects.toMatchObject(chainClosed)
    const asked = calls.length
    answers = [state()]
    await expect(one.account(account)).rejects.toMatchObject(chainClosed)
    await expect(one.send(new Uint8Array(1))).rejects.toMatchObject(chainClosed)
    expect(calls.length).toBe(asked)
  })

  it('lets a call under way end, and gives one up that does not', async () => {
    const closing = new AbortController()
    const one = chain(600_000, closing.signal)
    let answer: () => void = () => undefined
    server.removeAllListeners('request')
    server.on('request', (_request, response) => {
      calls.push('held')
      const { body } = state()
      answer = () => response.writeHead(200, { 'content-type': 'application/json' }).end(body)
    })
    const ends = one.account(account)
    await expect.poll(() => calls.length).toBe(1)
    closing.abort()
    answer()
    expect(await ends).toMatchObject({ balance: 5n })
    const again = new AbortController()
    const silent = chain(600_000, again.signal).account(account)
    await expect.poll(() => calls.length).toBe(2)
    again.abort()
    await expect(silent).rejects.toMatchObject(chainClosed)
  })

  it('ends what is watched, unlike a watcher that has seen enough', async () => {
    const closing = new AbortController()
    const watched = async (signal: AbortSignal): Promise<void> => {
      for await (const _ of chain(0, closing.signal).watch(account, 0n, signal));
    }
    await watched(AbortSignal.timeout(50))
    const watching = watched(new AbortController().signal)
    await expect.poll(() => calls.length).toBeGreaterThan(2)
    closing.abort()
    await expect(watching).rejects.toMatchObject(chainClosed)
  })
})
