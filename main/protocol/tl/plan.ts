import { crc32 } from 'node:zlib'
import { declarations } from './schema.ts'

/** How one value is laid out on the wire. */
export type Layout =
  | { readonly kind: 'int' | 'nat' | 'long' | 'double' | 'int256' | 'string' | 'bytes' | 'bool' }
  | { readonly kind: 'vector'; readonly item: Layout; readonly itemLeastBytes: number }
  | { readonly kind: 'bare'; readonly plan: Plan }
  | {
      readonly kind: 'boxed'
      readonly result: string
      readonly byId: ReadonlyMap<number, Plan>
      readonly byName: ReadonlyMap<string, Plan>
    }

export interface Field {
  readonly name: string
  /** The field is present when this bit of `flags` is set; undefined = always. */
  readonly bit: number | undefined
  readonly layout: Layout
}

/** One constructor or function, ready for the codec. */
export interface Plan {
  readonly name: string
  readonly id: number
  readonly result: string
  readonly fields: readonly Field[]
  /** Fewest bytes that the fields take (without the id). */
  readonly leastBytes: number
}

const simple: Readonly<
  Record<string, { kind: 'int' | 'nat' | 'long' | 'double' | 'int256' | 'string' | 'bytes' | 'bool'; bytes: number }>
> = {
  int: { kind: 'int', bytes: 4 },
  '#': { kind: 'nat', bytes: 4 },
  long: { kind: 'long', bytes: 8 },
  double: { kind: 'double', bytes: 8 },
  int256: { kind: 'int256', bytes: 32 },
  string: { kind: 'string', bytes: 4 },
  bytes: { kind: 'bytes', bytes: 4 },
  Bool: { kind: 'bool', bytes: 4 },
}

/** Id of a declaration: the explicit one, or CRC-32 of the text without parentheses (20 §3). */
export function constructorId(declaration: string): number {
  const explicit = /^[\w.]+#([0-9a-f]{8}) /.exec(declaration)?.[1]
  return explicit === undefined ? crc32(declaration.replaceAll(/[()]/g, '')) : Number.parseInt(explicit, 16)
}

/** Plans of TL declarations that know only each other. Throws TypeError for what is no declaration. */
export function compileSchema(all: readonly string[]): ReadonlyMap<string, Plan> {
  const plans = new Map<string, Plan>()
  const texts = new Map<string, { declaration: string; result: string; fields: string }>()
  for (const declaration of all) {
    const parts = /^([\w.]+)(?:#[0-9a-f]{8})? (.*)= ([\w.]+)$/.exec(declaration)
    if (!parts) throw new TypeError(`not a TL declaration: ${declaration}`)
    const [, name = '', fields = '', result = ''] = parts
    texts.set(name, { declaration, result, fields })
  }

  const planOf = (name: string): Plan => {
    const known = plans.get(name)
    if (known) return known
    const text = texts.get(name)
    if (!text) throw new TypeError(`no TL declaration of ${name}`)
    const fields: Field[] = []
    let leastBytes = 0
    for (const [, field = '', bit, type = ''] of text.fields.matchAll(/(\w+):(?:flags\.(\d+)\?)?(\([^)]*\)|\S+)/g)) {
      const { layout, bytes } = layoutOf(type)
      if (bit === undefined) leastBytes += bytes
      fields.push({ name: field, bit: bit === undefined ? undefined : Number(bit), layout })
    }
    const plan = { name, id: constructorId(text.declaration), result: text.result, fields, leastBytes }
    plans.set(name, plan)
    return plan
  }

  const layoutOf = (type: string): { layout: Layout; bytes: number } => {
    const item = /^\(vector (.+)\)$/.exec(type)?.[1]
    if (item !== undefined) {
      const { layout, bytes } = layoutOf(item)
      return { layout: { kind: 'vector', item: layout, itemLeastBytes: bytes }, bytes: 4 }
    }
    const basic = simple[type]
    if (basic) return { layout: { kind: basic.kind }, bytes: basic.bytes }
    if (texts.has(type)) {
      const plan = planOf(type)
      return { layout: { kind: 'bare', plan }, bytes: plan.leastBytes }
    }
    const members = [...texts].filter(([, text]) => text.result === type).map(([name]) => planOf(name))
    if (members.length === 0) throw new TypeError(`no TL type ${type}`)
    return {
      layout: {
        kind: 'boxed',
        result: type,
        byId: new Map(members.map((plan) => [plan.id, plan])),
        byName: new Map(members.map((plan) => [plan.name, plan])),
      },
      bytes: 4,
    }
  }

  for (const name of texts.keys()) planOf(name)
  return plans
}

/** Every declaration of the schema by name. */
export const plans = compileSchema(declarations)

const idOf = (name: string): number => plans.get(name)?.id ?? 0
export const boolTrueId = idOf('boolTrue')
export const boolFalseId = idOf('boolFalse')
