/** One element of DER (X.690): certificates and revocation lists are made of them. */
export interface DerElement {
  readonly tag: number
  readonly content: Uint8Array
  /** With tag and length. */
  readonly whole: Uint8Array
}

export const derTags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
  explicit0: 0xa0,
  explicit3: 0xa3,
} as const

/** The elements in a row of bytes. @throws TypeError on anything that is not DER */
export function readDerList(bytes: Uint8Array): DerElement[] {
  const elements: DerElement[] = []
  for (let at = 0; at < bytes.length; ) {
    const element = readAt(bytes, at)
    elements.push(element)
    at += element.whole.length
  }
  return elements
}

/** The one element that fills the bytes. @throws TypeError */
export function readDer(bytes: Uint8Array, tag?: number): DerElement {
  const element = readAt(bytes, 0)
  if (element.whole.length !== bytes.length) throw new TypeError('bytes behind a DER element')
  return tag === undefined ? element : expectTag(element, tag)
}

/** The elements inside a constructed one. @throws TypeError */
export function childrenOf(element: DerElement | undefined, tag: number): DerElement[] {
  return readDerList(expectTag(element, tag).content)
}

/** @throws TypeError */
export function expectTag(element: DerElement | undefined, tag: number): DerElement {
  if (element?.tag !== tag) throw new TypeError(`DER tag ${element?.tag} in the place of ${tag}`)
  return element
}

/** Dotted text of an object identifier. @throws TypeError */
export function oidOf(element: DerElement | undefined): string {
  const { content } = expectTag(element, derTags.oid)
  const arcs: number[] = []
  let arc = 0
  for (const [at, byte] of content.entries()) {
    arc = arc * 128 + (byte & 0x7f)
    if (arc > 0xff_ff_ff_ff) throw new TypeError('an object identifier with a giant arc')
    if (byte < 0x80) {
      arcs.push(arc)
      arc = 0
    } else if (at === content.length - 1) throw new TypeError('an object identifier without end')
  }
  const [first = 0, ...rest] = arcs
  const top = Math.min(2, Math.floor(first / 40))
  return [top, first - top * 40, ...rest].join('.')
}

/** A small number that is not negative. @throws TypeError */
export function smallIntegerOf(element: DerElement | undefined): number {
  const { content } = expectTag(element, derTags.integer)
  const [first = 0x80] = content
  if (first >= 0x80 || content.length > 4) throw new TypeError('an integer out of bounds')
  return content.reduce((value, byte) => value * 256 + byte, 0)
}

/** Unix ms of a UTCTime or GeneralizedTime in the form of RFC 5280 §4.1.2.5. @throws TypeError */
export function timeOf(element: DerElement | undefined): number {
  const text = Buffer.from(element?.content ?? []).toString('latin1')
  const isShort = element?.tag === derTags.utcTime
  if (!isShort && element?.tag !== derTags.generalizedTime) throw new TypeError('no time')
  const parts = (isShort ? /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/ : /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/).exec(text)
  if (!parts) throw new TypeError('a time in another form')
  const [year = 0, month = 0, ...rest] = parts.slice(1).map(Number)
  const fullYear = isShort ? (year < 50 ? 2000 : 1900) + year : year
  const [day = 0, hour = 0, minute = 0, second = 0] = rest
  const ms = Date.UTC(fullYear, month - 1, day, hour, minute, second)
  const date = new Date(ms)
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day || date.getUTCHours() !== hour || second > 59 || minute > 59)
    throw new TypeError('a time that is none')
  return ms
}

/** The bytes of a bit string without unused bits. @throws TypeError */
export function bitsOf(element: DerElement | undefined): Uint8Array {
  const { content } = expectTag(element, derTags.bitString)
  if (content[0] !== 0) throw new TypeError('a bit string with unused bits')
  return content.subarray(1)
}

function readAt(bytes: Uint8Array, at: number): DerElement {
  const tag = bytes[at]
  const first = bytes[at + 1]
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) throw new TypeError('no DER element')
  let length = first
  let head = 2
  if (first >= 0x80) {
    const size = first & 0x7f
    const encoded = bytes.subarray(at + 2, at + 2 + size)
    if (size === 0 || size > 4 || encoded.length !== size || encoded[0] === 0) throw new TypeError('a DER length in another form')
    length = encoded.reduce((value, byte) => value * 256 + byte, 0)
    if (length < 0x80) throw new TypeError('a DER length in another form')
    head += size
  }
  const end = at + head + length
  if (end > bytes.length) throw new TypeError('a DER element that is cut')
  return { tag, content: bytes.subarray(at + head, end), whole: bytes.subarray(at, end) }
}
