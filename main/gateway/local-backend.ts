import type { PrivacyLevel } from '../../preload/api/chat.ts'
import { Failure } from '../base/failure.ts'
import type { EngineCapabilities } from '../inference/capabilities.ts'
import type { BackendRequest, OpenAiBackend } from '../inference/openai-backend.ts'
import { endpointPaths } from './api-request.ts'
import { canBeAsked, type GatewayBackend, type Permission, type RunningAnswer } from './backend.ts'
import { withoutHints } from './fields.ts'
import { freeAnswer } from './free-answer.ts'

export interface LocalBackendOptions {
  /** The engine as an OpenAI backend; undefined while no model is loaded. */
  readonly current: () => { readonly backend: OpenAiBackend; readonly capabilities: EngineCapabilities } | undefined
  /** Why there is none. */
  readonly trouble: () => string
  readonly permission: Permission
}

const level: PrivacyLevel = 'computer'
const scopeHeader = 'X-Cocoon-Key-Id'
/** Each key's prompts have a cache of their own: how soon an answer begins must not tell one program what another one asked. */
export const keyScope = ({ headers }: BackendRequest): string | undefined => headers.find(([name]) => name === scopeHeader)?.[1]

/** The model in this computer's own engine: nothing leaves it, nothing is paid. */
export function localBackend({ current, trouble, permission }: LocalBackendOptions): GatewayBackend {
  return {
    level,
    prefix: 'local',
    needsConsent: false,
    trouble,
    offers: () => {
      const now = current()
      return now?.backend.healthy() && canBeAsked(now.capabilities)
        ? [{ model: now.backend.model, capabilities: now.capabilities }]
        : []
    },
    prepare: (request, offer, keyId) => {
      const { endpoint, stream } = request
      const body = { ...withoutHints(endpoint, request.body), model: offer.model }
      // The usage is counted whoever asked for it; the caller sees it where it asked.
      const counted = stream ? { ...body, stream_options: { include_usage: true } } : body
      const asked = {
        method: 'POST',
        path: endpointPaths[endpoint],
        headers: [
          ['Content-Type', 'application/json'],
          [scopeHeader, keyId],
        ] as const,
        body: new TextEncoder().encode(JSON.stringify(counted)),
      }
      const engine = current()?.backend
      return {
        worstCaseNano: 0n,
        run: (signal) => answerOf(engine, asked, permission, signal),
      }
    },
  }
}

function answerOf(
  engine: OpenAiBackend | undefined,
  asked: Parameters<OpenAiBackend['handle']>[0],
  permission: Permission,
  signal: AbortSignal,
): RunningAnswer {
  const respond = async () => {
    await permission(signal)
    if (engine === undefined) throw new Failure('engine-not-ready', 'The model is gone.', { retryable: true })
    return engine.handle(asked, signal)
  }
  return freeAnswer(respond())
}
