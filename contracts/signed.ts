import { type Address, beginCell, Cell } from '@ton/core'
import { bytes, LayoutError, loadBytes, parseWhole, uint } from './cells.ts'
import { ed25519PublicKey, ed25519Signer, ed25519Verify } from './ed25519.ts'

/** Operations whose payload a proxy signs (protocol 60 §4). */
export const SIGNED_OPS = {
  'client-charge': 0xbb63ff93,
  'client-grant-refund': 0xefd711e1,
  'worker-payout': 0xa040ad28,
  'worker-last-payout': 0xf5f26a36,
  'proxy-close-request': 0x636a4391,
  'proxy-close-complete': 0xe511abc7,
} as const

export type SignedKind = keyof typeof SIGNED_OPS
/** Kinds whose payload carries the total of tokens. */
export type PaymentKind = Exclude<SignedKind, 'proxy-close-request' | 'proxy-close-complete'>

/** What the signature covers. `tokens` is the total since the contract began, not a difference. */
export type SignedPayload =
  | { readonly kind: PaymentKind; readonly queryId: bigint; readonly contract: Address; readonly tokens: bigint }
  | {
      readonly kind: Exclude<SignedKind, PaymentKind>
      readonly queryId: bigint
      readonly contract: Address
      readonly tokens?: undefined
    }

/** A parsed signed message. Its signature is not checked yet: see `verifySigned`. */
export interface SignedMessage {
  readonly payload: SignedPayload
  /** The signed cell itself; its representation hash is what was signed. */
  readonly payloadCell: Cell
  /** 64 bytes */
  readonly signature: Uint8Array
  /** Not covered by the signature; anyone may replace it. */
  readonly excesses: Address
}

/** Signs a 32-byte hash with Ed25519; returns 64 bytes. */
export type HashSigner = (hash: Uint8Array) => Uint8Array

/** A signer over a key in memory: 32-byte seed, or 64-byte secret key as @ton/crypto has it. */
export function keySigner(key: Uint8Array): HashSigner {
  if (key.length !== 32 && key.length !== 64) throw new RangeError(`secret key must be 32 or 64 bytes, not ${key.length}`)
  // The secret key of 64 bytes is the seed with the public key behind it.
  return ed25519Signer(key.subarray(0, 32))
}

/** Public key (32 bytes) of a 32-byte seed. */
export function publicKeyOfSeed(seed: Uint8Array): Uint8Array {
  return ed25519PublicKey(seed)
}

/** The cell that a proxy signs. */
export function signedPayloadCell(payload: SignedPayload): Cell {
  const cell = beginCell()
    .storeUint(SIGNED_OPS[payload.kind], 32)
    .storeUint(uint('queryId', payload.queryId, 64), 64)
  if (payload.tokens !== undefined) cell.storeUint(uint('tokens', payload.tokens, 64), 64)
  return cell.storeAddress(payload.contract).endCell()
}

/** Message body ready to be sent to the contract, or over the wire as a signed payment. */
export function signMessage(payload: SignedPayload, excesses: Address, signer: HashSigner): Cell {
  const payloadCell = signedPayloadCell(payload)
  const signature = bytes('signature', signer(payloadCell.hash()), 64)
  return envelope(payload, excesses, signature, payloadCell)
}

function envelope(payload: SignedPayload, excesses: Address, signature: Uint8Array, payloadCell: Cell): Cell {
  return beginCell()
    .storeUint(SIGNED_OPS[payload.kind], 32)
    .storeUint(payload.queryId, 64)
    .storeAddress(excesses)
    .storeBuffer(bytes('signature', signature, 64))
    .storeRef(payloadCell)
    .endCell()
}

/**
 * Reads a signed message from a cell or a BoC of any valid form. The envelope must agree with the payload in op and
 * query id, with nothing before, between or after. Throws LayoutError. Does not check the signature.
 */
export function parseSigned(source: Cell | Uint8Array): SignedMessage {
  const body = source instanceof Cell ? source : oneRoot(source)
  return parseWhole('signed message', body, (slice) => {
    const op = slice.loadUint(32)
    const kind = kindOf(op)
    if (kind === null) throw new LayoutError(`signed message: unknown operation ${op.toString(16)}`)
    const queryId = slice.loadUintBig(64)
    const excesses = slice.loadAddress()
    const signature = loadBytes(slice, 64)
    const payloadCell = slice.loadRef()
    const payload = parseWhole('signed payload', payloadCell, (inner): SignedPayload => {
      if (inner.loadUint(32) !== op) throw new LayoutError('signed message: the payload is for another operation')
      if (inner.loadUintBig(64) !== queryId) throw new LayoutError('signed message: the payload has another query id')
      if (kind === 'proxy-close-request' || kind === 'proxy-close-complete') {
        return { kind, queryId, contract: inner.loadAddress() }
      }
      const tokens = inner.loadUintBig(64)
      return { kind, queryId, tokens, contract: inner.loadAddress() }
    })
    return { payload, payloadCell, signature, excesses }
  })
}

/** The one root of a BoC of any valid form. Throws LayoutError. */
export function oneRoot(boc: Uint8Array): Cell {
  let roots: Cell[]
  try {
    roots = Cell.fromBoc(Buffer.from(boc))
  } catch (cause) {
    throw new LayoutError('signed message: not a bag of cells', { cause })
  }
  const root = roots[0]
  if (root === undefined || roots.length !== 1) throw new LayoutError(`signed message: ${roots.length} roots instead of one`)
  return root
}

function kindOf(op: number): SignedKind | null {
  for (const kind of Object.keys(SIGNED_OPS) as SignedKind[]) if (SIGNED_OPS[kind] === op) return kind
  return null
}

/** Why a signed message is refused; null when it is good. */
export type SignedRefusal = 'kind' | 'contract' | 'signature'

/** Checks the kind, the contract that the payload names, and the signature, in this order. */
export function refuseSigned(
  message: SignedMessage,
  expected: { readonly kinds: readonly SignedKind[]; readonly contract: Address; readonly publicKey: Uint8Array },
): SignedRefusal | null {
  if (!expected.kinds.includes(message.payload.kind)) return 'kind'
  if (!message.payload.contract.equals(expected.contract)) return 'contract'
  const good = ed25519Verify(message.payloadCell.hash(), message.signature, expected.publicKey)
  return good ? null : 'signature'
}

/** The same signed payload with another receiver for the surplus: what a client or worker sends to its contract. */
export function repackSigned(message: SignedMessage, excesses: Address): Cell {
  return envelope(message.payload, excesses, message.signature, message.payloadCell)
}

/** Bytes as the reference writes them on the wire: no index, no checksum. */
export function signedBoc(body: Cell): Uint8Array {
  return new Uint8Array(body.toBoc({ idx: false, crc32: false }))
}
