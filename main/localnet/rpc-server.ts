import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { z } from 'zod'
import { RefusedCall } from './toncenter-methods.ts'

export const rpcPath = '/api/v2/jsonRPC'
const maxRequestBytes = 256 * 1024

const rpcCall = z.object({
  id: z.union([z.string().max(100), z.number()]).optional(),
  jsonrpc: z.literal('2.0'),
  method: z.string().min(1).max(64),
  params: z.record(z.string().max(64), z.unknown()).default({}),
})

/** One call: a method and its parameters to a result. Throws `RefusedCall`. */
export type RpcHandler = (method: string, params: unknown) => Promise<unknown>

/**
 * A JSON-RPC server as `TonClient` expects it. For programs of this computer only: it refuses other Host headers (a page of a
 * rebound name), any Origin header (a page at all), and bodies that are not JSON or too long.
 */
export function rpcServer(handle: RpcHandler): Server {
  const server = createServer(
    { headersTimeout: 10_000, requestTimeout: 20_000, maxHeaderSize: 8 * 1024 },
    (request, response) => {
      answer(handle, request, response).catch(() => response.destroy())
    },
  )
  server.maxConnections = 128
  return server
}

async function answer(handle: RpcHandler, request: IncomingMessage, response: ServerResponse): Promise<void> {
  let id: unknown = null
  try {
    requireLocalProgram(request)
    const call = rpcCall.safeParse(parseJson(await readBody(request)))
    if (!call.success) throw new RefusedCall(422, 'not a JSON-RPC call')
    id = call.data.id ?? null
    reply(response, 200, { ok: true, result: await handle(call.data.method, call.data.params), jsonrpc: '2.0', id })
  } catch (thrown) {
    const refused = thrown instanceof RefusedCall ? thrown : new RefusedCall(500, 'internal error')
    // The rest of a body that was not read would stand in the way of the next request.
    if (!request.complete) response.setHeader('Connection', 'close')
    reply(response, refused.status, { ok: false, error: refused.message, code: refused.status, jsonrpc: '2.0', id })
  }
}

function requireLocalProgram(request: IncomingMessage): void {
  const port = request.socket.localPort
  const { host, origin } = request.headers
  if (host !== `127.0.0.1:${port}` && host !== `localhost:${port}`) throw new RefusedCall(403, 'unknown host')
  if (origin !== undefined) throw new RefusedCall(403, 'not for pages')
  if (request.url !== rpcPath) throw new RefusedCall(404, 'no such address')
  if (request.method !== 'POST') throw new RefusedCall(405, 'only POST')
  const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase()
  if (type !== 'application/json') throw new RefusedCall(415, 'only application/json')
  if (Number(request.headers['content-length'] ?? 0) > maxRequestBytes) throw new RefusedCall(413, 'too long')
}

async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of request.iterator({ destroyOnReturn: false })) {
    size += part.length
    if (size > maxRequestBytes) throw new RefusedCall(413, 'too long')
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new RefusedCall(422, 'not JSON')
  }
}

function reply(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body)
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  })
  response.end(text)
}
