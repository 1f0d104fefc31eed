import { Failure } from '../base/failure.ts'
import type { EngineCapabilities } from './capabilities.ts'
import type { ChatMessage, GenerationOptions } from './engine.ts'

/** The first field of a request that an engine with `capabilities` would refuse: `messages`, or its name in `GenerationOptions`. */
function refusedField(
  capabilities: EngineCapabilities,
  messages: readonly ChatMessage[],
  options: GenerationOptions,
): string | undefined {
  const { output } = options
  const form =
    output && { json: capabilities.json, 'json-schema': capabilities.jsonSchema, grammar: capabilities.grammar }[output.kind]
  const withTools = messages.some(({ role, toolCalls }) => role === 'tool' || (toolCalls?.length ?? 0) > 0)
  const asked: readonly (readonly [name: string, isAsked: boolean, isCapable: boolean])[] = [
    ['messages', withTools, capabilities.tools],
    ['tools', (options.tools?.length ?? 0) > 0, capabilities.tools],
    ['output', output !== undefined, form === true],
    ['seed', options.seed !== undefined, capabilities.seed],
    ['stop', (options.stop?.length ?? 0) > 0, capabilities.stop],
    ['frequencyPenalty', (options.frequencyPenalty ?? 0) !== 0, capabilities.penalties],
    ['presencePenalty', (options.presencePenalty ?? 0) !== 0, capabilities.penalties],
    ['topK', options.topK !== undefined, capabilities.topK],
    ['minP', options.minP !== undefined, capabilities.minP],
    ['logitBias', Object.keys(options.logitBias ?? {}).length > 0, capabilities.logitBias],
    ['logprobs', options.logprobs !== undefined, (options.logprobs ?? 0) <= (capabilities.topLogprobs ?? -1)],
    ['reasoning', options.reasoning === 'split', capabilities.reasoningSplit],
    ['whenFull', options.whenFull === 'drop-oldest', capabilities.dropOldest],
  ]
  return asked.find(([, isAsked, isCapable]) => isAsked && !isCapable)?.[0]
}

/** @throws Failure `not-capable` that names the first field that would be refused */
export function checkCapable(
  capabilities: EngineCapabilities,
  messages: readonly ChatMessage[],
  options: GenerationOptions,
): void {
  const field = refusedField(capabilities, messages, options)
  if (field === undefined) return
  throw new Failure('not-capable', `The engine cannot do what "${field}" asks for.`, { values: { field } })
}
