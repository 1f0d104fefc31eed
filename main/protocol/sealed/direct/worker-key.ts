import { createHash } from 'node:crypto'
import type { Address } from '@ton/core'
import { ed25519Verify } from '../../../../contracts/ed25519.ts'
import { decode, encode } from '../../tl/codec.ts'
import { TlError } from '../../tl/tl-error.ts'
import { type OwnerWallet, rawAddress, walletAddress } from './owner-wallet.ts'
import { KeyRefused } from './seal-errors.ts'
import { contexts } from './suite.ts'

/** No key is valid for longer, so that what was recorded cannot be opened much later. */
export const longestLifeMs = 48 * 3_600_000
/** Clocks may differ by so much. */
export const clockMs = 5 * 60_000
/** A quote has some 8 KiB, the rest some hundred bytes. */
export const mostSignedKeyBytes = 32 * 1024
const mostModelBytes = 512

/**
 * What a worker in a confidential machine says of its graphics cards: their memory is out of everybody's reach, there are none, or it is not so. Only its
 * attested software stands behind that.
 */
const gpuClaims = ['confidential', 'none', 'exposed'] as const
export type GpuClaim = (typeof gpuClaims)[number]

/** Whose key it is, and how it is proven. */
export interface SealingIdentity {
  readonly wallet: OwnerWallet
  /** Ed25519 by the wallet's key: 64 bytes. What is signed is longer than 32 bytes, so it is never an order to the wallet. */
  readonly sign: (message: Uint8Array) => Uint8Array
  /** In a confidential VM: a quote with these 64 bytes as report data. */
  readonly quote?: (reportData: Uint8Array) => Promise<Uint8Array>
  /** Beside a quote: asked for each key, and part of what the quote is bound to. */
  readonly gpu?: () => Promise<GpuClaim>
}

/** What a worker states about a key of its own. */
export interface KeyStatement {
  /** X25519, 32 bytes. */
  readonly publicKey: Uint8Array
  readonly createdAtMs: number
  readonly expiresAtMs: number
  /** The network: its root contract. */
  readonly root: Address
  /** Receives the worker's pay. */
  readonly owner: Address
  readonly wallet: OwnerWallet
  /** Full name `NAME@COMMIT:HASH`. */
  readonly model: string
  /** Of a confidential machine; left out elsewhere. */
  readonly gpu?: GpuClaim
}

/** A statement with its bytes. */
export interface ReadKey extends KeyStatement {
  /** 32 bytes: SHA-256 of the statement. */
  readonly id: Uint8Array
  /** What a quote is bound to: its report data is the SHA-512 of these bytes. */
  readonly statement: Uint8Array
  readonly quote: Uint8Array | undefined
  /** Boxed `sealed.signedKey`. */
  readonly signedKey: Uint8Array
}

const sha = (name: 'sha256' | 'sha512', bytes: Uint8Array): Uint8Array => new Uint8Array(createHash(name).update(bytes).digest())
const signedText = (statement: Uint8Array): Uint8Array => Buffer.concat([contexts.keyStatement, statement])

/** States and signs a key. Times are kept in whole seconds. */
export async function signKey(key: KeyStatement, identity: SealingIdentity): Promise<ReadKey> {
  const gpu = key.gpu ?? (await identity.gpu?.())
  const statement = encode({
    ...(gpu === undefined ? { '@type': 'sealed.key' } : { '@type': 'sealed.machineKey', gpu }),
    public_key: key.publicKey,
    created_at: BigInt(Math.floor(key.createdAtMs / 1000)),
    expires_at: BigInt(Math.floor(key.expiresAtMs / 1000)),
    root: key.root.toRawString(),
    owner: key.owner.toRawString(),
    wallet: key.wallet,
    model: key.model,
  })
  const quote = await identity.quote?.(sha('sha512', statement))
  const signature = identity.sign(signedText(statement))
  const signedKey = encode({
    '@type': 'sealed.signedKey',
    flags: quote === undefined ? 0 : 1,
    key: statement,
    signature,
    ...(quote === undefined ? {} : { quote }),
  })
  return readKey(signedKey)
}

/**
 * Takes a key apart. Nothing is verified but its form: see `verifyKey`.
 * @throws KeyRefused `malformed`
 */
export function readKey(signedKey: Uint8Array): ReadKey {
  if (signedKey.length > mostSignedKeyBytes) throw new KeyRefused('malformed', 'a key is too long')
  try {
    const { key: statement, quote } = decode(signedKey, 'sealed.signedKey')
    const key = decode(statement, 'sealed.key', 'sealed.machineKey')
    if (key.model === '' || Buffer.byteLength(key.model) > mostModelBytes)
      throw new KeyRefused('malformed', 'the name of the model is empty or too long')
    const gpu = key['@type'] === 'sealed.machineKey' ? gpuClaims.find((claim) => claim === key.gpu) : undefined
    if (key['@type'] === 'sealed.machineKey' && gpu === undefined)
      throw new KeyRefused('malformed', 'what a key says of graphics cards is unknown')
    return {
      ...(gpu && { gpu }),
      id: sha('sha256', statement),
      statement,
      publicKey: key.public_key,
      createdAtMs: secondsToMs(key.created_at),
      expiresAtMs: secondsToMs(key.expires_at),
      root: rawAddress(key.root),
      owner: rawAddress(key.owner),
      wallet: key.wallet,
      model: key.model,
      quote,
      signedKey,
    }
  } catch (thrown) {
    if (thrown instanceof TlError) throw new KeyRefused('malformed', 'a key cannot be read', thrown)
    throw thrown
  }
}

/** As `readKey`, of the hex form that receipts, evidence and sheets hold. */
export const readKeyHex = (signedKey: string): ReadKey => readKey(new Uint8Array(Buffer.from(signedKey, 'hex')))

function secondsToMs(seconds: bigint): number {
  if (seconds < 0n || seconds > 0xff_ffff_ffffn) throw new KeyRefused('malformed', 'a time is out of range')
  return Number(seconds) * 1000
}

/**
 * Whether a key may be sealed to: of this network, this model (base name), within its time, and signed by the key of the wallet that gets the
 * worker's pay. Its quote is for the caller to check.
 * @throws KeyRefused
 */
export function verifyKey(
  key: ReadKey,
  wanted: { readonly root: Address; readonly model: string; readonly nowMs: number },
): void {
  const refuse = (reason: KeyRefused['reason'], message: string): never => {
    throw new KeyRefused(reason, message)
  }
  const { nowMs } = wanted
  if (!key.root.equals(wanted.root)) refuse('other-network', 'the key belongs to another network')
  if (key.model.split('@', 1)[0] !== wanted.model) refuse('other-model', 'the key is for another model')
  if (key.createdAtMs > nowMs + clockMs) refuse('not-yet-valid', 'the key is not valid yet')
  if (key.expiresAtMs <= nowMs) refuse('expired', 'the key has expired')
  if (key.expiresAtMs - key.createdAtMs > longestLifeMs) refuse('lives-too-long', 'the key is valid for too long')
  if (!walletAddress(key.wallet).equals(key.owner))
    refuse('owner-mismatch', 'the key was signed by another wallet than the one that gets the pay')
  const { signature } = decode(key.signedKey, 'sealed.signedKey')
  if (signature.length !== 64 || !ed25519Verify(signedText(key.statement), signature, key.wallet.public_key))
    refuse('bad-signature', 'the signature of the key is not its owner’s')
}
