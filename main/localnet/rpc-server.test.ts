import { request } from 'node:http'
import { connect } from 'node:net'
import { toNano } from '@ton/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { w5Address } from '../wallet/w5-wallet.ts'
import type { LocalChain } from './local-chain.ts'
import { newFolder, startChain, testKey } from './testing.ts'

const rich = w5Address(testKey(1).publicKey, 'local')
const folder = newFolder()
let chain: LocalChain

beforeAll(async () => {
  chain = await startChain(folder.path, { genesis: [{ address: rich, balance: toNano('10') }] })
})
afterAll(async () => {
  await chain.close()
  folder.remove()
})

const call = (method: string, params: unknown): string => JSON.stringify({ id: '1', jsonrpc: '2.0', method, params })
const balanceCall = call('getAddressInformation', { address: rich.toString() })

interface Asked {
  readonly body?: string
  readonly headers?: Record<string, string>
  readonly method?: string
  readonly path?: string
}

function ask(asked: Asked): Promise<{ status: number; answer: Record<string, unknown> }> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        port: chain.port,
        host: '127.0.0.1',
        method: asked.method ?? 'POST',
        path: asked.path ?? '/api/v2/jsonRPC',
        headers: { 'content-type': 'application/json', ...asked.headers },
      },
      (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (part: string) => {
          text += part
        })
        response.on('end', () => resolve({ status: response.statusCode ?? 0, answer: text === '' ? {} : JSON.parse(text) }))
      },
    )
    sent.on('error', reject)
    sent.end(asked.body ?? balanceCall)
  })
}

describe('the endpoint of the local chain', () => {
  it('answers a proper call', async () => {
    const { status, answer } = await ask({})
    expect(status).toBe(200)
    expect(answer).toMatchObject({ ok: true, result: { balance: toNano('10').toString(), state: 'uninitialized' } })
  })

  it.each<[string, Asked, number]>([
    ['a foreign Host', { headers: { host: 'evil.example' } }, 403],
    ['a page', { headers: { origin: 'http://127.0.0.1:3000' } }, 403],
    ['a form', { headers: { 'content-type': 'text/plain' } }, 415],
    ['GET', { method: 'GET' }, 405],
    ['another path', { path: '/' }, 404],
    ['no JSON', { body: '{"id":' }, 422],
    ['a list', { body: '[1,2]' }, 422],
    ['no method', { body: '{"jsonrpc":"2.0","params":{}}' }, 422],
    ['an unknown method', { body: call('shutdown', {}) }, 404],
    ['a method of Object', { body: call('constructor', {}) }, 404],
    ['no address', { body: call('getAddressInformation', {}) }, 422],
    ['a wrong address', { body: call('getAddressInformation', { address: 'EQAAAA' }) }, 422],
    ['an address object', { body: call('getAddressInformation', { address: { $ne: 1 } }) }, 422],
    ['a negative limit', { body: call('getTransactions', { address: rich.toString(), limit: -1 }) }, 422],
    ['an lt beyond 64 bits', { body: call('getTransactions', { address: rich.toString(), limit: 1, lt: '9'.repeat(19) }) }, 422],
    [
      'an unknown transaction',
      { body: call('getTransactions', { address: rich.toString(), limit: 1, lt: '5', hash: '00' }) },
      500,
    ],
    ['no BoC', { body: call('sendBoc', { boc: 'AAAA' }) }, 500],
    ['text as BoC', { body: call('sendBoc', { boc: '<script>' }) }, 422],
    [
      'a stack of nonsense',
      { body: call('runGetMethod', { address: rich.toString(), method: 'x', stack: [['num', 'one']] }) },
      422,
    ],
    [
      'a broken cell',
      { body: call('runGetMethod', { address: rich.toString(), method: 'x', stack: [['tvm.Cell', 'AAAA']] }) },
      422,
    ],
    ['too much', { body: call('sendBoc', { boc: 'A'.repeat(300_000) }) }, 413],
  ])('refuses %s', async (_name, asked, expected) => {
    const { status, answer } = await ask(asked)
    expect(status).toBe(expected)
    expect(answer).toMatchObject({ ok: false, code: expected, error: expect.any(String) })
  })

  it('cuts a body that grows without end and a header that never ends, and goes on serving', async () => {
    const closed = await new Promise<string>((resolve) => {
      const socket = connect(chain.port, '127.0.0.1')
      let seen = ''
      socket.on('data', (data: Buffer) => {
        seen += data.toString()
      })
      socket.on('close', () => resolve(seen))
      socket.on('error', () => undefined)
      socket.write(
        `POST /api/v2/jsonRPC HTTP/1.1\r\nHost: 127.0.0.1:${chain.port}\r\nContent-Type: application/json\r\n` +
          'Transfer-Encoding: chunked\r\n\r\n',
      )
      const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`
      for (let number = 0; number < 8; number += 1) socket.write(chunk)
    })
    expect(closed).toContain('413')
    const header = await new Promise<string>((resolve) => {
      const socket = connect(chain.port, '127.0.0.1')
      let seen = ''
      socket.on('data', (data: Buffer) => {
        seen += data.toString()
      })
      socket.on('close', () => resolve(seen))
      socket.on('error', () => undefined)
      socket.write(`POST /api/v2/jsonRPC HTTP/1.1\r\nX-Long: ${'y'.repeat(20_000)}`)
    })
    expect(header).toContain('431')
    expect((await ask({})).status).toBe(200)
  })
})
