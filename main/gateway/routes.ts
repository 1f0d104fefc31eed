import { type Asked, sendJson, sendText } from '../base/http-listener.ts'
import type { ApiKey, ApiKeys } from './api-keys.ts'
import { type Endpoint, endpointPaths } from './api-request.ts'
import type { GatewayBackend } from './backend.ts'
import { allowOrigin, answerPreflight, checkOrigin } from './cors.ts'
import type { Desk } from './desk.ts'
import type { Metrics } from './metrics.ts'
import { choicesOf } from './model-choice.ts'
import { modelEntry } from './models-list.ts'
import { ApiRefusal, asRefusal, errorBody, unknownKey } from './refusal.ts'

export interface RoutesOptions {
  readonly keys: ApiKeys
  readonly desk: Desk
  readonly metrics: Metrics
  readonly backends: readonly GatewayBackend[]
  /** Requests under way. */
  readonly running: () => number
  /** Unix seconds, told as the age of the models. */
  readonly startedS: number
  /** Told about defects. */
  readonly onDefect: (thrown: unknown) => void
}

const endpoints = new Map<string, Endpoint>([
  [endpointPaths.chat, 'chat'],
  [endpointPaths.completions, 'completions'],
  [endpointPaths.embeddings, 'embeddings'],
])
/** What Prometheus reads. */
const metricsType = 'text/plain; version=0.0.4; charset=utf-8'

/** Every path of the local API. Each request is answered, errors in one form. */
export function gatewayRoutes(options: RoutesOptions): (asked: Asked) => Promise<void> {
  const { keys, desk, metrics, backends } = options

  const route = async (asked: Asked): Promise<void> => {
    const { method, path, request, response } = asked
    if (method === 'OPTIONS') return answerPreflight(request, response, keys.list())
    if (path === '/health') {
      only(asked, 'GET')
      const places = Object.fromEntries(
        backends.map((backend) => {
          const isReady = backend.isReady?.() ?? backend.offers().length > 0
          return [backend.prefix, isReady ? 'ready' : 'not ready']
        }),
      )
      return sendJson(response, 200, { status: 'ok', backends: places })
    }
    const key = authenticate(asked, keys)
    asked.vouch()
    checkOrigin(request, key)
    if (request.headers.origin !== undefined) allowOrigin(response, request.headers.origin)
    const endpoint = endpoints.get(path)
    if (endpoint !== undefined) {
      only(asked, 'POST')
      return desk.answer(endpoint, asked, key)
    }
    if (path === '/v1/models' || path.startsWith('/v1/models/')) {
      only(asked, 'GET')
      return models(asked, key)
    }
    if (path === '/metrics') {
      only(asked, 'GET')
      const gauges = { cocoon_api_running: options.running(), cocoon_api_keys: keys.list().length }
      return sendText(response, 200, metricsType, metrics.text(gauges))
    }
    throw new ApiRefusal(`There is nothing at ${method} ${path.slice(0, 200)}.`, { status: 404, code: 'unknown_url' })
  }

  const models = ({ path, response }: Asked, key: ApiKey): void => {
    const entries = choicesOf(key, backends)
    if (path === '/v1/models')
      return sendJson(response, 200, { object: 'list', data: entries.map((entry) => modelEntry(entry, options.startedS)) })
    const wanted = decoded(path.slice('/v1/models/'.length))
    const found = entries.find(({ id }) => id === wanted)
    if (found === undefined)
      throw new ApiRefusal('There is no such model.', { status: 404, param: 'model', code: 'model_not_found' })
    sendJson(response, 200, modelEntry(found, options.startedS))
  }

  return async (asked) => {
    try {
      await route(asked)
    } catch (thrown) {
      const refusal = asRefusal(thrown)
      if (refusal.code === 'internal_error') options.onDefect(thrown)
      refuse(asked, refusal)
    }
  }
}

function refuse({ response }: Asked, refusal: ApiRefusal): void {
  if (response.headersSent || response.destroyed) return void response.destroy()
  // Clients repeat a status of 429 and above by themselves, unless they are told.
  response.setHeader('X-Should-Retry', String(refusal.retry))
  if (refusal.retry) response.setHeader('Retry-After', String(refusal.retryAfterS))
  if (refusal.status === 401) response.setHeader('WWW-Authenticate', 'Bearer')
  sendJson(response, refusal.status, errorBody(refusal))
}

function authenticate({ request }: Asked, keys: ApiKeys): ApiKey {
  const given = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1]
  const key = given === undefined ? undefined : keys.find(given)
  if (key !== undefined) return key
  throw unknownKey(
    given === undefined
      ? 'A key of the local API is needed: Authorization: Bearer sk-cocoon-… Make one in Settings, Local API.'
      : 'This key is unknown or was revoked.',
  )
}

function only({ method, response }: Asked, allowed: 'GET' | 'POST'): void {
  if (method === allowed || (method === 'HEAD' && allowed === 'GET')) return
  response.setHeader('Allow', allowed)
  throw new ApiRefusal(`The method must be ${allowed}.`, { status: 405, code: 'method_not_allowed' })
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    // Not the name of any model.
    return ''
  }
}
