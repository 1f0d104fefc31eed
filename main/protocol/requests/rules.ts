import { JsonNumber, type JsonObject, type JsonValue } from './json-text.ts'

/** What is wrong with the value of a field, in the words that go on the wire; undefined where nothing is. */
export type Rule = (name: string, value: JsonValue) => string | undefined

const isInteger = (value: JsonValue): value is JsonNumber => value instanceof JsonNumber && /^-?\d+$/.test(value.text)

export const any: Rule = () => undefined
export const boolean: Rule = (name, value) => (typeof value === 'boolean' ? undefined : `${name} must be a boolean`)
export const string: Rule = (name, value) => (typeof value === 'string' ? undefined : `${name} must be a string`)
export const number: Rule = (name, value) => (value instanceof JsonNumber ? undefined : `${name} must be a number`)
export const integer: Rule = (name, value) => (isInteger(value) ? undefined : `${name} must be a number`)
export const array: Rule = (name, value) => (Array.isArray(value) ? undefined : `${name} must be an array`)
export const object: Rule = (name, value) => (value instanceof Map ? undefined : `${name} must be an object`)
export const stringOrArray: Rule = (name, value) =>
  Array.isArray(value) || typeof value === 'string' ? undefined : `${name} must be an array or a string`
export const unsigned: Rule = (name, value) => {
  if (!isInteger(value)) return `${name} must be a number`
  return value.text.startsWith('-') && value.text !== '-0' ? `${name} must be non-negative` : undefined
}
export const positive: Rule = (name, value) => {
  if (!isInteger(value)) return `${name} must be a number`
  // Judged by its text: to compute a number of a million digits takes seconds.
  return value.text.startsWith('-') || !/[1-9]/.test(value.text) ? `${name} must be positive` : undefined
}
export const penalty: Rule = (name, value) => {
  if (!(value instanceof JsonNumber)) return `${name} must be a number`
  return Math.abs(Number(value.text)) <= 2 ? undefined : `${name} must be between -2.0 and 2.0`
}
/** Both limits of a chat request are reported under one name (vectors, request_validation). */
export const completionLimit: Rule = (_name, value) => unsigned('max_completion_tokens', value)

export const arrayOf =
  (item: Rule): Rule =>
  (name, value) => {
    if (!Array.isArray(value)) return `${name} must be an array`
    for (const [i, one] of value.entries()) {
      const wrong = item(`${name}[${i}]`, one)
      if (wrong !== undefined) return wrong
    }
    return undefined
  }

/** The named fields of an object; others may stand beside them. */
export const objectWith =
  (fields: Readonly<Record<string, Rule>>, required: readonly string[] = []): Rule =>
  (name, value) => {
    if (!(value instanceof Map)) return `${name} must be an object`
    for (const field of required) if (!value.has(field)) return `missing required field '${field}' in ${name}`
    return wrongField(name, value, fields)
  }

export function wrongField(name: string, value: JsonObject, fields: Readonly<Record<string, Rule>>): string | undefined {
  for (const [field, rule] of Object.entries(fields)) {
    const item = value.get(field)
    const wrong = item === undefined ? undefined : rule(`${name}.${field}`, item)
    if (wrong !== undefined) return wrong
  }
  return undefined
}

/** An object of switches, none but these. */
export const booleans =
  (where: string, allowed: readonly string[], unknown: (key: string) => string): Rule =>
  (name, value) => {
    if (!(value instanceof Map)) return `${name} must be an object`
    for (const [key, item] of value) {
      if (!allowed.includes(key)) return unknown(key)
      const wrong = boolean(`${where}.${key}`, item)
      if (wrong !== undefined) return wrong
    }
    return undefined
  }
