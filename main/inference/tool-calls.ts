import { randomBytes } from 'node:crypto'
import { type ChatModelFunctions, type ChatWrapper, LlamaText } from 'node-llama-cpp'
import { Failure } from '../base/failure.ts'
import type { GenerationOptions, Tool, ToolCall } from './engine.ts'
import { JsonGrammar, literal } from './json-grammar.ts'

/** How a model writes the call of one tool: `head`, the arguments as JSON, `tail`. */
interface CallForm {
  readonly name: string
  readonly head: string
  readonly tail: string
  /** Schema of the arguments. */
  readonly parameters: unknown
}

/** How the calls of a request look, by the template of the model. */
export interface CallForms {
  readonly forms: readonly CallForm[]
  /** Where this begins in an answer, a call begins. */
  readonly trigger: string
  /** The answer must be a call. */
  readonly isRequired: boolean
}

const probe = 'cocoon_probe'
const noArguments = { type: 'object', properties: {}, additionalProperties: false }

/** Whether the template says how calls are written, with the arguments as plain JSON. */
export function knowsCalls(template: ChatWrapper): boolean {
  return formOf(template, { name: probe }) !== undefined
}

/** As the library's templates take them; undefined when the model is to be told of none. */
export function functionsOf({ tools = [], toolChoice }: GenerationOptions): ChatModelFunctions | undefined {
  if (tools.length === 0 || toolChoice === 'none') return undefined
  return Object.fromEntries(
    tools.map(({ name, description, parameters = noArguments }) => [
      name,
      // The templates write the schema out as it is; the library's own grammar, which takes less than JSON schema, is not used.
      {
        ...(description !== undefined && { description }),
        params: parameters as NonNullable<ChatModelFunctions[string]['params']>,
      },
    ]),
  )
}

/**
 * @returns undefined when no tool may be called
 * @throws Failure `bad-request` for two tools of one name, or a choice that is not among them; `not-capable`
 */
export function callForms(template: ChatWrapper, { tools = [], toolChoice = 'auto' }: GenerationOptions): CallForms | undefined {
  if (new Set(tools.map(({ name }) => name)).size !== tools.length) throw bad('tools', 'Two tools have the same name.')
  if (toolChoice === 'none') return undefined
  const chosen = typeof toolChoice === 'object' ? tools.filter(({ name }) => name === toolChoice.name) : tools
  if (chosen.length === 0) {
    if (toolChoice === 'auto') return undefined
    throw bad('toolChoice', 'The tool that is to be called is not among the tools.')
  }
  const forms = chosen.map((tool) => formOf(template, tool))
  const known = forms.filter((form) => form !== undefined)
  if (known.length !== forms.length)
    throw new Failure('not-capable', 'The template of this model does not say how tools are called.')
  return { forms: known, trigger: triggerOf(known), isRequired: toolChoice !== 'auto' }
}

function formOf(template: ChatWrapper, { name, parameters = noArguments }: Tool): CallForm | undefined {
  const mark = { [probe]: 1 }
  const text = LlamaText(template.generateFunctionCall(name, mark)).toString()
  const written = /\{\s*"cocoon_probe":\s*1\s*\}/.exec(text)
  if (written === null) return undefined
  return { name, head: text.slice(0, written.index), tail: text.slice(written.index + written[0].length), parameters }
}

/** The beginning that all calls share, up to the end of its first mark: models differ in the spaces after that. */
function triggerOf(forms: readonly CallForm[]): string {
  const [first] = forms
  let shared = first?.head ?? ''
  for (const { head, name } of forms) {
    const before = head.slice(0, Math.max(0, head.indexOf(name)))
    while (!before.startsWith(shared)) shared = shared.slice(0, -1)
  }
  return (/^\s*(<[^>\s]+>|\[[^\]\s]+\])/.exec(shared)?.[0] ?? shared).trim()
}

/** The grammar of one call, after `written` of it; undefined when no call begins like that. */
export function callGrammar({ forms }: CallForms, written: string): string | undefined {
  const grammar = new JsonGrammar()
  const options = forms.flatMap(({ head, tail, parameters }) => {
    const rest = restOf(head, written)
    if (rest === undefined) return []
    return [`${rest === '' ? '' : literal(rest)} ${grammar.schema(parameters)} ${tail === '' ? '' : literal(tail)}`]
  })
  return options.length === 0 ? undefined : grammar.text(options.map((option) => `(${option})`).join(' | '))
}

/** Spaces before and inside of `written` may be others than in the template. */
function restOf(head: string, written: string): string | undefined {
  let at = 0
  for (const char of written.trimStart()) {
    if (/\s/.test(char)) continue
    while (/\s/.test(head[at] ?? '')) at++
    if (head[at] !== char) return undefined
    at++
  }
  return /\s$/.test(written) ? head.slice(at).trimStart() : head.slice(at)
}

/** Reads a call that was written by its grammar; undefined for a part of one. */
export function readCall({ forms }: CallForms, text: string): ToolCall | undefined {
  for (const { name, head, tail } of forms) {
    const rest = restOf(text, head)
    if (rest === undefined) continue
    const json = rest.trimEnd().endsWith(tail.trimEnd())
      ? rest.trimEnd().slice(0, rest.trimEnd().length - tail.trimEnd().length)
      : undefined
    if (json !== undefined && isJson(json)) return { id: `call_${randomBytes(12).toString('hex')}`, name, arguments: json.trim() }
  }
  return undefined
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function bad(field: 'tools' | 'toolChoice', message: string): Failure<'bad-request'> {
  return new Failure('bad-request', message, { values: { field } })
}
