import type { ApiKey } from './api-keys.ts'
import type { GatewayBackend, Offer } from './backend.ts'
import { ApiRefusal } from './refusal.ts'

export interface Choice {
  readonly backend: GatewayBackend
  readonly offer: Offer
  /** As `/v1/models` lists it. */
  readonly id: string
}

export const levelHeader = 'x-cocoon-level'

export const idOf = ({ prefix }: GatewayBackend, { model }: Offer): string => `${prefix}/${model}`

/** Whether the user lets requests of that key go there: to this computer, its own level and all between. `backends` are sorted, narrowest first. */
function mayUse(key: ApiKey, backend: GatewayBackend, backends: readonly GatewayBackend[]): boolean {
  if (backend.level === 'computer') return true
  const also = backend.readAlsoAt?.()
  const wider = also && backends.find(({ level }) => level === also)
  if (also !== undefined && (wider === undefined || !mayUse(key, wider, backends))) return false
  const widest = backends.findIndex(({ level }) => level === key.level)
  return backends.indexOf(backend) <= widest && (!backend.needsConsent || hasAgreed(key, backend, backends))
}

/** Whether the user agreed that requests of that key go there, or to a wider place. */
export function hasAgreed(key: ApiKey, backend: GatewayBackend, backends: readonly GatewayBackend[]): boolean {
  return backends.findIndex(({ level }) => level === key.consentedLevel) >= backends.indexOf(backend)
}

/** Everything that a key may ask now. */
export function choicesOf(key: ApiKey, backends: readonly GatewayBackend[]): Choice[] {
  return backends
    .filter((backend) => mayUse(key, backend, backends))
    .flatMap((backend) => backend.offers().map((offer) => ({ backend, offer, id: idOf(backend, offer) })))
    .filter(({ id }) => key.models === null || key.models.includes(id))
}

/**
 * Where a request goes: by the prefix of the model's name (`local/…`, `network/…`), else by the header `X-Cocoon-Level` (a prefix or the name of a level),
 * else by the key. It is never sent to a wider place than the key's own.
 * @param backends narrowest first
 * @throws ApiRefusal
 */
export function chooseModel(name: string, header: string | undefined, key: ApiKey, backends: readonly GatewayBackend[]): Choice {
  const named = backends.find(({ prefix }) => name.startsWith(`${prefix}/`))
  const wanted = header === undefined ? undefined : byHeader(header, backends)
  if (named !== undefined && wanted !== undefined && named !== wanted)
    throw new ApiRefusal(`The model's name and the header ${levelHeader} name different places.`, {
      param: 'model',
      code: 'invalid_value',
    })
  const backend = named ?? wanted ?? backends.find(({ level }) => level === key.level)
  if (backend === undefined)
    throw new ApiRefusal(`The level of this key, ${key.level}, is not open in the app now.`, {
      status: 503,
      type: 'server_error',
      code: 'not_ready',
    })
  const model = named === undefined ? name : name.slice(named.prefix.length + 1)
  const id = `${backend.prefix}/${model}`
  if (!mayUse(key, backend, backends))
    throw new ApiRefusal(
      `The user has not agreed that requests with this key go to the level ${backend.readAlsoAt?.() ?? backend.level}.`,
      {
        param: 'model',
        code: 'level_not_allowed',
        status: 403,
        type: 'permission_error',
      },
    )
  if (key.models !== null && !key.models.includes(id))
    throw new ApiRefusal('This key may not use that model.', {
      param: 'model',
      code: 'model_not_allowed',
      status: 403,
      type: 'permission_error',
    })
  const offers = backend.offers()
  const offer = offers.find((one) => one.model === model)
  if (offer !== undefined) return { backend, offer, id }
  const trouble = offers.length === 0 ? backend.trouble() : backend.troubleOf?.(model)
  if (trouble !== undefined) throw notReady(trouble, backend.retryAfterS === undefined ? 1 : backend.retryAfterS(model))
  throw new ApiRefusal(`The model '${name.slice(0, 200)}' is not offered here. /v1/models lists those that are.`, {
    param: 'model',
    code: 'model_not_found',
    status: 404,
  })
}

function notReady(trouble: string, retryAfterS: number | null): ApiRefusal {
  const kind = { status: 503, type: 'server_error', code: 'not_ready' } as const
  return new ApiRefusal(trouble, retryAfterS === null ? kind : { ...kind, retry: true, retryAfterS })
}

function byHeader(header: string, backends: readonly GatewayBackend[]): GatewayBackend {
  const found = backends.find(({ prefix, level }) => header === prefix || header === level)
  if (found !== undefined) return found
  const known = backends.flatMap(({ prefix, level }) => [prefix, level])
  throw new ApiRefusal(`${levelHeader} must be one of: ${[...new Set(known)].join(', ')}.`, {
    param: levelHeader,
    code: 'invalid_value',
  })
}
