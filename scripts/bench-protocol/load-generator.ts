/**
 * Process: sends requests over keep-alive connections, one in flight on each, and notes when each answer is complete. Plain sockets and the
 * least HTTP that is needed, because its CPU time is taken from the same cores. Takes `LoadOrder` from its parent, tells `LoadReport`.
 */
import { connect, type Socket } from 'node:net'

export interface LoadOrder {
  readonly port: number
  readonly inFlight: number
  readonly seconds: number
  /** Requests before the measurement. */
  readonly warmup: number
  readonly stream: boolean
}

export interface LoadReport {
  readonly answered: number
  /** Answers with another status than 200. */
  readonly refused: number
  /** Connections that broke before the answer was complete. */
  readonly broken: number
  readonly elapsedMs: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly bestMs: number
  /** Server-sent events that came, the last one included. */
  readonly events: number
  readonly firstRefusal: string
}

const prompt = 'Tell me in one sentence what the quick brown fox does, and why the dog does not mind. '.repeat(2)

function requestOf({ port, stream }: LoadOrder): Buffer {
  const body = JSON.stringify({
    model: 'bench/model',
    messages: [{ role: 'user', content: prompt }],
    max_tokens: 256,
    temperature: 0.7,
    ...(stream ? { stream: true } : {}),
  })
  return Buffer.from(
    `POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  )
}

const headEnd = Buffer.from('\r\n\r\n')
const lastChunk = Buffer.from('\r\n0\r\n\r\n')
const eventStart = Buffer.from('data: ')

/** Reads one HTTP response after the other from the pieces that come. */
class ResponseReader {
  #held: Buffer = Buffer.alloc(0)
  #status = 0
  /** Bytes of the body still to come; -1 while the head is read, -2 in a chunked body. */
  #left = -1
  #events = 0
  /** The last bytes of a chunked body, where its end or an event may be cut in two. */
  #tail: Buffer = Buffer.alloc(0)

  push(part: Buffer, onAnswer: (status: number, events: number, body: Buffer) => void): void {
    let rest = part
    while (rest.length > 0) {
      if (this.#left === -1) {
        this.#held = this.#held.length === 0 ? rest : Buffer.concat([this.#held, rest])
        const end = this.#held.indexOf(headEnd)
        if (end < 0) return
        const head = this.#held.toString('latin1', 0, end)
        this.#status = Number(head.slice(9, 12))
        const length = /content-length: *(\d+)/i.exec(head)?.[1]
        this.#left = length === undefined ? -2 : Number(length)
        // The line end before the first chunk stands in the tail, so that an empty body ends too.
        this.#tail = Buffer.from('\r\n')
        this.#events = 0
        rest = this.#held.subarray(end + 4)
        this.#held = Buffer.alloc(0)
        if (this.#left === 0) this.#finish(onAnswer, rest)
      } else if (this.#left === -2) {
        const all = Buffer.concat([this.#tail, rest])
        const kept = this.#tail.length
        for (
          let at = all.indexOf(eventStart, Math.max(0, kept - eventStart.length + 1));
          at >= 0;
          at = all.indexOf(eventStart, at + 1)
        )
          this.#events++
        const end = all.indexOf(lastChunk)
        if (end < 0) {
          this.#tail = all.subarray(Math.max(0, all.length - lastChunk.length + 1))
          return
        }
        rest = all.subarray(end + lastChunk.length)
        this.#finish(onAnswer, all)
      } else {
        const body = rest.subarray(0, this.#left)
        this.#left -= body.length
        rest = rest.subarray(body.length)
        if (this.#left === 0) this.#finish(onAnswer, body)
      }
    }
  }

  #finish(onAnswer: (status: number, events: number, body: Buffer) => void, body: Buffer): void {
    this.#left = -1
    onAnswer(this.#status, this.#events, body)
  }
}

function run(order: LoadOrder): Promise<LoadReport> {
  const request = requestOf(order)
  const latencies: number[] = []
  let [sent, refused, broken, events] = [0, 0, 0, 0]
  let firstRefusal = ''
  let startedAt = 0
  let endsAt = Number.POSITIVE_INFINITY
  let lastAt = 0
  let open = order.inFlight
  const done = Promise.withResolvers<LoadReport>()
  const close = (socket: Socket): void => {
    socket.destroy()
    open--
    if (open > 0) return
    latencies.sort((one, other) => one - other)
    const at = (share: number): number =>
      latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? Number.NaN
    done.resolve({
      answered: latencies.length,
      refused,
      broken,
      elapsedMs: lastAt - startedAt,
      p50Ms: at(0.5),
      p99Ms: at(0.99),
      bestMs: at(0),
      events,
      firstRefusal,
    })
  }
  const begin = (): void => {
    const socket = connect({ port: order.port, host: '127.0.0.1', noDelay: true })
    const reader = new ResponseReader()
    let askedAt = 0
    let counts = false
    let waiting = false
    const next = (): void => {
      const now = performance.now()
      if (now > endsAt) return close(socket)
      sent++
      if (sent === order.warmup + 1) {
        startedAt = now
        endsAt = now + order.seconds * 1000
      }
      counts = sent > order.warmup
      askedAt = now
      waiting = true
      socket.write(request)
    }
    socket.on('connect', next)
    socket.on('data', (part: Buffer) =>
      reader.push(part, (status, count, body) => {
        waiting = false
        if (counts && status === 200) {
          lastAt = performance.now()
          latencies.push(lastAt - askedAt)
          events += count
        } else if (counts) {
          refused++
          firstRefusal ||= `${status} ${body.toString('utf8').slice(0, 200)}`
        }
        next()
      }),
    )
    socket.on('error', () => undefined)
    socket.on('close', () => {
      if (!waiting) return
      waiting = false
      broken++
      close(socket)
    })
  }
  for (let at = 0; at < order.inFlight; at++) begin()
  return done.promise
}

process.on('message', (order: LoadOrder) => {
  run(order).then((report) => process.send?.(report))
})
process.on('disconnect', () => process.exit(0))
process.send?.('listening')
