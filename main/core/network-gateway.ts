import { Failure } from '../base/failure.ts'
import type { Watchable } from '../base/signal.ts'
import type { Gate } from '../chat/privacy/seal-keeper.ts'
import type { QueryEnd, QueryHandle } from '../client/running-query.ts'
import { mostUsage } from '../client/usage-plausible.ts'
import { type ApiRequest, endpointPaths } from '../gateway/api-request.ts'
import { type AnswerEnd, canBeAsked, type GatewayBackend, type RunningAnswer } from '../gateway/backend.ts'
import { withoutHints } from '../gateway/fields.ts'
import { ApiRefusal } from '../gateway/refusal.ts'
import type { EngineCapabilities } from '../inference/capabilities.ts'
import type { CapableEngine } from '../inference/engine.ts'
import { headerOf } from '../protocol/http/http-message.ts'
import { parseJson } from '../protocol/requests/json-text.ts'
import { requestTables } from '../protocol/requests/request-tables.ts'
import type { RootConfig } from '../ton/root-config.ts'
import { bounded, mostAnswerBytes } from './answer-bound.ts'
import { checkByEngine } from './engine-check.ts'
import { engineTrouble } from './engine-trouble.ts'
import { maxCoefficient, maxTokens, mayGoBy, refusal, usageFromTokens } from './network-answer.ts'
import { ownWish } from './own-roles.ts'
import type { PracticeBackend, PracticeLink } from './practice-backend.ts'
import { SecondChance } from './second-chance.ts'

/** What surrounds the body of a question in its query, in bytes; as the client counts it. */
const envelopeBytes = 200
/** A program may wait longer for its answer than a person. */
const timeoutMs = 300_000

/**
 * What can be asked over the network of a model: what its engine does, without the fields that no request of the network carries (protocol 40 §5, 95 §5)
 * and with no embeddings, which it has no path for.
 */
function overNetwork(engine: EngineCapabilities): EngineCapabilities {
  return {
    ...engine,
    embeddings: false,
    tools: false,
    parallelToolCalls: false,
    logitBias: false,
    topK: false,
    minP: false,
    images: false,
  }
}

/** What the worker of the practice network serves with, as far as the local API has to know. */
export interface ServingPlace extends Pick<CapableEngine, 'capabilities' | 'state'> {
  /** An engine of another program; null: this app's. */
  readonly external: Watchable<unknown>
}

/**
 * The practice network for the local API: each request goes through the client role and is paid for. The worker is this computer, so what its engine can do is known here.
 */
export function networkGateway(practice: PracticeBackend, engine: ServingPlace, gate: Gate): GatewayBackend {
  return {
    level: 'practice',
    prefix: 'network',
    needsConsent: true,
    // Another program then reads what is asked.
    readAlsoAt: () => (engine.external.value === null ? undefined : 'external'),
    trouble: () =>
      practice.link === undefined
        ? (practice.state.value.reason ?? 'The practice network is not ready.')
        : engineTrouble(engine.state.value),
    leastAside: () => {
      const { link } = practice
      const root = link?.root() ?? null
      if (link === undefined || root === null) return undefined
      const smallest = JSON.stringify({ messages: [{ role: 'user', content: '' }], max_tokens: 1, model: link.model })
      return worstCase({ answers: 1 }, Buffer.byteLength(smallest) + envelopeBytes, 1, root)
    },
    offers: () => {
      const { link } = practice
      const capabilities = overNetwork(engine.capabilities)
      return link === undefined || !canBeAsked(capabilities) ? [] : [{ model: link.model, capabilities }]
    },
    prepare: (request, offer, keyId) => {
      const { link } = practice
      const root = link?.root() ?? null
      if (link === undefined || root === null)
        throw new Failure('not-ready', 'The practice network is not ready.', { retryable: true })
      const limit = request.mostTokens ?? maxTokens
      const body = bodyFor(request, offer.model, limit)
      const { prompt_cache_key: cacheKey } = request.body
      const conversation = typeof cacheKey === 'string' ? JSON.stringify([keyId, cacheKey]) : undefined
      checkTable(request, body)
      if (engine.external.value === null) checkByEngine(request, body, offer.model)
      const path = endpointPaths[request.endpoint]
      const question = { model: offer.model, path, body, limit, conversation, mostBytes: mostBytes(request, limit) }
      return {
        worstCaseNano: worstCase(request, Buffer.byteLength(body) + envelopeBytes, limit, root),
        run: (signal) => ask(link, question, gate, signal),
      }
    },
  }
}

/** JSON text as the network reads it: its own name of the model, a limit always, stop strings as a list. */
function bodyFor({ endpoint, body, stream, mostTokens }: ApiRequest, model: string, limit: number): string {
  const { stop } = body
  return JSON.stringify({
    ...withoutHints(endpoint, body),
    // No hint: programs find their answers again by it, and the network has no place for it.
    ...(body.metadata !== undefined && { metadata: body.metadata }),
    model,
    ...(mostTokens === undefined && { max_tokens: limit }),
    ...(typeof stop === 'string' && { stop: [stop] }),
    ...(stream && { stream_options: { include_usage: true } }),
  })
}

/** @throws ApiRefusal for a field that the network does not carry, or not with that value */
function checkTable({ endpoint }: ApiRequest, body: string): void {
  const table = requestTables.either.get(endpointPaths[endpoint])
  const value = parseJson(body)
  if (table === undefined || !(value instanceof Map))
    throw new ApiRefusal('The network has no path for such requests.', { param: 'model', code: 'unsupported_endpoint' })
  for (const [name, item] of value) {
    const rule = Object.hasOwn(table.fields, name) ? table.fields[name] : undefined
    if (rule === undefined)
      throw new ApiRefusal(`'${name}' is not carried by the network.`, { param: name, code: 'unsupported_parameter' })
    const wrong = rule(name, item)
    if (wrong !== undefined) throw new ApiRefusal(`The network refuses this: ${wrong}.`, { param: name, code: 'invalid_value' })
  }
}

/** Bytes of an answer beyond which it is given up. */
function mostBytes({ body: { logprobs, top_logprobs: top }, answers }: ApiRequest, limit: number): number {
  const alternatives = typeof top === 'number' ? top : typeof logprobs === 'number' ? logprobs : 0
  return mostAnswerBytes(limit * answers, alternatives)
}

/**
 * In nanoton: what prompt and answer cost at most within the limit of tokens, for every answer that was asked for. No more can be put aside than that, but
 * a proxy may state more: it is believed a token for each byte that came (usage-plausible.ts). Such a cost is counted in full and marked (spending.ts).
 */
function worstCase({ answers }: Pick<ApiRequest, 'answers'>, queryBytes: number, limit: number, { params }: RootConfig): bigint {
  const asked = { queryBytes, maxTokens: limit, maxCoefficient, multipliers: params.multipliers }
  const { prompt, answer } = mostUsage(asked, limit * answers)
  return (prompt + answer) * params.pricePerToken
}

interface Question {
  readonly model: string
  readonly path: string
  readonly body: string
  readonly limit: number
  /** See `ChatRequest.conversation`. */
  readonly conversation: string | undefined
  /** Of the answer. */
  readonly mostBytes: number
}

function ask(link: PracticeLink, question: Question, gate: Gate, signal: AbortSignal): RunningAnswer {
  let last: QueryHandle | undefined
  const answered = (async () => {
    const chance = new SecondChance(link, signal)
    for (;;) {
      try {
        const mayGo = mayGoBy(link, await gate(signal))
        const { model, path, body, limit, conversation } = question
        const asked = {
          ...{ model, path, body, maxTokens: limit, maxCoefficient, timeoutMs, mayGo },
          ...(conversation !== undefined && { conversation }),
          ...ownWish(link.worker),
        }
        last = link.client.runChat(asked, signal)
        last.end.catch(() => undefined)
        const head = await last.head
        // An engine that is starting again says so by its status; it cost nothing, and can be asked again.
        if (head.status === 503) throw await refusal(head.status, last, link.contextTokens())
        return { handle: last, head }
      } catch (thrown) {
        if (signal.aborted || !(await chance.again(thrown)) || signal.aborted) throw thrown
      }
    }
  })()
  const head = answered.then(({ head: { status, headers } }) => ({
    status,
    contentType: headerOf(headers, 'content-type') ?? '',
  }))
  head.catch(() => undefined)
  return {
    head,
    end: head.then(
      () => endOf(last, link.root()),
      () => endOf(last, link.root()),
    ),
    body: {
      async *[Symbol.asyncIterator]() {
        yield* bounded((await answered).handle.body, question.mostBytes)
      },
    },
  }
}

async function endOf(handle: QueryHandle | undefined, root: RootConfig | null): Promise<AnswerEnd> {
  if (handle === undefined) return { costNano: 0n }
  try {
    return costOf(await handle.end, root)
  } catch (thrown) {
    // Every failure says what became of the money.
    const free = thrown instanceof Failure && thrown.moneyWords?.code === 'paid-nothing'
    return { costNano: free ? 0n : undefined }
  }
}

function costOf(end: QueryEnd, root: RootConfig | null): AnswerEnd {
  const { promptTokens, completionTokens } = usageFromTokens(end, root)
  return { costNano: end.cost, ...(end.tokens !== undefined && { usage: { promptTokens, completionTokens } }) }
}
