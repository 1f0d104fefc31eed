import { boolFalseId, boolTrueId, type Layout, type Plan } from './plan.ts'
import { TlError } from './tl-error.ts'

const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** More elements than any honest peer sends. Keeps a 16 MiB frame of empty elements from becoming gigabytes of objects. */
const mostElements = 65_536

/** Reads TL objects from bytes of a peer. Everything it returns is a copy, so the bytes may be reused. */
export class TlReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 0

  constructor(bytes: Uint8Array) {
    // A plain view: slice() of a Buffer would share memory instead of copying.
    this.#bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** Reads the id and then the object of that id, if it is among `allowed`. */
  boxed(allowed: ReadonlyMap<number, Plan>, wanted: string): Record<string, unknown> {
    const at = this.#at
    const id = this.#u32()
    const plan = allowed.get(id)
    if (!plan)
      throw new TlError('tl-unexpected-constructor', `constructor ${id.toString(16).padStart(8, '0')} is no ${wanted}`, at)
    return this.#bare(plan)
  }

  end(): void {
    const left = this.#bytes.length - this.#at
    if (left !== 0) throw new TlError('tl-leftover', `${left} bytes too many`, this.#at)
  }

  #bare(plan: Plan): Record<string, unknown> {
    const value: Record<string, unknown> = { '@type': plan.name }
    let flags = 0
    for (const field of plan.fields) {
      if (field.bit !== undefined && ((flags >>> field.bit) & 1) === 0) continue
      const item = this.#item(field.layout)
      if (field.layout.kind === 'nat') flags = Number(item)
      value[field.name] = item
    }
    return value
  }

  #item(layout: Layout): unknown {
    switch (layout.kind) {
      case 'int':
        return this.#view.getInt32(this.#take(4), true)
      case 'nat':
        return this.#u32()
      case 'long':
        return this.#view.getBigInt64(this.#take(8), true)
      case 'double':
        return this.#view.getFloat64(this.#take(8), true)
      case 'int256': {
        const at = this.#take(32)
        return this.#bytes.slice(at, at + 32)
      }
      case 'bool': {
        const at = this.#at
        const id = this.#u32()
        if (id !== boolTrueId && id !== boolFalseId) throw new TlError('tl-unexpected-constructor', 'no Bool', at)
        return id === boolTrueId
      }
      case 'string': {
        const [from, to] = this.#data()
        try {
          return text.decode(this.#bytes.subarray(from, to))
        } catch {
          throw new TlError('tl-bad-text', 'string is not UTF-8', from)
        }
      }
      case 'bytes':
        return this.#bytes.slice(...this.#data())
      case 'vector': {
        const at = this.#at
        const count = this.#u32()
        if (count * layout.itemLeastBytes > this.#bytes.length - this.#at)
          throw new TlError('tl-truncated', `no room for ${count} elements`, at)
        if (count > mostElements) throw new TlError('tl-too-many', `${count} elements`, at)
        return Array.from({ length: count }, () => this.#item(layout.item))
      }
      case 'bare':
        return this.#bare(layout.plan)
      case 'boxed':
        return this.boxed(layout.byId, layout.result)
    }
  }

  /** Start and end of the content of a `string` or `bytes`; any of the three headers is taken, as by the reference (20 §1). */
  #data(): [number, number] {
    const start = this.#at
    const first = this.#bytes[this.#take(4)] ?? 0
    let length = first
    let from = start + 1
    if (first === 0xfe) {
      length = this.#view.getUint32(start, true) >>> 8
      from = start + 4
    } else if (first === 0xff) {
      this.#take(4)
      length = (this.#view.getUint32(start, true) >>> 8) + this.#view.getUint32(start + 4, true) * 2 ** 24
      from = start + 8
    }
    const end = from + length
    const padded = start + Math.ceil((end - start) / 4) * 4
    if (padded > this.#bytes.length) throw new TlError('tl-truncated', `no room for ${length} bytes`, start)
    this.#at = padded
    return [from, end]
  }

  #u32(): number {
    return this.#view.getUint32(this.#take(4), true)
  }

  #take(length: number): number {
    const at = this.#at
    if (at + length > this.#bytes.length) throw new TlError('tl-truncated', `${length} bytes expected`, at)
    this.#at = at + length
    return at
  }
}
