import type { EngineCapabilities } from '../inference/capabilities.ts'
import type { Choice } from './model-choice.ts'

/** One model in the form of OpenAI's list, with what it can do at its place. */
export function modelEntry({ id, backend, offer }: Choice, created: number): object {
  return {
    id,
    object: 'model',
    created,
    owned_by: 'cocoon',
    level: backend.level,
    ...(offer.isLoaded !== undefined && { loaded: offer.isLoaded }),
    // Nothing is guessed of a model that was not loaded yet.
    context_length: offer.capabilities?.contextTokens ?? null,
    capabilities: offer.capabilities && capabilitiesOf(offer.capabilities),
  }
}

/** By the names of the API's fields. */
function capabilitiesOf(can: EngineCapabilities): object {
  return {
    chat_completions: can.chat,
    completions: can.complete,
    embeddings: can.embeddings,
    streaming: can.chat || can.complete,
    tools: can.tools,
    parallel_tool_calls: can.parallelToolCalls,
    json_object: can.json,
    json_schema: can.jsonSchema,
    seed: can.seed,
    stop: can.stop,
    penalties: can.penalties,
    logit_bias: can.logitBias,
    top_logprobs: can.topLogprobs,
    images: can.images,
    n: can.answers,
  }
}
