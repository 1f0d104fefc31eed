/**
 * Process: an OpenAI-compatible engine that answers at once, so that only the network's own time is measured. Plain sockets and the least
 * HTTP that is needed, because its CPU time is taken from the same cores. Argument: port. Tells its parent when it listens.
 */
import { createServer, type Socket } from 'node:net'

const events = 200
const usage = { prompt_tokens: 21, completion_tokens: 17, total_tokens: 38 }
const document = JSON.stringify({
  id: 'chatcmpl-bench',
  object: 'chat.completion',
  created: 1_700_000_000,
  model: 'bench/model',
  choices: [
    { index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'The quick brown fox jumps over the lazy dog.' } },
  ],
  usage,
})
const whole = Buffer.from(
  `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${document.length}\r\n\r\n${document}`,
)
const chunk = (text: string): Buffer => Buffer.from(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`)
const event = (value: unknown): Buffer => chunk(`data: ${JSON.stringify(value)}\n\n`)
const base = { id: 'chatcmpl-bench', object: 'chat.completion.chunk', created: 1_700_000_000, model: 'bench/model' }
const streamed = [
  Buffer.from('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n'),
  ...Array.from({ length: events - 1 }, (_, at) => event({ ...base, choices: [{ index: 0, delta: { content: ` word${at}` } }] })),
  event({ ...base, choices: [], usage: { ...usage, completion_tokens: events - 1 } }),
  chunk('data: [DONE]\n\n'),
  Buffer.from('0\r\n\r\n'),
]

/** Each event in a write and a turn of the event loop of its own, as an engine generates one token after the other. */
function stream(socket: Socket, next = 0): void {
  const piece = streamed[next]
  if (piece === undefined || socket.destroyed) return
  socket.write(piece)
  setImmediate(stream, socket, next + 1)
}

const headEnd = Buffer.from('\r\n\r\n')

const server = createServer({ noDelay: true }, (socket) => {
  let held: Buffer = Buffer.alloc(0)
  socket.on('error', () => socket.destroy())
  socket.on('data', (part: Buffer) => {
    held = held.length === 0 ? part : Buffer.concat([held, part])
    for (;;) {
      const end = held.indexOf(headEnd)
      if (end < 0) return
      const head = held.toString('latin1', 0, end)
      const length = Number(/content-length: *(\d+)/i.exec(head)?.[1] ?? 0)
      if (held.length < end + 4 + length) return
      const body = held.toString('latin1', end + 4, end + 4 + length)
      held = held.subarray(end + 4 + length)
      if (body.includes('"stream":true')) stream(socket)
      else socket.write(whole)
    }
  })
})
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => process.send?.('listening'))
process.on('disconnect', () => process.exit(0))
