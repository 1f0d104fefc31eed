import { boolFalseId, boolTrueId, type Layout, type Plan } from './plan.ts'
import { TlError } from './tl-error.ts'

const text = new TextEncoder()
const longLimit = 2n ** 63n

/** A buffer that grows while a TL object is written into it. */
export class TlWriter {
  #bytes: Uint8Array<ArrayBuffer>
  #view: DataView
  #at: number

  /** `headroom` bytes are left free at the start, for a header written later. */
  constructor(headroom: number, sizeHint: number) {
    this.#bytes = new Uint8Array(headroom + sizeHint)
    this.#view = new DataView(this.#bytes.buffer)
    this.#at = headroom
  }

  /** What was written, headroom included. The writer must not be used afterwards. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#at)
  }

  boxed(plan: Plan, value: Readonly<Record<string, unknown>>): void {
    this.#u32(plan.id)
    this.bare(plan, value)
  }

  bare(plan: Plan, value: Readonly<Record<string, unknown>>): void {
    let flags = 0
    for (const field of plan.fields) {
      const item = value[field.name]
      if (field.bit !== undefined) {
        const wanted = ((flags >>> field.bit) & 1) === 1
        if (wanted !== (item !== undefined))
          throw new TlError(
            'tl-bad-value',
            `${plan.name}.${field.name} must be ${wanted ? 'present' : 'absent'}: see its bit in flags`,
          )
        if (!wanted) continue
      }
      if (!this.#item(field.layout, item))
        throw new TlError('tl-bad-value', `${plan.name}.${field.name} is no ${field.layout.kind}`)
      if (field.layout.kind === 'nat') flags = Number(item)
    }
  }

  #item(layout: Layout, value: unknown): boolean {
    switch (layout.kind) {
      case 'int':
        if (typeof value !== 'number' || !Number.isInteger(value) || value < -0x8000_0000 || value > 0x7fff_ffff) return false
        this.#u32(value)
        return true
      case 'nat':
        if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > 0xffff_ffff) return false
        this.#u32(value)
        return true
      case 'long': {
        if (typeof value !== 'bigint' || value < -longLimit || value >= longLimit) return false
        const at = this.#take(8)
        this.#view.setBigInt64(at, value, true)
        return true
      }
      case 'double': {
        if (typeof value !== 'number') return false
        const at = this.#take(8)
        this.#view.setFloat64(at, value, true)
        return true
      }
      case 'int256': {
        if (!(value instanceof Uint8Array) || value.length !== 32) return false
        const at = this.#take(32)
        this.#bytes.set(value, at)
        return true
      }
      case 'bool':
        if (typeof value !== 'boolean') return false
        this.#u32(value ? boolTrueId : boolFalseId)
        return true
      case 'string':
        if (typeof value !== 'string') return false
        this.#data(text.encode(value))
        return true
      case 'bytes':
        if (!(value instanceof Uint8Array)) return false
        this.#data(value)
        return true
      case 'vector':
        if (!Array.isArray(value)) return false
        this.#u32(value.length)
        return value.every((item) => this.#item(layout.item, item))
      case 'bare':
        if (!isObject(value) || value['@type'] !== layout.plan.name) return false
        this.bare(layout.plan, value)
        return true
      case 'boxed': {
        if (!isObject(value)) return false
        for (const plan of layout.byId.values()) {
          if (plan.name !== value['@type']) continue
          this.boxed(plan, value)
          return true
        }
        return false
      }
    }
  }

  #data(data: Uint8Array): void {
    const length = data.length
    const header = length < 254 ? 1 : 4
    if (length >= 2 ** 24) throw new TlError('tl-bad-value', `${length} bytes do not fit into one frame`)
    const at = this.#take((header + length + 3) & ~3)
    if (header === 1) this.#bytes[at] = length
    else this.#view.setUint32(at, length * 256 + 0xfe, true)
    this.#bytes.set(data, at + header)
  }

  #u32(value: number): void {
    const at = this.#take(4)
    this.#view.setUint32(at, value, true)
  }

  #take(length: number): number {
    const at = this.#at
    const end = at + length
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.#bytes.length * 2))
      grown.set(this.#bytes.subarray(0, at))
      this.#bytes = grown
      this.#view = new DataView(grown.buffer)
    }
    this.#at = end
    return at
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
