import type { JsonValue } from './json-text.ts'
import { arrayOf, objectWith, type Rule, string, wrongField } from './rules.ts'

/**
 * Messages as newer workers read them (protocol 95 §5): a known role, and content in parts of known types. Fields that are not named here
 * pass: which of them those workers refuse is not known, and an engine skips what it does not know.
 */
const orNull =
  (rule: Rule): Rule =>
  (name, value) =>
    value === null ? undefined : rule(name, value)

type PartType = 'text' | 'image_url' | 'input_audio' | 'file' | 'refusal'

const parts: Readonly<Record<PartType, Rule>> = {
  text: objectWith({ text: string }, ['text']),
  image_url: objectWith({ image_url: objectWith({ url: string, detail: string }, ['url']) }, ['image_url']),
  input_audio: objectWith({ input_audio: objectWith({ data: string, format: string }, ['data', 'format']) }, ['input_audio']),
  file: objectWith({ file: objectWith({ file_data: string, file_id: string, filename: string }) }, ['file']),
  refusal: objectWith({ refusal: string }, ['refusal']),
}

/** Text, or parts of these types. */
const content =
  (...allowed: readonly PartType[]): Rule =>
  (name, value) =>
    typeof value === 'string'
      ? undefined
      : Array.isArray(value)
        ? partsOf(allowed)(name, value)
        : `${name} must be an array or a string`

const partsOf = (allowed: readonly PartType[]): Rule =>
  arrayOf((name, value) => {
    if (!(value instanceof Map)) return `${name} must be an object`
    const type = value.get('type')
    if (typeof type !== 'string') return `${name}.type must be a string`
    const known = allowed.find((one) => one === type)
    return known === undefined ? `unknown content type '${type}' in ${name}` : parts[known](name, value)
  })

const toolCalls = arrayOf(
  objectWith({ id: string, type: string, function: objectWith({ name: string, arguments: string }, ['name', 'arguments']) }, [
    'id',
    'type',
  ]),
)

interface Role {
  readonly required: readonly string[]
  readonly fields: Readonly<Record<string, Rule>>
}

const instructions: Role = { required: ['content'], fields: { content: content('text'), name: string } }
const roles: ReadonlyMap<string, Role> = new Map<string, Role>([
  ['developer', instructions],
  ['system', instructions],
  ['user', { required: ['content'], fields: { content: content('text', 'image_url', 'input_audio', 'file'), name: string } }],
  [
    'assistant',
    {
      required: [],
      fields: {
        content: orNull(content('text', 'refusal')),
        refusal: orNull(string),
        name: string,
        audio: orNull(objectWith({ id: string }, ['id'])),
        tool_calls: toolCalls,
      },
    },
  ],
  ['tool', { required: ['content', 'tool_call_id'], fields: { content: content('text'), tool_call_id: string } }],
  ['function', { required: ['content', 'name'], fields: { content: orNull(string), name: string } }],
])

export const messages: Rule = arrayOf((name: string, value: JsonValue) => {
  if (!(value instanceof Map)) return `${name} must be an object`
  const role = value.get('role')
  if (typeof role !== 'string') return `${name}.role must be a string`
  const known = roles.get(role)
  if (known === undefined) return `unknown role '${role}' in ${name}`
  for (const field of known.required) if (!value.has(field)) return `missing required field '${field}' in ${name}`
  return wrongField(name, value, known.fields)
})
