import type { LevelState } from '../../../preload/api/chat.ts'
import { Failure, retold, toldOf } from '../../base/failure.ts'
import { Signal } from '../../base/signal.ts'
import type { BackendEvent, ChatBackend } from '../../chat/backend.ts'
import { mostTokens } from '../../chat/computer-backend.ts'
import { passed, unsent } from '../../chat/privacy/passed.ts'
import { absentLevel } from '../../chat/privacy/privacy.ts'
import type { Gate } from '../../chat/privacy/seal-keeper.ts'
import { readChatCompletion } from '../../client/chat-completion.ts'
import { paidNothing } from '../../client/query-failure.ts'
import { endpointPaths } from '../../gateway/api-request.ts'
import type { ChatMessage, EngineUsage } from '../../inference/engine.ts'
import { askExternal } from '../../inference/external-answer.ts'
import { mostAnswerBytes } from '../answer-bound.ts'
import type { ChosenEngine, Engines } from './engines.ts'
import { refusalOf } from './external-refusal.ts'

const level = 'external'

/** Name of what the next question would go to; null while that is nowhere. Each time that the engine comes back it is another one. */
export const connectionOf = (chosen: ChosenEngine | undefined): string | null =>
  chosen?.listed === undefined
    ? null
    : `${chosen.engine.record.id} ${chosen.engine.record.url} ${chosen.model} #${chosen.engine.times}`

/** Level "Another program": the model of an external engine that the user chose. Free; who can read it is up to that program. */
export function externalChat(engines: Engines): ChatBackend {
  const state = new Signal<LevelState>(levelState(engines))
  engines.changes.onChange(() => {
    const next = levelState(engines)
    if (JSON.stringify(next) !== JSON.stringify(state.value)) state.set(next)
  })
  return { level, state, answer: (messages, signal, gate) => answer(engines, messages, signal, gate) }
}

async function* answer(
  engines: Engines,
  messages: readonly ChatMessage[],
  signal: AbortSignal,
  gate: Gate,
): AsyncGenerator<BackendEvent> {
  try {
    const permit = await passed(gate, signal)
    if (!permit) {
      yield unsent
      return
    }
    const chosen = engines.chosen()
    if (chosen === undefined || connectionOf(chosen) !== permit.connection)
      throw new Failure('engine-changed', 'The engine was changed while the check ran. Nothing was sent.', { retryable: true })
    yield* asked(chosen, messages, signal)
  } catch (thrown) {
    throw thrown instanceof Failure ? retold(thrown, { money: paidNothing }) : thrown
  }
}

async function* asked(
  { engine, model, listed }: ChosenEngine,
  messages: readonly ChatMessage[],
  signal: AbortSignal,
): AsyncGenerator<BackendEvent> {
  const body = JSON.stringify({
    model,
    messages: messages.map(({ role, content }) => ({ role, content })),
    stream: true,
    stream_options: { include_usage: true },
    max_tokens: mostTokens,
  })
  // Closing the connection is all that can end a generation there.
  const cancelled: BackendEvent = { type: 'final', reason: 'cancelled', stop: 'hidden' }
  let response: Awaited<ReturnType<typeof askExternal>>
  try {
    const question = { path: endpointPaths.chat, body, stream: true, mostBytes: mostAnswerBytes(mostTokens, 0) }
    response = await askExternal(engine.server, question, signal)
  } catch (thrown) {
    if (!signal.aborted) throw thrown
    yield cancelled
    return
  }
  if (response.status !== 200) throw await refusalOf(response, listed?.capabilities.contextTokens ?? undefined)
  let usage: EngineUsage | undefined
  let reason: 'stop' | 'length' | undefined
  for await (const event of readChatCompletion(response.body)) {
    if (event.type === 'text') yield { type: 'text', text: event.text }
    else if (event.type === 'finish') reason = event.reason === 'length' ? 'length' : 'stop'
    else if (event.type === 'usage') usage = event
  }
  if (signal.aborted) yield cancelled
  else if (reason === undefined)
    throw new Failure('answer-cut-off', 'The answer ended early.', { advice: 'Try again.', retryable: true })
  else yield { type: 'final', ...(usage && { usage }), reason }
}

function levelState(engines: Engines): LevelState {
  const chosen = engines.chosen()
  if (chosen === undefined)
    return engines.list().length === 0
      ? absentLevel(level)
      : not('unavailable', 'No model of another program is chosen. Choose one under Settings, Engines.', {
          code: 'level-no-engine-chosen',
        })
  const { engine, model, listed } = chosen
  const { name } = engine.record
  const listing = engine.server.listing.value
  if (listing === undefined) return not('starting', `Connecting to ${name}.`, { code: 'engine-connecting', values: { name } })
  if (listing.problem !== undefined) {
    const { text, words } = toldOf(listing.problem)
    return not('unavailable', `${name}: ${text}`, words)
  }
  if (listed === undefined)
    return not('unavailable', `${name} does not list the model ${model} any more.`, {
      code: 'engine-model-gone',
      values: { name, model },
    })
  const { host, isLoopback, isEncrypted } = engine.address
  return { level, state: 'ready', model, engine: { name, host, isLoopback, isEncrypted } }
}

function not(state: 'starting' | 'unavailable', reason: string, words: LevelState['reasonWords'] | undefined): LevelState {
  return { level, state, reason, ...(words && { reasonWords: { ...words } }) }
}
