import { isObject } from '../base/is-object.ts'
import type { EngineCapabilities } from '../inference/capabilities.ts'
import { calls as callList, readValue, text } from '../inference/openai-values.ts'
import { checkCalls, checkMembers } from './members.ts'
import { ApiRefusal } from './refusal.ts'

const roles = new Set(['system', 'developer', 'user', 'assistant', 'tool'])
/** Fields of OpenAI's messages that no engine here can show to its model. */
const unseen = new Set(['name', 'refusal', 'function_call', 'audio'])
const messageFields = new Set(['role', 'content', 'tool_calls', 'tool_call_id', ...unseen])
/** Nobody but these can say them. */
const ofOneRole = { tool_calls: 'assistant', tool_call_id: 'tool' } as const
const unsupported = 'unsupported_parameter'
const invalid = 'invalid_value'

/**
 * Judges the messages of a chat by their form, and by what the model can read.
 * @param can null while that is not known
 * @throws ApiRefusal whose `param` names the place, e.g. `messages[0].content[1]`
 */
export function checkMessages(messages: unknown, can: EngineCapabilities | null): void {
  if (!Array.isArray(messages) || messages.length === 0)
    throw new ApiRefusal("'messages' must be a list of at least one message.", {
      param: 'messages',
      code: messages === undefined ? 'missing_required_parameter' : 'invalid_value',
    })
  for (const [index, message] of messages.entries()) checkMessage(`messages[${index}]`, message, can)
}

function checkMessage(place: string, message: unknown, can: EngineCapabilities | null): void {
  if (!isObject(message)) throw new ApiRefusal(`'${place}' must be an object.`, { param: place, code: invalid })
  const { role, content, tool_calls: calls } = message
  if (typeof role !== 'string' || !roles.has(role))
    throw new ApiRefusal(`'${place}.role' must be one of ${[...roles].join(', ')}.`, {
      param: `${place}.role`,
      code: invalid,
    })
  for (const [name, value] of Object.entries(message)) {
    if (!messageFields.has(name))
      throw new ApiRefusal(`Unknown field: '${place}.${name.slice(0, 60)}'.`, {
        param: `${place}.${name.slice(0, 60)}`,
        code: 'unknown_parameter',
      })
    // The name of a tool stands in the call already.
    if (value !== null && unseen.has(name) && !(name === 'name' && role === 'tool'))
      throw new ApiRefusal(`'${place}.${name}' is not supported by this model here.`, {
        param: `${place}.${name}`,
        code: unsupported,
      })
  }
  for (const [name, itsRole] of Object.entries(ofOneRole))
    if (message[name] != null && role !== itsRole && !isEmpty(message[name]))
      throw new ApiRefusal(`'${place}.${name}' belongs to messages of the role ${itsRole}.`, {
        param: `${place}.${name}`,
        code: invalid,
      })
  if (calls != null) valid(callList, calls, `${place}.tool_calls`)
  if (role === 'tool') valid(text, message.tool_call_id, `${place}.tool_call_id`)
  checkCalls(`${place}.tool_calls`, calls)
  const hasCalls = Array.isArray(calls) && calls.length > 0
  if (can?.tools === false && (role === 'tool' || hasCalls))
    throw new ApiRefusal('Tools are not supported by this model here.', {
      param: hasCalls ? `${place}.tool_calls` : `${place}.role`,
      code: unsupported,
    })
  if (Array.isArray(content)) for (const [index, part] of content.entries()) checkPart(`${place}.content[${index}]`, part, can)
  else if (typeof content !== 'string' && !(content == null && hasCalls))
    throw new ApiRefusal(`'${place}.content' must be a text or a list of parts.`, { param: `${place}.content`, code: invalid })
}

function valid(schema: Parameters<typeof readValue>[0], value: unknown, place: string): void {
  const { wrong } = readValue(schema, value, place)
  if (wrong !== undefined) throw new ApiRefusal(wrong.message, { param: wrong.param ?? place, code: invalid })
}

const isEmpty = (value: unknown): boolean => Array.isArray(value) && value.length === 0

function checkPart(place: string, part: unknown, can: EngineCapabilities | null): void {
  const type = isObject(part) ? part.type : undefined
  if (isObject(part) && type === 'text' && typeof part.text === 'string') return checkMembers(place, part, ['type', 'text'])
  if (type === 'image_url' && can?.images !== false) return
  const known = type === 'image_url' || type === 'input_audio' || type === 'file' || type === 'refusal'
  throw new ApiRefusal(
    known
      ? `Parts of the type '${type}' are not supported by this model here.`
      : `'${place}' must be a part with a type and its content.`,
    { param: place, code: known ? unsupported : invalid },
  )
}
