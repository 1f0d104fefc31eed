import { boolFalseId, boolTrueId, type Layout, type Plan } from './plan.ts'
import { TlError } from './tl-error.ts'

const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** More elements than any honest peer sends. Keeps a 16 MiB frame of empty elements from becoming gigabytes of objects. */
const mostElements = 65_536
/** Up to this length text is looked through for anything but ASCII, which is quicker than a call of the decoder. */
const shortText = 64

/** For the bits of a double. */
const eightBytes = new Uint8Array(8)
const asDouble = new DataView(eightBytes.buffer)

/** Reads TL objects from bytes of a peer. */
export class TlReader {
  readonly #bytes: Uint8Array
  readonly #shares: boolean
  /** The same bytes, for the quick way to ASCII text. */
  #letters: Buffer | undefined
  #at = 0

  /**
   * @param options.share `bytes` and `int256` values are views of the given bytes. By default everything is a copy, so the given bytes may be
   * reused.
   */
  constructor(bytes: Uint8Array, options: { readonly share: boolean } = { share: false }) {
    // A plain view: slice() of a Buffer would share memory instead of copying.
    this.#bytes = bytes.constructor === Uint8Array ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#shares = options.share
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
    const { fields } = plan
    const value: Record<string, unknown> = { '@type': plan.name }
    let flags = 0
    for (let index = 0; index < fields.length; index++) {
      const field = fields[index]
      if (field === undefined) break
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
        return this.#u32() | 0
      case 'nat':
        return this.#u32()
      case 'long':
        return this.#long()
      case 'double':
        return this.#double()
      case 'int256': {
        const at = this.#take(32)
        return this.#part(at, at + 32)
      }
      case 'bool': {
        const at = this.#at
        const id = this.#u32()
        if (id !== boolTrueId && id !== boolFalseId) throw new TlError('tl-unexpected-constructor', 'no Bool', at)
        return id === boolTrueId
      }
      case 'string':
        return this.#string()
      case 'bytes': {
        const from = this.#data()
        return this.#part(from, from + this.#length)
      }
      case 'vector': {
        const at = this.#at
        const count = this.#u32()
        if (count * layout.itemLeastBytes > this.#bytes.length - this.#at)
          throw new TlError('tl-truncated', `no room for ${count} elements`, at)
        if (count > mostElements) throw new TlError('tl-too-many', `${count} elements`, at)
        const items: unknown[] = []
        for (let index = 0; index < count; index++) items.push(this.#item(layout.item))
        return items
      }
      case 'bare':
        return this.#bare(layout.plan)
      case 'boxed':
        return this.boxed(layout.byId, layout.result)
    }
  }

  #part(from: number, to: number): Uint8Array {
    return this.#shares ? this.#bytes.subarray(from, to) : this.#bytes.slice(from, to)
  }

  #string(): string {
    const from = this.#data()
    const to = from + this.#length
    if (this.#length <= shortText) {
      const short = this.#ascii(from, to)
      if (short !== undefined) return short
    }
    try {
      return text.decode(this.#bytes.subarray(from, to))
    } catch {
      throw new TlError('tl-bad-text', 'string is not UTF-8', from)
    }
  }

  /** Undefined when a byte is no ASCII letter. */
  #ascii(from: number, to: number): string | undefined {
    const bytes = this.#bytes
    for (let at = from; at < to; at++) if ((bytes[at] ?? 0x80) > 0x7f) return undefined
    this.#letters ??= Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    return this.#letters.toString('latin1', from, to)
  }

  /** Length of what `#data` found last. */
  #length = 0

  /** Start of the content of a `string` or `bytes`; any of the three headers is taken, as by the reference (20 §1). */
  #data(): number {
    const start = this.#at
    const header = this.#u32()
    const first = header & 0xff
    let length = first
    let from = start + 1
    if (first === 0xfe) {
      length = header >>> 8
      from = start + 4
    } else if (first === 0xff) {
      length = (header >>> 8) + this.#u32() * 2 ** 24
      from = start + 8
    }
    const end = from + length
    const padded = start + Math.ceil((end - start) / 4) * 4
    if (padded > this.#bytes.length) throw new TlError('tl-truncated', `no room for ${length} bytes`, start)
    this.#at = padded
    this.#length = length
    return from
  }

  #long(): bigint {
    const at = this.#take(8)
    const low = this.#u32At(at)
    const high = this.#u32At(at + 4)
    // Almost every number on the wire is small.
    if (high === 0) return BigInt(low)
    return BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low))
  }

  #double(): number {
    const at = this.#take(8)
    for (let index = 0; index < 8; index++) eightBytes[index] = this.#bytes[at + index] ?? 0
    return asDouble.getFloat64(0, true)
  }

  #u32(): number {
    return this.#u32At(this.#take(4))
  }

  #u32At(at: number): number {
    const bytes = this.#bytes
    return ((bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24)) >>> 0
  }

  #take(length: number): number {
    const at = this.#at
    if (at + length > this.#bytes.length) throw new TlError('tl-truncated', `${length} bytes expected`, at)
    this.#at = at + length
    return at
  }
}
