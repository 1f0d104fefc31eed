import { compileSchema, type Plan } from '../tl/plan.ts'
import { TlReader } from '../tl/reader.ts'
import { declarations } from '../tl/schema.ts'
import { TlWriter } from '../tl/writer.ts'
import { offWireDeclarations } from './off-wire-schema.ts'

/** Everything that the golden files may hold. */
export const wholeSchema: ReadonlyMap<string, Plan> = compileSchema([...declarations, ...offWireDeclarations])
const byId: ReadonlyMap<number, Plan> = new Map([...wholeSchema.values()].map((plan) => [plan.id, plan]))

/** A boxed object of any type, fields by name. Throws TlError. */
export function readAny(bytes: Uint8Array): Record<string, unknown> {
  const reader = new TlReader(bytes)
  const value = reader.boxed(byId, 'object of the schema')
  reader.end()
  return value
}

/** Throws TlError; TypeError for an unknown `@type`. */
export function writeAny(value: Readonly<Record<string, unknown>>): Uint8Array {
  const plan = wholeSchema.get(String(value['@type']))
  if (plan === undefined) throw new TypeError(`no type ${String(value['@type'])}`)
  const writer = new TlWriter(0, 16)
  writer.boxed(plan, value)
  return writer.finish()
}
