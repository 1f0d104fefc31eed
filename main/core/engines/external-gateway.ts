import { Failure } from '../../base/failure.ts'
import { type ApiRequest, endpointPaths } from '../../gateway/api-request.ts'
import type { GatewayBackend, Offer, RunningAnswer } from '../../gateway/backend.ts'
import { withoutHints } from '../../gateway/fields.ts'
import { freeAnswer } from '../../gateway/free-answer.ts'
import { ApiRefusal } from '../../gateway/refusal.ts'
import { askExternal, type ExternalQuestion } from '../../inference/external-answer.ts'
import { isKeyRefused, keyRefused } from '../../inference/external-models.ts'
import { isPictureInside } from '../../protocol/requests/addresses.ts'
import { mostAnswerBytes } from '../answer-bound.ts'
import { type Engines, type LiveEngine, modelOf } from './engines.ts'

/** Of an answer without a limit of tokens, and of a list of embeddings. */
const mostUnlimitedBytes = 64 << 20

/**
 * External engines for the local API: `external/<engine>/<model>`. Nothing is paid. Each request names its engine, so none goes to another than the
 * program asked for, and the user agreed to this level once for the key.
 */
export function externalGateway(engines: Engines): GatewayBackend {
  return {
    level: 'external',
    prefix: 'external',
    needsConsent: true,
    offers: () => engines.list().flatMap(offersOf),
    trouble: () =>
      engines.list().length === 0 ? 'No external engine is added in Settings, Engines.' : 'No external engine is reached now.',
    prepare: (request, { model }) => {
      const at = model.indexOf('/')
      const engine = engines.list().find(({ record }) => record.name === model.slice(0, at))
      const id = model.slice(at + 1)
      if (engine === undefined || modelOf(engine, id) === undefined)
        throw new Failure('engine-not-ready', 'The engine is gone.', { retryable: true })
      return { worstCaseNano: 0n, run: (signal) => ask(engines, engine, questionOf(request, id), id, signal) }
    },
  }
}

function offersOf(engine: LiveEngine): Offer[] {
  const { record, server } = engine
  if (!server.healthy()) return []
  return (server.listing.value?.models ?? []).map(({ id, capabilities }) => ({ model: `${record.name}/${id}`, capabilities }))
}

function questionOf({ endpoint, body, stream, mostTokens, answers }: ApiRequest, model: string): ExternalQuestion {
  if (endpoint === 'chat') checkPictures(body.messages)
  const { logprobs, top_logprobs: top } = body
  const alternatives = typeof top === 'number' ? top : typeof logprobs === 'number' ? logprobs : 0
  return {
    path: endpointPaths[endpoint],
    body: JSON.stringify({
      ...withoutHints(endpoint, body),
      model,
      // The usage is counted whoever asked for it; the caller sees it where it asked.
      ...(stream && { stream_options: { include_usage: true } }),
    }),
    stream,
    mostBytes:
      mostTokens === undefined || endpoint === 'embeddings'
        ? mostUnlimitedBytes
        : mostAnswerBytes(mostTokens * answers, alternatives),
  }
}

/** @throws ApiRefusal for a picture that does not stand in the request itself */
function checkPictures(messages: unknown): void {
  if (!Array.isArray(messages)) return
  for (const [index, message] of messages.entries())
    for (const [at, part] of Array.isArray(message?.content) ? message.content.entries() : []) {
      if (part?.type !== 'image_url') continue
      if (isPictureInside(part.image_url?.url)) continue
      throw new ApiRefusal("A picture must be given as 'data:image/…;base64,…'.", {
        param: `messages[${index}].content[${at}].image_url`,
        code: 'invalid_value',
      })
    }
}

function ask(
  engines: Engines,
  engine: LiveEngine,
  question: ExternalQuestion,
  model: string,
  signal: AbortSignal,
): RunningAnswer {
  const respond = async () => {
    // It may have been removed, or have gone, since it was judged.
    if (!engines.list().some(({ server }) => server === engine.server) || modelOf(engine, model) === undefined)
      throw new Failure('engine-not-ready', 'The engine is gone.', { retryable: true })
    const response = await askExternal(engine.server, question, signal)
    // Its 401 would say of the caller's own key that it is wrong.
    if (isKeyRefused(response.status)) throw keyRefused()
    return response
  }
  return freeAnswer(respond())
}
