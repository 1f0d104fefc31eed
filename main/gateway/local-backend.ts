import type { PrivacyLevel } from '../../preload/api/chat.ts'
import { Failure } from '../base/failure.ts'
import type { EngineCapabilities } from '../inference/capabilities.ts'
import type { OpenAiBackend } from '../inference/openai-backend.ts'
import { endpointPaths } from './api-request.ts'
import { canBeAsked, type GatewayBackend, type Offer, type Permission, type RunningAnswer } from './backend.ts'
import { withoutHints } from './fields.ts'
import { freeAnswer } from './free-answer.ts'

interface CurrentModel {
  readonly backend: OpenAiBackend
  readonly capabilities: EngineCapabilities
  /** False while it sleeps. */
  readonly isLoaded?: boolean
}

/** Models of this computer beside the one in the app's own engine, by their base names. Each is loaded by its first request. */
export interface OtherLocalModels {
  offers(): readonly Offer[]
  troubleOf(model: string): string | undefined
  /** See `GatewayBackend.bring`. */
  bring(model: string, signal: AbortSignal): Promise<void>
  /** What answers for a model that was brought; undefined when it is gone. */
  answering(model: string): { readonly backend: OpenAiBackend; readonly permission: Permission } | undefined
}

export interface LocalBackendOptions {
  /** The engine as an OpenAI backend; undefined while no model is loaded. */
  readonly current: () => CurrentModel | undefined
  /** Why there is none. */
  readonly trouble: () => string
  /** In how many seconds it may be over; null: not by itself. Default: in a second. */
  readonly retryAfterS?: () => number | null
  readonly permission: Permission
  readonly others?: OtherLocalModels
}

const level: PrivacyLevel = 'computer'

/** The model in this computer's own engine, and the other ones that are installed: nothing leaves it, nothing is paid. */
export function localBackend({ current, trouble, retryAfterS, permission, others }: LocalBackendOptions): GatewayBackend {
  const ofCurrent = (): Offer[] => {
    const now = current()
    if (!now?.backend.healthy() || !canBeAsked(now.capabilities)) return []
    const { backend, capabilities, isLoaded } = now
    return [{ model: backend.model, capabilities, ...(isLoaded !== undefined && { isLoaded }) }]
  }
  /** Who answers for a model; asked when a request is prepared. */
  const answering = (model: string) => {
    const backend = current()?.backend
    return backend?.model === model ? { backend, permission } : others?.answering(model)
  }
  return {
    level,
    prefix: 'local',
    needsConsent: false,
    trouble,
    // Others are loaded by their first request: that they may be asked says nothing of the engine.
    isReady: () => ofCurrent().length > 0,
    offers: () => [...ofCurrent(), ...(others?.offers() ?? [])],
    troubleOf: (model) => others?.troubleOf(model),
    ...(retryAfterS && { retryAfterS: () => retryAfterS() }),
    bring: async ({ model }, signal) => {
      if (current()?.backend.model !== model) await others?.bring(model, signal)
    },
    prepare: (request, offer, keyId) => {
      const { endpoint, stream } = request
      const body = { ...withoutHints(endpoint, request.body), model: offer.model }
      // The usage is counted whoever asked for it; the caller sees it where it asked.
      const counted = stream ? { ...body, stream_options: { include_usage: true } } : body
      const asked = {
        method: 'POST',
        path: endpointPaths[endpoint],
        headers: [['Content-Type', 'application/json']] as const,
        body: new TextEncoder().encode(JSON.stringify(counted)),
        // Each key's prompts have a cache of their own: how soon an answer begins must not tell one program what another one asked.
        cacheScope: `key ${keyId}`,
      }
      const by = answering(offer.model)
      return {
        worstCaseNano: 0n,
        run: (signal) => answerOf(by, asked, signal),
      }
    },
  }
}

function answerOf(
  by: ReturnType<OtherLocalModels['answering']>,
  asked: Parameters<OpenAiBackend['handle']>[0],
  signal: AbortSignal,
): RunningAnswer {
  const respond = async () => {
    if (by === undefined) throw new Failure('engine-not-ready', 'The model is gone.', { retryable: true })
    await by.permission(signal)
    return by.backend.handle(asked, signal)
  }
  return freeAnswer(respond())
}
