import { afterEach, describe, expect, it } from 'vitest'
import { createLogger } from '../../base/logger.ts'
import { encodeHttpResponse } from '../../protocol/http/http-message.ts'
import type { ScriptedConnection } from '../../protocol/testing/scripted-proxy.ts'
import type { TlObject } from '../../protocol/tl/types.ts'
import { clientAddress } from '../testing/client-address.ts'

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const none = { prompt_tokens_used: 0n, cached_tokens_used: 0n, completion_tokens_used: 0n, reasoning_tokens_used: 0n }
const tokens_used: TlObject<'tokensUsed'> = { '@type': 'tokensUsed', ...none, total_tokens_used: 0n }

/** The address of a client before a scripted proxy, and a question whose answer has begun. */
async function answering() {
  const lines: string[] = []
  const { connection, post, get, close } = await clientAddress({ logger: createLogger((line) => lines.push(line), 'debug') })
  closers.push(close)
  const response = post({ model: 'M', messages: [{ role: 'user', content: 'hi' }], stream: true })
  response.catch(() => undefined)
  const { request_id } = await connection.nextPacket('client.runQueryEx')
  const answer = encodeHttpResponse({ status: 200, reason: 'OK', headers: [['content-type', 'text/event-stream']] })
  await connection.send({ '@type': 'client.queryAnswerEx', request_id, answer, flags: 0 })
  const stats = async (): Promise<Record<string, number[]>> => JSON.parse((await get('/jsonstats')).body).stats
  return { connection, request_id, response, stats, lines }
}

const part = (connection: ScriptedConnection, request_id: Uint8Array, text: string): Promise<void> =>
  connection.send({ '@type': 'client.queryAnswerPartEx', request_id, answer: Buffer.from(text), flags: 0 })

describe('an answer that has begun', () => {
  it.each([
    [
      'its proxy gives it up',
      (connection: ScriptedConnection, request_id: Uint8Array) =>
        connection.send({
          '@type': 'client.queryAnswerErrorEx',
          request_id,
          error_code: 601,
          error: 'the engine failed',
          flags: 0,
        }),
    ],
    ['the connection ends', async (connection: ScriptedConnection) => connection.connection.close('gone')],
  ])('and is broken off because %s is cut, counted as failed, and logged', async (_name, breakOff) => {
    const { connection, request_id, response, stats, lines } = await answering()
    await part(connection, request_id, 'data: 1\n\n')
    await breakOff(connection, request_id)
    await expect(response).rejects.toThrow('the answer ended')
    await expect.poll(async () => (await stats()).failed?.at(-1)).toBeGreaterThan(0)
    expect((await stats()).success?.at(-1)).toBe(0)
    expect(lines.some((line) => line.includes('a query failed'))).toBe(true)
  })

  it('speaks in its own name alone: nothing of what browsers obey, or of this client’s times, comes from the engine', async () => {
    const { connection, post, close } = await clientAddress({ logger: createLogger(() => undefined) })
    closers.push(close)
    const response = post({ model: 'M', messages: [{ role: 'user', content: 'hi' }] })
    const { request_id } = await connection.nextPacket('client.runQueryEx')
    const answer = encodeHttpResponse(
      {
        status: 200,
        reason: 'OK',
        headers: [
          ['content-type', 'application/json'],
          ['Access-Control-Allow-Origin', '*'],
          ['Set-Cookie', 'a=b'],
          ['location', 'http://elsewhere.example/'],
          ['X-Cocoon-Client-Start', '1'],
          ['x-request-id', 'kept'],
        ],
      },
      Buffer.from('{}'),
    )
    const final_info = { '@type': 'client.queryFinalInfo', flags: 0, tokens_used } as const
    await connection.send({ '@type': 'client.queryAnswerEx', request_id, answer, flags: 1, final_info })
    const { headers } = await response
    expect([headers.get('content-type'), headers.get('x-request-id')]).toEqual(['application/json', 'kept'])
    for (const name of ['access-control-allow-origin', 'set-cookie', 'location']) expect(headers.has(name)).toBe(false)
    expect(Number(headers.get('x-cocoon-client-start'))).toBeGreaterThan(1)
  })

  it('and is long leaves no listener behind for each time that its reader was waited for', async () => {
    const warnings: string[] = []
    const onWarning = (warning: Error): void => void warnings.push(warning.name)
    process.on('warning', onWarning)
    closers.push(async () => void process.off('warning', onWarning))
    const { connection, request_id, response } = await answering()
    for (let at = 0; at < 20; at++) await part(connection, request_id, 'x'.repeat(256 * 1024))
    const final_info = { '@type': 'client.queryFinalInfo', tokens_used, flags: 0 } as const
    await connection.send({ '@type': 'client.queryAnswerPartEx', request_id, answer: new Uint8Array(0), flags: 1, final_info })
    expect((await response).body.length).toBe(20 * 256 * 1024)
    expect(warnings).toEqual([])
  })
})
