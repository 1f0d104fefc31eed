import { z } from 'zod'
import { Failure } from '../base/failure.ts'
import { type Bound, integersWithin, numbersWithin } from './number-grammar.ts'

/** Rules in GBNF, the notation of llama.cpp, by name. */
export type GrammarRules = ReadonlyMap<string, string>

/** What these say changes nothing about what is valid. */
const annotations = new Set(
  '$schema $id $comment $anchor title description default examples deprecated readOnly writeOnly strict $defs definitions'.split(
    ' ',
  ),
)
/** Expanded by the library rule by rule; above this it refuses them. */
const mostRepeats = 1_000
/** Three rules a property: its value, what may begin with it, what may follow it. */
const mostNodes = 3_000
/** The library reads a grammar in one go, in which the engine does nothing else. */
const mostTextLength = 256 * 1024
const mostDepth = 48

const count = z.number().int().nonnegative().max(mostRepeats, `Bounds above ${mostRepeats} are not supported.`)
const schemaObject = z.record(z.string(), z.unknown())
const schemaMap = z.record(z.string(), z.unknown())
const typeName = z.enum(['string', 'number', 'integer', 'boolean', 'null', 'object', 'array'])
type TypeName = z.infer<typeof typeName>

const common: Readonly<Record<string, string>> = {
  ws: '| " " | "\\n" [ \\t]{0,20}',
  char: '[^"\\\\\\x7F\\x00-\\x1F] | "\\\\" (["\\\\/bfnrt] | "u" [0-9a-fA-F]{4})',
  string: '"\\"" char* "\\""',
  integer: '"-"? ("0" | [1-9] [0-9]{0,15})',
  number: 'integer ("." [0-9]{1,16})? ([eE] [-+]? [0-9]{1,3})?',
  boolean: '"true" | "false"',
  null: '"null"',
  value: 'object | array | string | number | boolean | null',
  object: '"{" ws (string ws ":" ws value (ws "," ws string ws ":" ws value)*)? ws "}"',
  array: '"[" ws (value (ws "," ws value)*)? ws "]"',
}

/** Two digits that four divides, without 00. */
const fours = '("0" [48] | [2468] [048] | [13579] [26])'
/** Each day that there is, also the 29th of February of leap years. */
const days = [
  '[0-9]{4} "-" ("0" [13578] | "1" [02]) "-" ("0" [1-9] | [12] [0-9] | "3" [01])',
  '[0-9]{4} "-" ("0" [469] | "11") "-" ("0" [1-9] | [12] [0-9] | "30")',
  '[0-9]{4} "-02-" ("0" [1-9] | "1" [0-9] | "2" [0-8])',
  `([0-9]{2} ${fours} | ${fours} "00") "-02-29"`,
]

const formats: Readonly<Record<string, string>> = {
  date: `(${days.join(' | ')})`,
  time: '([01] [0-9] | "2" [0-3]) ":" [0-5] [0-9] ":" [0-5] [0-9] ("." [0-9]{3})? ("Z" | [-+] ([01] [0-9] | "2" [0-3]) ":" [0-5] [0-9])',
  uuid: '[0-9a-fA-F]{8} "-" [0-9a-fA-F]{4} "-" [0-9a-fA-F]{4} "-" [0-9a-fA-F]{4} "-" [0-9a-fA-F]{12}',
}

/** Text as a literal of a grammar. */
export function literal(text: string): string {
  let out = ''
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0
    if (char === '"' || char === '\\') out += `\\${char}`
    else if (code < 0x20 || code === 0x7f) out += `\\x${code.toString(16).padStart(2, '0')}`
    else out += char
  }
  return `"${out}"`
}

/**
 * Grammars for JSON. Every text that such a grammar lets through is valid by its schema. It may let less through than the schema: properties
 * come in the order of the schema, and of those that it does not name there are none where it names some.
 */
export class JsonGrammar {
  readonly #rules = new Map<string, string>()
  #nodes = 0

  get rules(): GrammarRules {
    return this.#rules
  }

  /** Name of the rule for any JSON object. */
  anyObject(): string {
    return this.#common('object')
  }

  /**
   * Name of the rule for values that are valid by the JSON schema `schema`.
   * @throws Failure `bad-schema` that names the place of what is no schema, or cannot be held to
   */
  schema(schema: unknown): string {
    return new SchemaReader(schema, this).read()
  }

  /**
   * The whole text of a grammar with `root` as its first rule.
   * @throws Failure `bad-schema` where it would be too large
   */
  text(root: string): string {
    const lines = [`root ::= ${root}`, ...[...this.#rules].map(([name, body]) => `${name} ::= ${body}`)]
    if (lines.reduce((sum, { length }) => sum + length + 1, 0) > mostTextLength) throw bad('', 'it is too large')
    return lines.join('\n')
  }

  #common(name: string): string {
    if (this.#rules.has(name)) return name
    const body = common[name] ?? ''
    this.#rules.set(name, body)
    const names = new Set(body.replaceAll(/"(?:\\.|[^"\\])*"/g, '').match(/[a-z]+/g))
    for (const other of Object.keys(common)) if (names.has(other)) this.#common(other)
    return name
  }

  /** For SchemaReader: a rule that all grammars share. */
  shared(name: TypeName | 'ws' | 'char' | 'value'): string {
    return this.#common(name)
  }

  /** For SchemaReader: a rule of its own, named before its body is known, as schemas may be recursive. */
  reserve(): string {
    if (++this.#nodes > mostNodes) throw bad('', 'it is too large')
    const name = `r${this.#nodes}`
    this.#rules.set(name, '')
    return name
  }

  define(name: string, body: string): void {
    this.#rules.set(name, body)
  }
}

class SchemaReader {
  readonly #root: unknown
  readonly #grammar: JsonGrammar
  /** By pointer. */
  readonly #references = new Map<string, string>()

  constructor(root: unknown, grammar: JsonGrammar) {
    this.#root = root
    this.#grammar = grammar
  }

  read(): string {
    return this.#reference('#', '', 0)
  }

  #reference(pointer: string, at: string, depth: number): string {
    const known = this.#references.get(pointer)
    if (known !== undefined) return known
    const name = this.#grammar.reserve()
    this.#references.set(pointer, name)
    this.#grammar.define(name, this.#value(this.#find(pointer, at), pointer.slice(1), depth))
    return name
  }

  #find(pointer: string, at: string): unknown {
    if (pointer !== '#' && !pointer.startsWith('#/'))
      throw bad(`${at}/$ref`, 'only references into the same schema are supported')
    let found = this.#root
    for (const part of pointer
      .slice(2)
      .split('/')
      .filter((part) => part !== '')) {
      const key = decoded(part, at).replaceAll('~1', '/').replaceAll('~0', '~')
      const inside = typeof found === 'object' && found !== null && Object.hasOwn(found, key)
      if (!inside) throw bad(`${at}/$ref`, `"${pointer}" leads nowhere`)
      found = (found as Record<string, unknown>)[key]
    }
    return found
  }

  /** The body of a rule, or the name of one. */
  #value(raw: unknown, at: string, depth: number): string {
    if (depth > mostDepth) throw bad(at, 'it is nested too deeply')
    if (raw === true) return this.#grammar.shared('value')
    const schema = parse(schemaObject, raw, at)
    const used = new Set<string>()
    const take = (key: string): unknown => {
      used.add(key)
      return schema[key]
    }
    const body = this.#body(schema, take, at, depth)
    for (const key of Object.keys(schema))
      if (!used.has(key) && !annotations.has(key)) throw bad(`${at}/${key}`, 'this keyword is not supported here')
    return body
  }

  #body(schema: Record<string, unknown>, take: (key: string) => unknown, at: string, depth: number): string {
    if (schema.$ref !== undefined) return this.#reference(parse(z.string(), take('$ref'), `${at}/$ref`), at, depth + 1)
    for (const key of ['const', 'enum'] as const) {
      if (schema[key] === undefined) continue
      const given = key === 'const' ? [take(key)] : take(key)
      const values = parse(z.array(z.unknown()).min(1).max(mostRepeats), given, `${at}/${key}`)
      const type = take('type')
      const types = type === undefined ? undefined : typesOf(schema, type, at)
      const valid = values.filter((value) => types === undefined || types.some((one) => isOfType(value, one)))
      if (valid.length === 0) throw bad(`${at}/${key}`, 'no value there is of its type')
      return valid.map((value) => literal(JSON.stringify(value))).join(' | ')
    }
    for (const key of ['anyOf', 'oneOf', 'allOf'] as const) {
      if (schema[key] === undefined) continue
      const most = key === 'allOf' ? 1 : mostRepeats
      const options = parse(
        z.array(z.unknown()).min(1).max(most, `${key} of several is not supported.`),
        take(key),
        `${at}/${key}`,
      )
      return options.map((option, index) => this.#rule(option, `${at}/${key}/${index}`, depth)).join(' | ')
    }
    const types = typesOf(schema, take('type'), at)
    return types.map((type) => this.#typed(type, schema, take, at, depth)).join(' | ')
  }

  #rule(raw: unknown, at: string, depth: number): string {
    const name = this.#grammar.reserve()
    this.#grammar.define(name, this.#value(raw, at, depth + 1))
    return name
  }

  #typed(type: TypeName, schema: Record<string, unknown>, take: (key: string) => unknown, at: string, depth: number): string {
    if (type === 'string') return this.#string(take, at)
    if (type === 'array') return this.#array(schema, take, at, depth)
    if (type === 'object') return this.#object(take, at, depth)
    if (type === 'integer' || type === 'number') return this.#number(type, take, at)
    return this.#grammar.shared(type)
  }

  #string(take: (key: string) => unknown, at: string): string {
    const format = take('format')
    const [least, most] = bounds(take, 'minLength', 'maxLength', at)
    if (format !== undefined) {
      const known = format === 'date-time' ? `${formats.date} "T" ${formats.time}` : formats[String(format)]
      if (known === undefined || least > 0 || most !== undefined) throw bad(`${at}/format`, 'this format is not supported here')
      return `"\\"" ${known} "\\""`
    }
    if (least === 0 && most === undefined) return this.#grammar.shared('string')
    return `"\\"" ${this.#grammar.shared('char')}{${least},${most ?? ''}} "\\""`
  }

  #number(type: 'integer' | 'number', take: (key: string) => unknown, at: string): string {
    const low = tighter(take, 'minimum', 'exclusiveMinimum', at, (one, other) => one.value > other.value)
    const high = tighter(take, 'maximum', 'exclusiveMaximum', at, (one, other) => one.value < other.value)
    if (low === undefined && high === undefined) return this.#grammar.shared(type)
    if (type === 'number')
      for (const { key, value } of [low, high].filter((bound) => bound !== undefined))
        if (!Number.isInteger(value)) throw bad(`${at}/${key}`, 'bounds that are no whole number are supported for integers only')
    const found = type === 'integer' ? integersWithin(low, high) : numbersWithin(low, high)
    if (found.length === 0) throw bad(at, 'no number of at most 16 digits lies between its bounds')
    return found.join(' | ')
  }

  #array(schema: Record<string, unknown>, take: (key: string) => unknown, at: string, depth: number): string {
    const ws = this.#grammar.shared('ws')
    const [least, most] = bounds(take, 'minItems', 'maxItems', at)
    const first =
      schema.prefixItems === undefined
        ? []
        : parse(z.array(z.unknown()).max(mostRepeats), take('prefixItems'), `${at}/prefixItems`)
    const items = take('items')
    const fixed = first.map((item, index) => this.#rule(item, `${at}/prefixItems/${index}`, depth))
    if (most !== undefined && most < fixed.length) throw bad(`${at}/maxItems`, 'it is less than the number of prefixItems')
    const head = fixed.join(` ${ws} "," ${ws} `)
    const atLeast = Math.max(0, least - fixed.length)
    const atMost = most === undefined ? undefined : most - fixed.length
    if (items === false || atMost === 0) {
      if (atLeast > 0) throw bad(at, 'the least number of items cannot be reached')
      return `"[" ${ws} ${head} ${ws} "]"`
    }
    const item = items === undefined ? this.#grammar.shared('value') : this.#rule(items, `${at}/items`, depth)
    const more = `(${ws} "," ${ws} ${item})`
    if (fixed.length > 0) return `"[" ${ws} ${head} ${more}{${atLeast},${atMost ?? ''}} ${ws} "]"`
    const rest = `${item} ${more}{${Math.max(0, atLeast - 1)},${atMost === undefined ? '' : atMost - 1}}`
    return `"[" ${ws} ${atLeast === 0 ? `(${rest})?` : rest} ${ws} "]"`
  }

  #object(take: (key: string) => unknown, at: string, depth: number): string {
    const ws = this.#grammar.shared('ws')
    const properties = Object.entries(parse(schemaMap, take('properties') ?? {}, `${at}/properties`))
    const required = new Set(parse(z.array(z.string()), take('required') ?? [], `${at}/required`))
    const others = take('additionalProperties')
    for (const name of required)
      if (!properties.some(([known]) => known === name)) throw bad(`${at}/required`, `"${name}" is not among the properties`)
    const pair = (name: string, value: string): string => `${name} ${ws} ":" ${ws} ${value}`
    if (properties.length === 0) {
      if (others === false) return `"{" ${ws} "}"`
      if (others === undefined || others === true) return this.#grammar.shared('object')
      const one = pair(this.#grammar.shared('string'), this.#rule(others, `${at}/additionalProperties`, depth))
      return `"{" ${ws} (${one} (${ws} "," ${ws} ${one})*)? ${ws} "}"`
    }
    const pairs = properties.map(([name, schema]) => ({
      text: pair(literal(JSON.stringify(name)), this.#rule(schema, `${at}/properties/${name}`, depth)),
      isRequired: required.has(name),
    }))
    // From the last one on: what may follow when nothing was written yet, and what after a property. By name: written out, it would grow by the square.
    let rest = ''
    let tail = ''
    for (const { text, isRequired } of pairs.toReversed()) {
      const first = tail === '' ? text : `${text} ${tail}`
      const name = this.#grammar.reserve()
      this.#grammar.define(name, isRequired ? first : `${first} | ${rest === '' ? '""' : rest}`)
      rest = name
      const next = `(${ws} "," ${ws} ${text})${isRequired ? '' : '?'}`
      const following = this.#grammar.reserve()
      this.#grammar.define(following, tail === '' ? next : `${next} ${tail}`)
      tail = following
    }
    return `"{" ${ws} ${rest} ${ws} "}"`
  }
}

/** Without a type the keywords tell it; without those any value is meant. */
function typesOf(schema: Record<string, unknown>, type: unknown, at: string): readonly TypeName[] {
  if (type !== undefined)
    return parse(z.union([z.array(typeName).min(1), typeName.transform((one) => [one])]), type, `${at}/type`)
  if (schema.properties !== undefined || schema.required !== undefined || schema.additionalProperties !== undefined)
    return ['object']
  if (schema.items !== undefined || schema.prefixItems !== undefined) return ['array']
  return ['object', 'array', 'string', 'number', 'boolean', 'null']
}

function isOfType(value: unknown, type: TypeName): boolean {
  if (type === 'null') return value === null
  if (type === 'array') return Array.isArray(value)
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value)
  if (type === 'integer') return Number.isInteger(value)
  return typeof value === type
}

/** A part of a pointer without the escapes of an address. */
function decoded(part: string, at: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw bad(`${at}/$ref`, 'it is no pointer')
  }
}

function bounds(take: (key: string) => unknown, low: string, high: string, at: string): [number, number | undefined] {
  const least = parse(count.optional(), take(low), `${at}/${low}`) ?? 0
  const most = parse(count.optional(), take(high), `${at}/${high}`)
  if (most !== undefined && most < least) throw bad(`${at}/${high}`, `it is less than ${low}`)
  return [least, most]
}

/** Of the two bounds that may stand at one end the one that lets less through; of equal ones the open one. */
function tighter(
  take: (key: string) => unknown,
  closed: string,
  open: string,
  at: string,
  isTighter: (one: Bound, other: Bound) => boolean,
): (Bound & { readonly key: string }) | undefined {
  const of = (key: string): (Bound & { key: string }) | undefined => {
    const value = parse(z.number().optional(), take(key), `${at}/${key}`)
    return value === undefined ? undefined : { value, isOpen: key === open, key }
  }
  const [inside, outside] = [of(closed), of(open)]
  if (inside === undefined || outside === undefined) return inside ?? outside
  return isTighter(inside, outside) ? inside : outside
}

function parse<T>(schema: z.ZodType<T>, raw: unknown, at: string): T {
  const result = schema.safeParse(raw)
  if (result.success) return result.data
  throw bad(at, result.error.issues[0]?.message ?? 'it is no schema')
}

function bad(at: string, why: string): Failure<'bad-schema'> {
  return new Failure('bad-schema', `The JSON schema cannot be held to${at === '' ? '' : ` at ${at}`}: ${why}`, {
    values: { at, why },
  })
}
