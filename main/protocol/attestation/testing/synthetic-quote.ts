import { createHash, type KeyObject, sign } from 'node:crypto'

/** What goes into a quote. All byte strings have the length of their field. */
export interface QuoteRecipe {
  version: 4 | 5
  bodyType: 'tdx-1.0' | 'tdx-1.5'
  keyType: number
  teeType: number
  vendorId: Uint8Array
  /** Body type and length as they are written in version 5; those of `bodyType`, unless given. */
  writtenBody: { type: number; length: number } | undefined
  teeTcbSvn: Uint8Array
  mrSeam: Uint8Array
  mrSignerSeam: Uint8Array
  seamAttributes: Uint8Array
  tdAttributes: Uint8Array
  xfam: Uint8Array
  mrTd: Uint8Array
  mrConfigId: Uint8Array
  mrOwner: Uint8Array
  mrOwnerConfig: Uint8Array
  rtmrs: [Uint8Array, Uint8Array, Uint8Array, Uint8Array]
  reportData: Uint8Array
  teeTcbSvn2: Uint8Array
  mrServiceTd: Uint8Array
  qe: { miscSelect: Uint8Array; attributes: Uint8Array; mrSigner: Uint8Array; isvProdId: number; isvSvn: number }
  /** Report data of the quoting enclave; the binding of the attestation key, unless given. */
  qeReportData: Uint8Array | undefined
  qeAuthData: Uint8Array
  attestationKey: { publicKey: KeyObject; privateKey: KeyObject }
  /** Makes the signature of the quote; the attestation key, unless given. */
  quoteSigner: KeyObject | undefined
  qeReportSigner: KeyObject
  outerType: number
  innerType: number
  pckChain: string
  padding: Uint8Array
}

/** From the first byte of a part to behind its last. */
export type Regions = Readonly<Record<string, readonly [number, number]>>

/** The bytes of a quote, and where its parts are. */
export function makeQuote(recipe: QuoteRecipe): { readonly bytes: Uint8Array; readonly regions: Regions } {
  const writer = new RegionWriter()
  writeHeader(writer, recipe)
  writeBody(writer, recipe)
  const signedBytes = writer.bytes()
  const xy = pointOf(recipe.attestationKey.publicKey)
  const qeReport = makeQeReport(recipe, xy)
  const inner = new RegionWriter()
  inner.put('QE report', qeReport)
  inner.put('QE report signature', signRaw(qeReport, recipe.qeReportSigner))
  inner.put('QE auth data length', u16(recipe.qeAuthData.length))
  inner.put('QE auth data', recipe.qeAuthData)
  const chain = Buffer.from(recipe.pckChain, 'latin1')
  inner.put('chain type', u16(recipe.innerType))
  inner.put('chain length', u32(chain.length))
  inner.put('chain', chain)
  const innerBytes = inner.bytes()
  writer.put('signature data length', u32(64 + 64 + 6 + innerBytes.length))
  writer.put('quote signature', signRaw(signedBytes, recipe.quoteSigner ?? recipe.attestationKey.privateKey))
  writer.put('attestation key', xy)
  writer.put('certification type', u16(recipe.outerType))
  writer.put('certification length', u32(innerBytes.length))
  writer.append(inner)
  writer.put('padding', recipe.padding)
  return { bytes: writer.bytes(), regions: writer.regions }
}

/** x and y of a P-256 key, 32 bytes each. */
export function pointOf(key: KeyObject): Uint8Array {
  return new Uint8Array(key.export({ format: 'der', type: 'spki' }).subarray(-64))
}

export function signRaw(bytes: Uint8Array, key: KeyObject): Uint8Array {
  return new Uint8Array(sign('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' }))
}

function writeHeader(writer: RegionWriter, recipe: QuoteRecipe): void {
  writer.put('version', u16(recipe.version))
  writer.put('key type', u16(recipe.keyType))
  writer.put('TEE type', u32(recipe.teeType))
  writer.put('header reserved', new Uint8Array(4))
  writer.put('vendor', recipe.vendorId)
  writer.put('user data', new Uint8Array(20).fill(0x55))
}

function writeBody(writer: RegionWriter, recipe: QuoteRecipe): void {
  const isNewer = recipe.bodyType === 'tdx-1.5'
  if (recipe.version === 5) {
    const written = recipe.writtenBody ?? { type: isNewer ? 3 : 2, length: isNewer ? 648 : 584 }
    writer.put('body type', u16(written.type))
    writer.put('body length', u32(written.length))
  }
  for (const field of ['teeTcbSvn', 'mrSeam', 'mrSignerSeam', 'seamAttributes', 'tdAttributes', 'xfam'] as const)
    writer.put(field, recipe[field])
  for (const field of ['mrTd', 'mrConfigId', 'mrOwner', 'mrOwnerConfig'] as const) writer.put(field, recipe[field])
  for (const [i, rtmr] of recipe.rtmrs.entries()) writer.put(`rtmr${i}`, rtmr)
  writer.put('reportData', recipe.reportData)
  if (!isNewer) return
  writer.put('teeTcbSvn2', recipe.teeTcbSvn2)
  writer.put('mrServiceTd', recipe.mrServiceTd)
}

function makeQeReport({ qe, qeReportData, qeAuthData }: QuoteRecipe, attestationKey: Uint8Array): Uint8Array {
  const binding = createHash('sha256').update(attestationKey).update(qeAuthData).digest()
  return new Uint8Array(
    Buffer.concat([
      new Uint8Array(16).fill(2),
      qe.miscSelect,
      new Uint8Array(28),
      qe.attributes,
      new Uint8Array(32).fill(0xee),
      new Uint8Array(32),
      qe.mrSigner,
      new Uint8Array(96),
      u16(qe.isvProdId),
      u16(qe.isvSvn),
      new Uint8Array(60),
      qeReportData ?? Buffer.concat([binding, new Uint8Array(32)]),
    ]),
  )
}

class RegionWriter {
  readonly #parts: Uint8Array[] = []
  readonly #regions: Record<string, readonly [number, number]> = {}
  #at = 0

  put(name: string, bytes: Uint8Array): void {
    this.#parts.push(bytes)
    this.#regions[name] = [this.#at, this.#at + bytes.length]
    this.#at += bytes.length
  }

  append(other: RegionWriter): void {
    for (const [name, [from, to]] of Object.entries(other.regions)) this.#regions[name] = [this.#at + from, this.#at + to]
    const bytes = other.bytes()
    this.#parts.push(bytes)
    this.#at += bytes.length
  }

  get regions(): Regions {
    return this.#regions
  }

  bytes(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.#parts))
  }
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16LE(value)
  return bytes
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
