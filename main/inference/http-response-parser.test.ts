import { describe, expect, it } from 'vitest'
import { MalformedResponse, type ResponseHead, ResponseParser } from './http-response-parser.ts'

interface Read {
  readonly head: ResponseHead | undefined
  readonly body: string
  /** undefined = it did not end */
  readonly reusableMs: number | undefined
}

function readIn(pieces: readonly string[], closes = false): Read {
  let head: ResponseHead | undefined
  let body = ''
  let reusableMs: number | undefined
  const parser = new ResponseParser({
    onHead: (found) => {
      head = found
    },
    onBody: (bytes) => {
      body += Buffer.from(bytes).toString('latin1')
    },
    onEnd: (found) => {
      reusableMs = found
    },
  })
  for (const piece of pieces) parser.push(Buffer.from(piece, 'latin1'))
  if (closes) parser.close()
  return { head, body, reusableMs }
}

const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n'
const good: ReadonlyArray<{ name: string; text: string; body: string; reusableMs?: number; status?: number; closes?: boolean }> =
  [
    { name: 'a length', text: 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello', body: 'hello' },
    { name: 'a length of none', text: 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n', body: '', status: 404 },
    { name: 'the same length twice', text: 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx', body: 'x' },
    { name: 'chunks', text: `${chunked}\r\n5\r\nhello\r\n00A\r\n0123456789\r\n0\r\n\r\n`, body: 'hello0123456789' },
    { name: 'chunks with extras', text: `${chunked}\r\n2;a="b"\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n`, body: 'hi' },
    { name: 'line ends in a chunk', text: `${chunked}\r\n4\r\n\r\n\r\n\r\n0\r\n\r\n`, body: '\r\n\r\n' },
    { name: 'no body by its status', text: 'HTTP/1.1 204 No Content\r\n\r\n', body: '', status: 204 },
    { name: 'a word before', text: 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 \r\nContent-Length: 1\r\n\r\nx', body: 'x' },
    { name: 'no reason', text: 'HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx', body: 'x' },
    {
      name: 'a wish to close',
      text: 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx',
      body: 'x',
      reusableMs: 0,
    },
    { name: 'the old version', text: 'HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx', body: 'x', reusableMs: 0 },
    {
      name: 'a time to live',
      text: 'HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5, max=3\r\nContent-Length: 1\r\n\r\nx',
      body: 'x',
      reusableMs: 4000,
    },
    {
      name: 'the end of the connection',
      text: 'HTTP/1.1 200 OK\r\n\r\nall of it',
      body: 'all of it',
      reusableMs: 0,
      closes: true,
    },
  ]

describe('ResponseParser', () => {
  it.each(good)('reads a response with $name, wherever it is cut', ({ text, body, status = 200, closes, ...more }) => {
    const reusableMs = more.reusableMs ?? Number.POSITIVE_INFINITY
    for (let cut = 0; cut <= text.length; cut++) {
      const found = readIn([text.slice(0, cut), text.slice(cut)], closes)
      expect(found.head?.status).toBe(status)
      expect({ body: found.body, reusableMs: found.reusableMs }).toEqual({ body, reusableMs })
    }
    expect(readIn([...text], closes).body).toBe(body)
  })

  it('keeps names and values as they were written', () => {
    const { head } = readIn(['HTTP/1.1 503 Too  busy\r\nX-One:  a b \t\r\nx-two:\r\nX-One: c\r\nContent-Length: 0\r\n\r\n'])
    expect(head).toEqual({
      status: 503,
      reason: 'Too  busy',
      headers: [
        ['X-One', 'a b'],
        ['x-two', ''],
        ['X-One', 'c'],
        ['Content-Length', '0'],
      ],
    })
  })

  it.each([
    ['no HTTP', 'SSH-2.0-x\r\n\r\n'],
    ['another version', 'HTTP/2 200\r\n\r\n'],
    ['a folded header', 'HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n'],
    ['a header without a name', 'HTTP/1.1 200 OK\r\n: b\r\n\r\n'],
    ['a space before the colon', 'HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\nx'],
    ['a bare line end in a value', 'HTTP/1.1 200 OK\r\nA: b\nContent-Length: 1\r\n\r\nx'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy'],
    ['a length below nothing', 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n'],
    ['a list of lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\nx'],
    ['chunks and a length', `${chunked}Content-Length: 1\r\n\r\nx`],
    ['a length and chunks', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx'],
    ['a packed body', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n'],
    ['an upgrade', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
    ['a chunk size that is none', `${chunked}\r\n0x5\r\n`],
    ['a chunk size without digits', `${chunked}\r\n;a\r\n`],
    ['a chunk size beyond all', `${chunked}\r\n1234567890abcd\r\n`],
    ['a chunk that goes on', `${chunked}\r\n1\r\nxy\r\n`],
    ['a line with half an end', `${chunked}\r\n1\nx`],
    ['more than the response', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK'],
    ['a head without end', `HTTP/1.1 200 OK\r\n${'A: b\r\n'.repeat(20_000)}`],
    ['a line without end', `${chunked}\r\n${'0'.repeat(20_000)}`],
    ['trailers without end', `${chunked}\r\n0\r\n${`A: ${'b'.repeat(1000)}\r\n`.repeat(100)}`],
  ])('refuses %s', (_, text) => {
    expect(() => readIn([text])).toThrow(MalformedResponse)
  })

  it.each(good.filter(({ closes }) => closes !== true))('says when a response with $name broke off', ({ text }) => {
    for (let cut = 0; cut < text.length; cut++) expect(() => readIn([text.slice(0, cut)], true)).toThrow(MalformedResponse)
  })

  it('knows no other end than an answer or a refusal, whatever comes', () => {
    // Not random: the same inputs in every run.
    let seed = 1
    const next = (below: number): number => {
      seed = (seed * 48_271) % 2_147_483_647
      return seed % below
    }
    const letters = ['\r\n', '\n', ':', '0', 'f', ';', ' ', '\0', 'HTTP/1.1 200 OK\r\n', 'chunked', '\xff']
    let refused = 0
    for (let run = 0; run < 20_000; run++) {
      let text = good[next(good.length)]?.text ?? ''
      for (let change = next(4); change >= 0; change--) {
        const at = next(text.length + 1)
        text = text.slice(0, at) + (letters[next(letters.length)] ?? '') + text.slice(at + next(3))
      }
      try {
        readIn([text.slice(0, 20), text.slice(20)], true)
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(MalformedResponse)
        refused++
      }
    }
    expect(refused).toBeGreaterThan(1_000)
    expect(refused).toBeLessThan(20_000)
  })
})
