import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { OpenAiBackend } from '../../../inference/openai-backend.ts'

type Misbehaviour = (request: IncomingMessage, response: ServerResponse) => void

/** Another program with an engine: the built-in one behind a real socket, until a test makes it misbehave. */
export interface EngineServer {
  readonly url: string
  /** Of each request: path, key, and body. */
  readonly asked: { readonly path: string; readonly authorization: string | undefined; readonly body: string }[]
  /** Answers questions (not the list of models) in place of the engine. */
  misbehave: Misbehaviour | undefined
  /** Answers the list of models in place of the engine. */
  list: Misbehaviour | undefined
  /** Questions whose connection was closed before their answer was whole. */
  broken: number
  close(): Promise<void>
}

export async function engineServer(backend: OpenAiBackend): Promise<EngineServer> {
  const server = createServer(async (request, response) => {
    const parts: Uint8Array[] = []
    for await (const part of request) parts.push(part)
    const { url: path = '', method = '', headers } = request
    const body = Buffer.concat(parts)
    stage.asked.push({ path, authorization: headers.authorization, body: body.toString('utf8') })
    const gone = new AbortController()
    response.once('close', () => {
      if (!response.writableFinished && path !== '/v1/models') stage.broken++
      gone.abort()
    })
    const instead = path === '/v1/models' ? stage.list : stage.misbehave
    if (instead !== undefined) return instead(request, response)
    const answer = await backend.handle({ method, path, headers: [], body: shortened(body) }, gone.signal)
    response.writeHead(answer.status, Object.fromEntries(answer.headers))
    for await (const part of answer.body) response.write(part)
    response.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const stage: EngineServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: [],
    misbehave: undefined,
    list: undefined,
    broken: 0,
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return stage
}

/** A random model never ends by itself: this program has a limit of its own. */
function shortened(body: Buffer): Uint8Array {
  if (body.length === 0) return body
  // Workers write the one name of the limit beside the other.
  const { max_completion_tokens: other, ...asked } = JSON.parse(body.toString('utf8')) as Record<string, number | undefined>
  return Buffer.from(JSON.stringify({ ...asked, max_tokens: Math.min(asked.max_tokens ?? other ?? 12, 12) }))
}
