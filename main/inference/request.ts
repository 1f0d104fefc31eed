import { type ChatWrapper, LlamaGrammar, LlamaGrammarEvaluationState, type LlamaModel } from 'node-llama-cpp'
import { asError, Failure } from '../base/failure.ts'
import type { ChatMessage, EngineEvent, GenerationOptions, OutputForm } from './engine.ts'
import type { GenerationInput } from './engine-messages.ts'
import { JsonGrammar } from './json-grammar.ts'
import { chatTokens, completionTokens, isTooLongFor, type PromptTokens } from './prompt-tokens.ts'
import { checkBias } from './sampling.ts'
import { type CallForms, callForms, callGrammar, functionsOf } from './tool-calls.ts'

/** A request that can be answered, as far as can be known before it is. */
export interface PreparedRequest {
  readonly prompt: PromptTokens
  readonly calls: CallForms | undefined
  /** Text of the grammar of the whole answer; undefined where it is free. Read when its turn has come: what the library makes of it may be large. */
  readonly grammar: string | undefined
  /** Told before the answer. */
  readonly notice: (EngineEvent & { type: 'context' }) | undefined
}

/** @throws Failure `context-too-small`, `bad-request`, `bad-schema`, `not-capable` */
export function prepare(
  model: LlamaModel,
  template: ChatWrapper,
  contextTokens: number,
  input: GenerationInput,
  options: GenerationOptions,
): PreparedRequest {
  const { output, tools = [] } = options
  if (output !== undefined && tools.length > 0)
    throw new Failure('bad-request', 'An answer cannot be bound to a form and call tools too.', { values: { field: 'output' } })
  checkBias(model, options)
  const calls = input.kind === 'chat' ? callForms(template, options) : undefined
  if (input.kind === 'complete' && tools.length > 0)
    throw new Failure('bad-request', 'Tools are for chats.', { values: { field: 'tools' } })
  const written = calls === undefined ? undefined : callGrammar(calls, '')
  // Schemas that cannot be held to are refused now, not in the middle of the answer.
  if (written !== undefined && !calls?.isRequired) grammarState(model, written)
  const grammar = output === undefined ? (calls?.isRequired ? written : undefined) : grammarText(output)
  // One token of room for the answer, and one that the library keeps free.
  const most = contextTokens - 2
  const { prompt, dropped } =
    input.kind === 'chat'
      ? fittingChat(model, template, input.messages, options, contextTokens)
      : { prompt: completionTokens(model, readable(input.prompt, contextTokens)), dropped: 0 }
  const promptTokens = prompt.tokens.length
  if (promptTokens === 0)
    throw new Failure('bad-request', 'The prompt is empty.', { values: { field: input.kind === 'chat' ? 'messages' : 'prompt' } })
  if (promptTokens > most)
    throw new Failure(
      'context-too-small',
      `The text has ${promptTokens} tokens, but the model reads at most ${contextTokens} with its answer.`,
    )
  const notice = dropped === 0 ? undefined : ({ type: 'context', droppedMessages: dropped, promptTokens, contextTokens } as const)
  return { prompt, calls, grammar, notice }
}

/** @throws Failure `bad-schema` for what is no grammar */
export function grammarState(model: LlamaModel, grammar: string): LlamaGrammarEvaluationState {
  try {
    return new LlamaGrammarEvaluationState({ model, grammar: new LlamaGrammar(model.llama, { grammar }) })
  } catch (thrown) {
    throw new Failure('bad-schema', `The grammar cannot be read: ${asError(thrown).message}`, { cause: thrown })
  }
}

function grammarText(output: OutputForm): string {
  if (output.kind === 'grammar') return output.grammar
  const grammar = new JsonGrammar()
  return grammar.text(output.kind === 'json' ? grammar.anyObject() : grammar.schema(output.schema))
}

/** @throws Failure `context-too-small` before a text is read that cannot fit */
function readable(prompt: string, contextTokens: number): string {
  if (isTooLongFor(contextTokens, prompt.length)) throw tooLong(prompt.length, contextTokens)
  return prompt
}

function tooLong(characters: number, contextTokens: number): Failure<'context-too-small'> {
  return new Failure(
    'context-too-small',
    `The text has ${characters} characters, but the model reads at most ${contextTokens} tokens with its answer.`,
  )
}

function charactersOf(messages: readonly ChatMessage[]): number {
  return messages.reduce(
    (sum, { content, toolCalls = [] }) =>
      sum + content.length + toolCalls.reduce((all, call) => all + call.name.length + call.arguments.length, 0),
    0,
  )
}

/** The chat as it is, or without its oldest messages as far as is asked for and needed. */
function fittingChat(
  model: LlamaModel,
  template: ChatWrapper,
  messages: readonly ChatMessage[],
  options: GenerationOptions,
  contextTokens: number,
): { prompt: PromptTokens; dropped: number } {
  const functions = functionsOf(options)
  const read = (some: readonly ChatMessage[]): PromptTokens => chatTokens(model, template, some, functions)
  const ofFunctions = functions === undefined ? 0 : JSON.stringify(functions).length
  let kept = messages
  for (;;) {
    const characters = charactersOf(kept) + ofFunctions
    if (!isTooLongFor(contextTokens, characters)) break
    const fewer = options.whenFull === 'drop-oldest' ? withoutOldest(kept) : kept
    if (fewer.length === kept.length) throw tooLong(characters, contextTokens)
    kept = fewer
  }
  let prompt = read(kept)
  if (options.whenFull !== 'drop-oldest') return { prompt, dropped: 0 }
  const room = Math.min(options.maxTokens ?? contextTokens / 4, contextTokens / 2)
  const fits = ({ tokens }: PromptTokens): boolean => tokens.length <= contextTokens - 2 - room
  while (!fits(prompt)) {
    const fewer = withoutOldest(kept)
    if (fewer.length === kept.length) break
    kept = fewer
    prompt = read(kept)
  }
  return { prompt, dropped: messages.length - kept.length }
}

/** Without the oldest turn: a message of the user and what follows up to the next. The system's messages and the last turn stay. */
function withoutOldest(messages: readonly ChatMessage[]): readonly ChatMessage[] {
  const start = messages.findIndex(({ role }) => role !== 'system')
  const end = messages.findIndex(({ role }, index) => index > start && role === 'user')
  return start < 0 || end < 0
    ? messages
    : messages.filter(({ role }, index) => role === 'system' || index < start || index >= end)
}
