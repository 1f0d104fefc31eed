import { isObject } from '../base/is-object.ts'
import { ApiRefusal } from './refusal.ts'

/**
 * Refuses what an object within a request holds beside the known: the engine would not see it. What is no object is left to the engine's own check.
 * @throws ApiRefusal with the place, e.g. `messages[0].content[1].cache_control`
 */
export function checkMembers(place: string, value: unknown, known: readonly string[]): void {
  if (!isObject(value)) return
  const other = Object.keys(value).find((name) => value[name] !== null && !known.includes(name))
  if (other === undefined) return
  const param = `${place}.${other.slice(0, 60)}`
  throw new ApiRefusal(`Unknown field: '${param}'.`, { param, code: 'unknown_parameter' })
}

/** Tools, and the choice among them. Calls are always held to their schema, as `strict` asks. */
export function checkTools({ tools, tool_choice: choice }: Readonly<Record<string, unknown>>): void {
  if (Array.isArray(tools))
    for (const [index, tool] of tools.entries()) {
      checkMembers(`tools[${index}]`, tool, ['type', 'function'])
      if (isObject(tool)) checkMembers(`tools[${index}].function`, tool.function, ['name', 'description', 'parameters', 'strict'])
    }
  checkMembers('tool_choice', choice, ['type', 'function'])
  if (isObject(choice)) checkMembers('tool_choice.function', choice.function, ['name'])
}

/** Answers are always held to their schema, as `strict` asks; its name and description name it for people. */
export function checkFormat(format: unknown): void {
  checkMembers('response_format', format, ['type', 'json_schema'])
  if (isObject(format))
    checkMembers('response_format.json_schema', format.json_schema, ['name', 'description', 'schema', 'strict'])
}

/** Calls of an earlier answer; `index` is their place in a stream. */
export function checkCalls(place: string, calls: unknown): void {
  if (!Array.isArray(calls)) return
  for (const [index, call] of calls.entries()) {
    checkMembers(`${place}[${index}]`, call, ['id', 'type', 'function', 'index'])
    if (isObject(call)) checkMembers(`${place}[${index}].function`, call.function, ['name', 'arguments'])
  }
}
