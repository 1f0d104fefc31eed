import { connect } from 'node:net'

/** An HTTP answer as a program sees it, without chunks. */
export interface HttpAnswer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

/** Sends the bytes of a request to a port of this computer and reads the whole answer. */
export function exchange(port: number, request: Uint8Array): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let received = Buffer.alloc(0)
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      const answer = wholeAnswer(received.toString('utf8'))
      if (answer === undefined) return
      socket.destroy()
      resolve(answer)
    })
    socket.on('error', reject)
    socket.on('close', () => reject(new Error(`the answer ended after ${received.toString('utf8').slice(0, 200)}`)))
    socket.write(request)
  })
}

/** The bytes of a request with a JSON body, or none. */
export function requestBytes(method: string, path: string, body = ''): Uint8Array {
  const head = [`${method} ${path} HTTP/1.1`, 'Host: 127.0.0.1', 'Content-Type: application/json']
  return Buffer.from([...head, `Content-Length: ${Buffer.byteLength(body)}`, '', body].join('\r\n'))
}

/** An answer from its text, whose body has no chunks any more. */
export function parseAnswer(text: string): HttpAnswer {
  const end = text.indexOf('\r\n\r\n')
  const [first = '', ...lines] = text.slice(0, end).split('\r\n')
  const headers = new Map(
    lines.map((line) => [line.split(':')[0]?.toLowerCase() ?? '', line.slice(line.indexOf(':') + 1).trim()]),
  )
  return { status: Number(first.split(' ')[1]), headers, body: text.slice(end + 4) }
}

/** Undefined while some of the answer is missing. */
function wholeAnswer(text: string): HttpAnswer | undefined {
  if (!text.includes('\r\n\r\n')) return undefined
  const answer = parseAnswer(text)
  const { headers, body } = answer
  if (headers.get('transfer-encoding') === 'chunked')
    return body.endsWith('0\r\n\r\n') ? { ...answer, body: withoutChunks(body) } : undefined
  return Buffer.byteLength(body) >= Number(headers.get('content-length') ?? 0) ? answer : undefined
}

function withoutChunks(text: string): string {
  let bytes = Buffer.from(text)
  let body = ''
  for (;;) {
    const line = bytes.indexOf('\r\n')
    const size = Number.parseInt(bytes.subarray(0, line).toString(), 16)
    if (!(size > 0)) return body
    body += bytes.subarray(line + 2, line + 2 + size).toString()
    bytes = bytes.subarray(line + 4 + size)
  }
}

/** Parsed JSON, or the text when it is none. */
export function asJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** Paths of the keys of `wanted` that `value` does not have; of lists the first element counts. */
export function missingKeys(wanted: unknown, value: unknown, path = ''): string[] {
  if (Array.isArray(wanted)) {
    if (!Array.isArray(value)) return [path]
    return wanted.length > 0 && value.length > 0 ? missingKeys(wanted[0], value[0], `${path}[]`) : []
  }
  if (typeof wanted !== 'object' || wanted === null) return []
  if (typeof value !== 'object' || value === null) return [path]
  const has = new Map(Object.entries(value))
  return Object.entries(wanted).flatMap(([key, inner]) =>
    has.has(key) ? missingKeys(inner, has.get(key), `${path}.${key}`) : [`${path}.${key}`],
  )
}
