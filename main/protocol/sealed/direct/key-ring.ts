import { webcrypto } from 'node:crypto'
import type { Address } from '@ton/core'
import { AnswerSealer } from './answer-sealer.ts'
import { unpadded } from './padding.ts'
import { readSealedRequest, type SealedHead } from './request.ts'
import { SealBroken, SealRefused } from './seal-errors.ts'
import { contexts, keyBytes, owned, suite } from './suite.ts'
import { clockMs, type ReadKey, type SealingIdentity, signKey } from './worker-key.ts'

export interface KeyRingOptions {
  readonly identity: SealingIdentity
  readonly root: Address
  readonly owner: Address
  /** Full name `NAME@COMMIT:HASH`. */
  readonly model: string
  /** Unix ms. */
  readonly now: () => number
  /** How long a key is valid; 24 hours. */
  readonly lifeMs?: number
  /** So long before its end a new one takes its place for new questions; 10 minutes. */
  readonly overlapMs?: number
  /** Requests that one key opens; 50 000. Each is remembered, so that none is opened twice. */
  readonly mostRequests?: number
}

/** A request that was opened, and what seals its answer. */
export interface OpenedRequest {
  readonly head: SealedHead
  /** Boxed `http.request`, unchecked. */
  readonly request: Uint8Array
  readonly sealer: AnswerSealer
}

interface HeldKey {
  readonly key: ReadKey
  readonly pair: webcrypto.CryptoKeyPair
  /** Requests that were opened, or are being opened. */
  readonly seen: Set<string>
}

/** The newest, and the one before it until its time is over. */
const mostKeys = 2

/**
 * The keys of one worker: made in memory at its start and each day, never written anywhere. What was sealed to a key that is gone opens for
 * nobody any more.
 */
export class KeyRing {
  readonly #options: Required<KeyRingOptions>
  #keys: HeldKey[] = []
  #making: Promise<ReadKey> | undefined

  constructor(options: KeyRingOptions) {
    this.#options = { lifeMs: 24 * 3_600_000, overlapMs: 10 * 60_000, mostRequests: 50_000, ...options }
  }

  /** The key for new questions; a new one when there is none, the last one ends soon, or has opened enough. */
  current(): Promise<ReadKey> {
    const newest = this.#keys.at(-1)
    if (newest !== undefined && this.#isFresh(newest)) return Promise.resolve(newest.key)
    this.#making ??= this.#make().finally(() => {
      this.#making = undefined
    })
    return this.#making
  }

  /**
   * Opens a request, once.
   * @param through the key that the proxy named, and the proxy contract of the connection
   * @throws SealRefused
   */
  async open(bytes: Uint8Array, through: { readonly keyId: Uint8Array; readonly proxy: Address }): Promise<OpenedRequest> {
    const { head, info, enc, sealed } = readSealedRequest(bytes)
    if (!Buffer.from(head.keyId).equals(through.keyId)) throw new SealRefused('malformed', 'the request names two keys')
    const held = this.#keys.find(({ key }) => Buffer.from(key.id).equals(head.keyId))
    if (held === undefined || held.key.expiresAtMs <= this.#options.now())
      throw new SealRefused('unknown-key', 'the request is sealed to a key that is not here')
    if (!head.proxy.equals(through.proxy)) throw new SealRefused('other-proxy', 'the request was meant for another proxy')
    if (head.model !== this.#options.model.split('@', 1)[0])
      throw new SealRefused('other-model', 'the request was meant for another model')
    const name = Buffer.concat([head.requestId, enc]).toString('base64')
    if (held.seen.has(name)) throw new SealRefused('replayed', 'the request came before')
    if (held.seen.size >= this.#options.mostRequests)
      throw new SealRefused('unknown-key', 'the key of the request has opened enough')
    held.seen.add(name)
    try {
      const context = await suite.createRecipientContext({ recipientKey: held.pair, enc: owned(enc), info: owned(info) })
      const request = unpadded(new Uint8Array(await context.open(owned(sealed))))
      const secret = new Uint8Array(await context.export(owned(contexts.answer), keyBytes))
      return { head, request, sealer: new AnswerSealer(secret, enc) }
    } catch (thrown) {
      // What never opened is not worth remembering: a stranger could fill the memory with it.
      held.seen.delete(name)
      if (thrown instanceof SealBroken) throw new SealRefused('malformed', thrown.message, thrown)
      throw new SealRefused('altered', 'the request does not open', thrown)
    }
  }

  /** Whether what is sealed to the key of this id (hex of `ReadKey.id`) can be opened here now. */
  holds(keyId: string): boolean {
    const nowMs = this.#options.now()
    return this.#keys.some(({ key }) => key.expiresAtMs > nowMs && Buffer.from(key.id).toString('hex') === keyId)
  }

  #isFresh({ key, seen }: HeldKey): boolean {
    const { now, overlapMs, mostRequests } = this.#options
    // One that was made before the clock was put back is of the future, which clients refuse.
    const isOfNow = key.createdAtMs <= now() + clockMs && now() < key.expiresAtMs - overlapMs
    return isOfNow && seen.size < mostRequests
  }

  async #make(): Promise<ReadKey> {
    const { identity, root, owner, model, now, lifeMs } = this.#options
    const pair = await newPair()
    const publicKey = new Uint8Array(await suite.kem.serializePublicKey(pair.publicKey))
    const createdAtMs = now()
    const statement = { publicKey, createdAtMs, expiresAtMs: createdAtMs + lifeMs, root, owner, wallet: identity.wallet, model }
    const key = await signKey(statement, identity)
    const usable = this.#keys.filter((held) => held.key.expiresAtMs > createdAtMs)
    this.#keys = [...usable, { key, pair, seen: new Set<string>() }].slice(-mostKeys)
    return key
  }
}

/** X25519; the private key cannot be taken out of the process's key store. */
async function newPair(): Promise<webcrypto.CryptoKeyPair> {
  const pair = await webcrypto.subtle.generateKey('X25519', false, ['deriveBits'])
  if (!('privateKey' in pair)) throw new TypeError('X25519 makes pairs of keys')
  return pair
}
