import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  decodeHttpRequest,
  decodeHttpResponse,
  encodeHttpRequest,
  encodeHttpResponse,
  headerOf,
  withoutHopHeaders,
} from './http-message.ts'

interface Recorded {
  readonly request: string
  readonly response: string
}
const recorded = JSON.parse(readFileSync(new URL('./vectors/recorded-query.json', import.meta.url), 'utf8')) as Recorded
const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'))

describe('http messages on the wire', () => {
  it('reads a request and a response that the reference wrote', () => {
    const request = decodeHttpRequest(bytes(recorded.request))
    expect(request).toMatchObject({ method: 'POST', path: '/v1/chat/completions' })
    expect(headerOf(request.headers, 'content-type')).toBe('application/json')
    expect(Number(headerOf(request.headers, 'CONTENT-LENGTH'))).toBe(request.body.length)
    const response = decodeHttpResponse(bytes(recorded.response))
    expect(response).toMatchObject({ status: 200, reason: 'OK' })
    expect(Buffer.from(encodeHttpResponse(response, response.payload)).toString('hex')).toBe(recorded.response)
  })

  it('lets only harmless headers out and counts the body itself', () => {
    const body = new TextEncoder().encode('{}')
    const sent = encodeHttpRequest({
      method: 'POST',
      path: '/v1/chat/completions',
      headers: [
        ['Authorization', 'Bearer secret-key'],
        ['cookie', 'session=1'],
        ['content-type', 'application/json'],
        ['ACCEPT', 'text/event-stream'],
        ['content-length', '999'],
      ],
      body,
    })
    expect(Buffer.from(sent).includes('secret-key')).toBe(false)
    expect(decodeHttpRequest(sent).headers).toEqual([
      ['content-type', 'application/json'],
      ['ACCEPT', 'text/event-stream'],
      ['Content-Length', '2'],
    ])
  })

  it('drops the headers of a hop in any case', () => {
    expect(
      withoutHopHeaders([
        ['CONTENT-length', '1'],
        ['Connection', 'close'],
        ['transfer-encoding', 'chunked'],
        ['x', 'y'],
      ]),
    ).toEqual([['x', 'y']])
  })

  it('refuses other bytes', () => {
    expect(() => decodeHttpRequest(bytes('01020304'))).toThrow()
    expect(() => decodeHttpRequest(bytes(recorded.response))).toThrow()
    expect(() => decodeHttpResponse(bytes(`${recorded.response}00`))).toThrow()
  })
})
