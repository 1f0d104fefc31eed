import { derTags } from '../der.ts'

/** Writes DER (X.690) for synthetic certificates and lists. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts)
  if (content.length < 0x80) return Buffer.concat([Uint8Array.of(tag, content.length), content])
  const length = Buffer.alloc(4)
  length.writeUInt32BE(content.length)
  const short = length.subarray(length.findIndex((byte) => byte !== 0))
  return Buffer.concat([Uint8Array.of(tag, 0x80 | short.length), short, content])
}

export const sequence = (...parts: readonly Uint8Array[]): Buffer => der(derTags.sequence, ...parts)
export const octets = (bytes: Uint8Array): Buffer => der(derTags.octetString, bytes)
export const bits = (bytes: Uint8Array, unused = 0): Buffer => der(derTags.bitString, Uint8Array.of(unused), bytes)
export const boolean = (value: boolean): Buffer => der(derTags.boolean, Uint8Array.of(value ? 0xff : 0))

/** A number that is not negative. */
export function integer(value: number): Buffer {
  const hex = value.toString(16)
  return integerHex(hex.length % 2 === 0 ? hex : `0${hex}`)
}

/** @param hex of a number that is not negative */
export function integerHex(hex: string): Buffer {
  const bytes = Buffer.from(hex, 'hex')
  return der(derTags.integer, (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Uint8Array.of(0), bytes]) : bytes)
}

export function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number)
  return der(derTags.oid, Buffer.from([first * 40 + second, ...rest].flatMap(base128)))
}

/** As RFC 5280 §4.1.2.5 wants it: UTCTime before 2050. */
export function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replace(/[-:T]/g, '').slice(0, 14)
  const isShort = Number(digits.slice(0, 4)) < 2050
  return der(isShort ? derTags.utcTime : derTags.generalizedTime, Buffer.from(`${isShort ? digits.slice(2) : digits}Z`))
}

function base128(arc: number): number[] {
  const digits = [arc & 0x7f]
  for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) digits.unshift(0x80 | (left & 0x7f))
  return digits
}
