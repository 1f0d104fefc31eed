import { randomBytes } from 'node:crypto'
import { publicKeyOfSeed } from '../../../../contracts/signed.ts'
import { hexOf } from '../../../base/hex.ts'
import type { JsonObject, JsonValue } from '../../requests/json-text.ts'
import { EnvelopeError } from './envelope-error.ts'
import { type Direction, sharedSecret, valueSecret } from './secret.ts'
import { decryptString, encryptString } from './strings.ts'

const fields = {
  is: 'is_encrypted',
  sender: 'sender_public_key',
  receiver: 'receiver_public_key',
  nonce: 'encryption_nonce',
} as const

/** Values under these keys stay readable, at any depth (protocol 95 §4.2). */
const readableKeys: ReadonlySet<string> = new Set([
  ...Object.values(fields),
  'model',
  'max_completion_tokens',
  'max_tokens',
  'max_coefficient',
  'timeout',
  'debug',
  'enable_debug',
  'request_guid',
])

const encrypted = 'ENC_'
const plain = 'DEC_'
const nonceBytes = 32
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Own seed and the other side's public key, with what follows from both. */
export interface KeyPairing {
  readonly own: Uint8Array
  readonly peer: Uint8Array
  readonly shared: Uint8Array
}

/** @param seed own Ed25519 seed @throws EnvelopeError for a peer's key that is none */
export function pairing(seed: Uint8Array, peer: Uint8Array): KeyPairing {
  return { own: publicKeyOfSeed(seed), peer, shared: sharedSecret(seed, peer) }
}

/** A key as peers may write it: 64 hex letters, 44 of base64, or 32 bytes as they are. Throws `EnvelopeError`. */
export function readKeyText(text: JsonValue | undefined): Uint8Array {
  if (typeof text === 'string') {
    if (/^[0-9a-fA-F]{64}$/.test(text)) return new Uint8Array(Buffer.from(text, 'hex'))
    if (/^[A-Za-z0-9+/]{43}=$/.test(text)) return new Uint8Array(Buffer.from(text, 'base64'))
    const raw = Buffer.from(text, 'utf8')
    if (raw.length === 32) return new Uint8Array(raw)
  }
  throw new EnvelopeError('a key of the envelope is none')
}

/** Replaces every string value but the readable ones. Keys and numbers stay as they are. */
function mapStrings(value: JsonValue, change: (text: string) => string): JsonValue {
  if (typeof value === 'string') return change(value)
  if (Array.isArray(value)) return value.map((item) => mapStrings(item, change))
  if (!(value instanceof Map)) return value
  const out: JsonObject = new Map()
  for (const [key, item] of value) out.set(key, readableKeys.has(key) ? item : mapStrings(item, change))
  return out
}

/** The object with its texts encrypted and the fields of the envelope added. */
export function sealObject(
  object: JsonObject,
  { own, peer, shared }: KeyPairing,
  direction: Direction,
  random: (length: number) => Uint8Array = randomBytes,
): JsonObject {
  const nonce = Buffer.from(random(nonceBytes)).toString('base64')
  const secret = valueSecret(shared, nonce, direction)
  const seal = (text: string): string =>
    encrypted + Buffer.from(encryptString(secret, Buffer.from(text, 'utf8'), random)).toString('hex')
  const sealed = mapStrings(object, seal)
  if (!(sealed instanceof Map)) throw new TypeError('an object stays an object')
  return sealed.set(fields.is, 'v1').set(fields.sender, hexOf(own)).set(fields.receiver, hexOf(peer)).set(fields.nonce, nonce)
}

/** Who an envelope says that it is from and for. Throws `EnvelopeError` unless all its fields are there and right in form. */
export function partiesOf(object: JsonObject): {
  readonly sender: Uint8Array
  readonly receiver: Uint8Array
  readonly nonce: string
} {
  if (object.get(fields.is) !== 'v1') throw new EnvelopeError('the request is not encrypted as v1')
  const nonce = object.get(fields.nonce)
  if (typeof nonce !== 'string' || !/^[A-Za-z0-9+/]{43}=$/.test(nonce))
    throw new EnvelopeError('the nonce of the envelope is none')
  return { sender: readKeyText(object.get(fields.sender)), receiver: readKeyText(object.get(fields.receiver)), nonce }
}

/**
 * The object with its texts, without the fields of the envelope. Strings that came as `DEC_` are taken as they are in a question, as the scheme
 * allows. In an answer they are refused: workers encrypt all of its strings (protocol 95 §4.5), and anybody on the way could have written them.
 * @param keys the other side's key of the envelope has to be this pairing's peer, and the receiver this pairing's own
 * @throws EnvelopeError at the first string that does not open
 */
export function openObject(object: JsonObject, keys: KeyPairing, direction: Direction): JsonObject {
  const { sender, receiver, nonce } = partiesOf(object)
  if (!Buffer.from(sender).equals(keys.peer) || !Buffer.from(receiver).equals(keys.own))
    throw new EnvelopeError('the envelope is of other keys')
  const secret = valueSecret(keys.shared, nonce, direction)
  const opened = mapStrings(object, (text) => openString(text, secret, direction === 'c'))
  if (!(opened instanceof Map)) throw new TypeError('an object stays an object')
  for (const name of Object.values(fields)) opened.delete(name)
  return opened
}

function openString(text: string, secret: Uint8Array, mayBeReadable: boolean): string {
  if (mayBeReadable && text.startsWith(plain)) return text.slice(plain.length)
  if (!text.startsWith(encrypted)) throw new EnvelopeError('a string is neither encrypted nor marked as readable')
  const hex = text.slice(encrypted.length)
  if (!/^(?:[0-9a-f]{2})+$/.test(hex)) throw new EnvelopeError('an encrypted string is not in hex')
  try {
    return decoder.decode(decryptString(secret, Buffer.from(hex, 'hex')))
  } catch (thrown) {
    if (thrown instanceof TypeError) throw new EnvelopeError('a string is not UTF-8', { cause: thrown })
    throw thrown
  }
}
