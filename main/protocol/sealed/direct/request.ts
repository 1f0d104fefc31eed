import type { Address } from '@ton/core'
import { decode, encode } from '../../tl/codec.ts'
import { TlError } from '../../tl/tl-error.ts'
import type { TlObject } from '../../tl/types.ts'
import { AnswerOpener } from './answer-opener.ts'
import { rawAddress } from './owner-wallet.ts'
import { padded, requestBucket } from './padding.ts'
import { KeyRefused, SealRefused } from './seal-errors.ts'
import { contexts, keyBytes, owned, suite, tagBytes } from './suite.ts'
import type { ReadKey } from './worker-key.ts'

/** What the proxy may know of a sealed request, and what the worker holds it to. All of it is bound to the ciphertext. */
export interface SealedHead {
  /** 32 bytes: whose key it is sealed to. */
  readonly keyId: Uint8Array
  /** 32 bytes: the client's request id. */
  readonly requestId: Uint8Array
  /** The proxy contract. */
  readonly proxy: Address
  /** Base name. */
  readonly model: string
  readonly maxTokens: number
  /** Thousandths. */
  readonly maxCoefficient: number
  /** Tokens of an answer that the body allows for each choice; undefined when it sets no limit. */
  readonly bodyLimit: number | undefined
  /** Choices that the body asks for. */
  readonly choices: number
}

export interface ReadRequest {
  readonly head: SealedHead
  /** What HPKE is told as `info`. */
  readonly info: Uint8Array
  /** 32 bytes: the client's key of this request. */
  readonly enc: Uint8Array
  readonly sealed: Uint8Array
}

const noLimit = -1
const mostChoices = 1024

/** Size of the ciphertext for a request of so many bytes. */
const sealedSize = (bytes: number): number => requestBucket(4 + bytes) + tagBytes

const headBytes = (head: SealedHead, sealedBytes: number): Uint8Array =>
  encode({
    '@type': 'sealed.head',
    worker_key: head.keyId,
    request_id: head.requestId,
    proxy: head.proxy.toRawString(),
    model: head.model,
    max_tokens: head.maxTokens,
    max_coefficient: head.maxCoefficient,
    body_limit: head.bodyLimit ?? noLimit,
    choices: head.choices,
    sealed_bytes: sealedBytes,
  })

const infoOf = (head: Uint8Array): Uint8Array => Buffer.concat([contexts.request, head])

/** Bytes that a sealed request of `requestBytes` has on the wire, for the reservation before it is sealed. */
export function sealedRequestBytes(head: SealedHead, requestBytes: number): number {
  const sealed = sealedSize(requestBytes)
  return encode({
    '@type': 'sealed.request',
    head: headBytes(head, sealed),
    enc: new Uint8Array(keyBytes),
    sealed: new Uint8Array(sealed),
  }).length
}

/**
 * Seals a boxed `http.request` to a worker's verified key: HPKE in base mode with the head as `info`.
 * @returns boxed `sealed.request`, and what opens the answer
 */
export async function sealRequest(
  request: Uint8Array,
  head: SealedHead,
  key: Pick<ReadKey, 'publicKey'>,
): Promise<{ readonly bytes: Uint8Array; readonly opener: AnswerOpener }> {
  const headPart = headBytes(head, sealedSize(request.length))
  const recipientPublicKey = await suite.kem.deserializePublicKey(owned(key.publicKey))
  const context = await suite.createSenderContext({ recipientPublicKey, info: owned(infoOf(headPart)) })
  const sealed = new Uint8Array(await context.seal(owned(padded(request, requestBucket))))
  const secret = new Uint8Array(await context.export(owned(contexts.answer), keyBytes))
  const enc = new Uint8Array(context.enc)
  return {
    bytes: encode({ '@type': 'sealed.request', head: headPart, enc, sealed }),
    opener: new AnswerOpener(secret, enc),
  }
}

/**
 * Takes a sealed request apart as far as anybody can.
 * @throws SealRefused `malformed`
 */
export function readSealedRequest(bytes: Uint8Array): ReadRequest {
  try {
    const { head: headPart, enc, sealed } = decode(bytes, 'sealed.request')
    const head = decode(headPart, 'sealed.head')
    checkHead(head, sealed.length)
    return {
      head: {
        keyId: head.worker_key,
        requestId: head.request_id,
        proxy: rawAddress(head.proxy),
        model: head.model,
        maxTokens: head.max_tokens,
        maxCoefficient: head.max_coefficient,
        bodyLimit: head.body_limit === noLimit ? undefined : head.body_limit,
        choices: head.choices,
      },
      info: infoOf(headPart),
      enc,
      sealed,
    }
  } catch (thrown) {
    if (thrown instanceof TlError || thrown instanceof KeyRefused)
      throw new SealRefused('malformed', 'a sealed request cannot be read', thrown)
    throw thrown
  }
}

function checkHead(head: TlObject<'sealed.head'>, sealedBytes: number): void {
  const size = sealedBytes - tagBytes
  const holds =
    head.sealed_bytes === sealedBytes &&
    size === requestBucket(size) &&
    head.max_tokens >= 0 &&
    head.max_coefficient >= 0 &&
    head.body_limit >= noLimit &&
    head.choices >= 1 &&
    head.choices <= mostChoices
  if (!holds) throw new SealRefused('malformed', 'the head of a sealed request contradicts itself')
}
