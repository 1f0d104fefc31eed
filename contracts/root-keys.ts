import { type Address, beginCell, Cell } from '@ton/core'
import { signVerify } from '@ton/crypto'
import { bytes, LayoutError, loadBytes, operation, parseWhole, uint } from './cells.ts'
import { type PublicKeyEntry, storePublicKeyEntry } from './root.ts'
import { type HashSigner, oneRoot } from './signed.ts'

/** The key manager's own way to list a key in the root contract, without the owner (protocol 95 §3). */
export const OP_ADD_PUBLIC_KEY_SIGNED = 0x9e0e1821

/** What the key manager signs. It names no contract: the same words hold at every root with the same manager. */
export interface KeyRegistration extends PublicKeyEntry {
  readonly queryId: bigint
}

/** A parsed message of the key manager. Its signature is not checked yet: see `keyRegistrationIsSigned`. */
export interface SignedKeyRegistration {
  readonly registration: KeyRegistration
  /** The signed cell; its representation hash is what was signed. */
  readonly payloadCell: Cell
  /** 64 bytes */
  readonly signature: Uint8Array
  /** Not covered by the signature; anyone may replace it. */
  readonly excesses: Address
}

/** Message body for the root contract, signed by the key manager. Anyone may send it. Throws RangeError. */
export function signKeyRegistration(registration: KeyRegistration, excesses: Address, signer: HashSigner): Cell {
  const payload = storePublicKeyEntry(operation(OP_ADD_PUBLIC_KEY_SIGNED, registration.queryId), registration).endCell()
  return envelope(registration.queryId, excesses, signer(payload.hash()), payload)
}

/** The same signed words with another receiver for the surplus. */
export function repackKeyRegistration(message: SignedKeyRegistration, excesses: Address): Cell {
  return envelope(message.registration.queryId, excesses, message.signature, message.payloadCell)
}

function envelope(queryId: bigint, excesses: Address, signature: Uint8Array, payload: Cell): Cell {
  return beginCell()
    .storeUint(OP_ADD_PUBLIC_KEY_SIGNED, 32)
    .storeUint(uint('queryId', queryId, 64), 64)
    .storeAddress(excesses)
    .storeBuffer(bytes('signature', signature, 64))
    .storeRef(payload)
    .endCell()
}

/** Reads such a message from a cell or a BoC. Throws LayoutError. Does not check the signature. */
export function parseKeyRegistration(source: Cell | Uint8Array): SignedKeyRegistration {
  const body = source instanceof Cell ? source : oneRoot(source)
  return parseWhole('key registration', body, (slice) => {
    if (slice.loadUint(32) !== OP_ADD_PUBLIC_KEY_SIGNED) throw new LayoutError('key registration: another operation')
    const queryId = slice.loadUintBig(64)
    const excesses = slice.loadAddress()
    const signature = loadBytes(slice, 64)
    const payloadCell = slice.loadRef()
    const registration = parseWhole('key registration payload', payloadCell, (inner) => {
      if (inner.loadUint(32) !== OP_ADD_PUBLIC_KEY_SIGNED || inner.loadUintBig(64) !== queryId) {
        throw new LayoutError('key registration: the payload belongs to another message')
      }
      const publicKey = loadBytes(inner, 32)
      return { queryId, publicKey, type: inner.loadUint(8), expiresAtSec: inner.loadUint(32) }
    })
    return { registration, payloadCell, signature, excesses }
  })
}

/** Whether the key manager's key (32 bytes) signed it. A key of zeros stands for no key manager: nothing is signed by it. */
export function keyRegistrationIsSigned(message: SignedKeyRegistration, managerKey: Uint8Array): boolean {
  const key = bytes('managerKey', managerKey, 32)
  return key.some((byte) => byte !== 0) && signVerify(message.payloadCell.hash(), Buffer.from(message.signature), key)
}
