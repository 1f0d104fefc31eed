import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ApiKey } from './api-keys.ts'
import { ApiRefusal } from './refusal.ts'

/** Names of headers as a browser may ask for them. */
const headerNames = /^[A-Za-z0-9-]+(, ?[A-Za-z0-9-]+)*$/

/**
 * Answers a browser that asks before the request of a page (no key comes with such a question): yes to origins that some key allows. The request
 * itself is judged by its own key.
 */
export function answerPreflight(request: IncomingMessage, response: ServerResponse, keys: readonly ApiKey[]): void {
  const { origin } = request.headers
  if (origin === undefined || !keys.some(({ origins }) => origins.includes(origin))) return void response.writeHead(403).end()
  allowOrigin(response, origin)
  const asked = request.headers['access-control-request-headers'] ?? ''
  response.setHeader('Access-Control-Allow-Methods', 'GET, POST')
  response.setHeader('Access-Control-Allow-Headers', headerNames.test(asked) ? asked : 'Authorization, Content-Type')
  response.setHeader('Access-Control-Max-Age', '600')
  if (request.headers['access-control-request-private-network'] === 'true')
    response.setHeader('Access-Control-Allow-Private-Network', 'true')
  response.writeHead(204).end()
}

/** @throws ApiRefusal when a page asks that the key does not list */
export function checkOrigin({ headers: { origin } }: IncomingMessage, key: ApiKey): void {
  if (origin === undefined || key.origins.includes(origin)) return
  throw new ApiRefusal('Web pages of this origin may not use this key.', {
    status: 403,
    type: 'permission_error',
    code: 'origin_not_allowed',
  })
}

/** Lets the page of that origin read the answer. */
export function allowOrigin(response: ServerResponse, origin: string): void {
  response.setHeader('Access-Control-Allow-Origin', origin)
  response.setHeader('Access-Control-Expose-Headers', 'X-Cocoon-Cost-Nano, X-Cocoon-Put-Aside-Nano, X-Cocoon-Level, X-Request-Id')
  response.setHeader('Vary', 'Origin')
}
