import { countOf, type JsonObject } from './json-text.ts'

/** What a request's body allows its answer. */
export interface RequestLimits {
  /** Completion tokens for each choice; undefined where the body sets no limit. */
  readonly bodyLimit: number | undefined
  readonly choices: number
}

/** The limits that a validated body sets itself (protocol 95 §5: `max_completion_tokens` wins). */
export function requestLimits(body: JsonObject): RequestLimits {
  return {
    bodyLimit: countOf(body.get('max_completion_tokens')) ?? countOf(body.get('max_tokens')),
    choices: Math.max(1, countOf(body.get('n')) ?? 1),
  }
}
