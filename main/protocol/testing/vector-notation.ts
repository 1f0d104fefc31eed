import { type Layout, type Plan, plans } from '../tl/plan.ts'

/**
 * A decoded object in the notation of the golden files, with numbers as the text `number 5`: fields by name, `bytes` as `{"hex"}`, int256 as
 * hex, absent fields left out.
 */
export function inNotation(value: object, known: ReadonlyMap<string, Plan> = plans): Record<string, unknown> {
  const fields: Readonly<Record<string, unknown>> = { ...value }
  const out: Record<string, unknown> = { '@type': fields['@type'] }
  for (const { name, layout } of known.get(String(fields['@type']))?.fields ?? []) {
    if (name in fields) out[name] = itemInNotation(layout, fields[name], known)
  }
  return out
}

function itemInNotation(layout: Layout, value: unknown, known: ReadonlyMap<string, Plan>): unknown {
  switch (layout.kind) {
    case 'int256':
      return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : 'no bytes'
    case 'bytes':
      return value instanceof Uint8Array ? { hex: Buffer.from(value).toString('hex') } : 'no bytes'
    case 'vector':
      return Array.isArray(value) ? value.map((item) => itemInNotation(layout.item, item, known)) : 'no array'
    case 'bare':
    case 'boxed':
      return typeof value === 'object' && value !== null ? inNotation(value, known) : 'no object'
    case 'bool':
    case 'string':
      return value
    default:
      return `number ${String(value)}`
  }
}

/** A golden value with its numbers in one spelling (13.0 and 13 are the same double) and without what was added for readers. */
export function comparable(value: unknown): unknown {
  if (typeof value === 'string' && value.startsWith('number ')) return spelled(value.slice('number '.length))
  if (Array.isArray(value)) return value.map(comparable)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !/_(decoded|text)$/.test(name))
      .map(([name, item]) => [name, comparable(item)]),
  )
}

function spelled(number: string): string {
  return /^-?\d+$/.test(number) ? `number ${number}` : `number ${Number(number)}`
}
