import { boolFalseId, boolTrueId, type Layout, type Plan } from './plan.ts'
import { TlError } from './tl-error.ts'

const text = new TextEncoder()
const longLimit = 2n ** 63n
/** Smaller objects share memory that is taken in pieces of this size: taking some for each would cost more than writing it. */
const slabBytes = 64 * 1024

interface Slab {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly view: DataView
  /** Everything before it belongs to objects that were written earlier. */
  free: number
}

function newSlab(length: number): Slab {
  const bytes = new Uint8Array(length)
  return { bytes, view: new DataView(bytes.buffer), free: 0 }
}

/** The slab that nobody writes into at present. */
let idle: Slab | undefined

/** Memory that grows while a TL object is written into it. */
export class TlWriter {
  #slab: Slab
  #start: number
  #at: number

  /** `headroom` bytes are left free at the start, for a header written later. */
  constructor(headroom: number, sizeHint: number) {
    const wanted = headroom + sizeHint
    const slab = idle
    if (slab !== undefined && slab.bytes.length - slab.free >= wanted) {
      idle = undefined
      this.#slab = slab
    } else this.#slab = newSlab(Math.max(slabBytes, wanted))
    this.#start = this.#slab.free
    this.#at = this.#start + headroom
  }

  /** What was written, headroom included, and `tailroom` zero bytes. The writer must not be used afterwards. */
  finish(tailroom = 0): Uint8Array<ArrayBuffer> {
    if (tailroom > 0) this.#take(tailroom)
    const slab = this.#slab
    const { buffer } = slab.bytes
    // The next object begins aligned.
    slab.free = (this.#at + 7) & ~7
    // A large slab was made for this object alone; the small one goes on.
    if (slab.bytes.length === slabBytes) idle = slab
    return new Uint8Array(buffer, this.#start, this.#at - this.#start)
  }

  boxed(plan: Plan, value: Readonly<Record<string, unknown>>): void {
    this.#u32(plan.id)
    this.bare(plan, value)
  }

  bare(plan: Plan, value: Readonly<Record<string, unknown>>): void {
    const { fields } = plan
    let flags = 0
    for (let index = 0; index < fields.length; index++) {
      const field = fields[index]
      if (field === undefined) return
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
        this.#slab.view.setBigInt64(at, value, true)
        return true
      }
      case 'double': {
        if (typeof value !== 'number') return false
        const at = this.#take(8)
        this.#slab.view.setFloat64(at, value, true)
        return true
      }
      case 'int256': {
        if (!(value instanceof Uint8Array) || value.length !== 32) return false
        const at = this.#take(32)
        this.#slab.bytes.set(value, at)
        return true
      }
      case 'bool':
        if (typeof value !== 'boolean') return false
        this.#u32(value ? boolTrueId : boolFalseId)
        return true
      case 'string':
        if (typeof value !== 'string') return false
        if (!this.#shortText(value)) this.#data(text.encode(value))
        return true
      case 'bytes':
        if (!(value instanceof Uint8Array)) return false
        this.#data(value)
        return true
      case 'vector':
        if (!Array.isArray(value)) return false
        this.#u32(value.length)
        for (const item of value) if (!this.#item(layout.item, item)) return false
        return true
      case 'bare':
        if (!isObject(value) || value['@type'] !== layout.plan.name) return false
        this.bare(layout.plan, value)
        return true
      case 'boxed': {
        if (!isObject(value)) return false
        const plan = layout.byName.get(String(value['@type']))
        if (plan === undefined) return false
        this.boxed(plan, value)
        return true
      }
    }
  }

  /** Writes text of less than 254 ASCII characters, letter by letter. False when it is longer or other text: nothing was written. */
  #shortText(value: string): boolean {
    const { length } = value
    if (length > 253) return false
    const before = this.#at
    const at = this.#take((length + 4) & ~3)
    const { bytes } = this.#slab
    for (let index = 0; index < length; index++) {
      const code = value.charCodeAt(index)
      if (code > 0x7f) {
        bytes.fill(0, at, this.#at)
        this.#at = before
        return false
      }
      bytes[at + 1 + index] = code
    }
    bytes[at] = length
    return true
  }

  #data(data: Uint8Array): void {
    const length = data.length
    const header = length < 254 ? 1 : 4
    if (length >= 2 ** 24) throw new TlError('tl-bad-value', `${length} bytes do not fit into one frame`)
    const at = this.#take((header + length + 3) & ~3)
    const { bytes, view } = this.#slab
    if (header === 1) bytes[at] = length
    else view.setUint32(at, length * 256 + 0xfe, true)
    bytes.set(data, at + header)
  }

  #u32(value: number): void {
    const at = this.#take(4)
    this.#slab.view.setUint32(at, value, true)
  }

  #take(length: number): number {
    const at = this.#at
    const end = at + length
    if (end > this.#slab.bytes.length) return this.#grow(length)
    this.#at = end
    return at
  }

  #grow(length: number): number {
    const { bytes } = this.#slab
    const written = this.#at - this.#start
    const grown = newSlab(Math.max(written + length, 2 * written, slabBytes))
    grown.bytes.set(bytes.subarray(this.#start, this.#at))
    this.#slab = grown
    this.#start = 0
    this.#at = written + length
    return written
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
