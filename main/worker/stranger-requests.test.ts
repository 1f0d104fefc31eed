import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ExternalBackend } from '../inference/external-backend.ts'
import { encode } from '../protocol/tl/codec.ts'
import { completeHandshake, workerPeer } from './testing/worker-peer.ts'

const picture = 'data:image/png;base64,iVBORw0KGgo='

/** An engine of another program behind a real socket, that writes down what it is asked. */
async function strangeEngine() {
  const asked: { headers: IncomingHttpHeaders; body: string }[] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const part of request) body += part
    if (request.url !== '/v1/models') asked.push({ headers: request.headers, body })
    response.writeHead(200, { 'Content-Type': 'application/json' })
    response.end('{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

/** A worker before that engine, and a way to ask it as a proxy does. */
async function scene(protoVersion: number) {
  const engine = await strangeEngine()
  const backend = new ExternalBackend({ baseUrl: engine.url, model: 'Qwen/Qwen3-8B' })
  await backend.start()
  const peer = await workerPeer({ backend, versions: { least: 1, most: 4 } })
  onTestFinished(async () => {
    await peer.dispose()
    await backend.stop()
  })
  peer.worker.start()
  const connection = await peer.proxy.accept()
  await completeHandshake(connection, { params: { proto_version: protoVersion } })
  let id = 0
  const ask = async (content: unknown, headers: [string, string][] = []) => {
    const body = JSON.stringify({ model: 'Qwen/Qwen3-8B', messages: [{ role: 'user', content }] })
    await connection.send({
      '@type': 'proxy.runQueryEx',
      // As a stranger writes it: our own clients send no other headers.
      query: encode({
        '@type': 'http.request',
        method: 'POST',
        url: '/v1/chat/completions',
        http_version: 'HTTP/1.1',
        headers: headers.map(([name, value]) => ({ '@type': 'http.header', name, value })),
        payload: Buffer.from(body),
      }),
      signed_payment: { '@type': 'proxy.signedPaymentEmpty' },
      coefficient: 1000n,
      timeout: 10,
      request_id: new Uint8Array(32).fill(++id),
      enable_debug: true,
      flags: 1,
    })
    const first = await connection.nextPacket('proxy.queryAnswerEx', 'proxy.queryAnswerErrorEx')
    for (let last = first.flags; (last & 1) === 0; last = (await connection.nextPacket('proxy.queryAnswerPartEx')).flags);
    return first
  }
  return { ask, asked: engine.asked }
}

describe('a request of a stranger to a worker with an engine of another program', () => {
  const inside = { type: 'image_url', image_url: { url: picture } }
  const elsewhere: [string, unknown, string][] = [
    ['http', { type: 'image_url', image_url: { url: 'http://127.0.0.1:1/metadata' } }, 'image_url.url'],
    ['a file', { type: 'image_url', image_url: { url: 'file:///etc/passwd' } }, 'image_url.url'],
    ['a path', { type: 'image_url', image_url: { url: '/etc/passwd' } }, 'image_url.url'],
    ['other data', { type: 'image_url', image_url: { url: 'data:text/html;base64,AA==' } }, 'image_url.url'],
    ['a field that some engines know', { ...inside, video_url: { url: 'https://a.example/' } }, 'video_url.url'],
    ['a name that some engines know', { ...inside, image: ' HTTPS://a.example/' }, 'image'],
    ['a sound', { type: 'input_audio', input_audio: { data: 'https://a.example/', format: 'wav' } }, 'input_audio.data'],
    ['a document', { type: 'file', file: { file_data: 'https://a.example/', filename: 'a: b' } }, 'file.file_data'],
  ]

  it.each([2, 4])(
    'names nothing that the engine would fetch: refused unpaid in version %i, and never reaches it',
    async (version) => {
      const { ask, asked } = await scene(version)
      for (const [name, part, path] of elsewhere) {
        const answer = await ask([{ type: 'text', text: 'What is this?' }, part])
        expect(answer, name).toMatchObject({
          '@type': 'proxy.queryAnswerErrorEx',
          error_code: 621,
          error: expect.stringContaining(`messages[0].content[1].${path} must hold its data itself`),
          final_info: { tokens_used: { total_tokens_used: 0n } },
        })
      }
      expect(asked).toEqual([])
    },
  )

  it('reaches the engine with pictures, sounds and documents that it holds itself, and with words of any kind', async () => {
    const { ask, asked } = await scene(4)
    const parts = [
      { type: 'text', text: 'https://a.example/ is what?' },
      inside,
      { type: 'input_audio', input_audio: { data: 'AAAA', format: 'wav' } },
      { type: 'file', file: { file_data: 'data:application/pdf;base64,AA==', filename: 'note: a.pdf' } },
    ]
    for (const content of [parts, 'http://a.example/']) {
      expect(await ask(content)).toMatchObject({ '@type': 'proxy.queryAnswerEx' })
      expect(JSON.parse(asked.at(-1)?.body ?? '')).toMatchObject({ messages: [{ content }] })
    }
  })

  it('tells the engine its form and the form of the answer, and no other header', async () => {
    const { ask, asked } = await scene(2)
    await ask('hello', [
      ['Content-Type', 'application/json'],
      ['Accept', 'application/json'],
      ['Authorization', 'Bearer stranger'],
      ['Cookie', 'session=1'],
      ['X-Forwarded-For', '127.0.0.1'],
      ['X-Cocoon-Anything', '1'],
    ])
    const { host, 'content-length': length, connection, ...told } = asked[0]?.headers ?? {}
    expect(told).toEqual({ 'content-type': 'application/json', accept: 'application/json' })
  })
})
