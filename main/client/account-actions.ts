import type { Address } from '@ton/core'
import {
  clientChangeSecret,
  clientChangeSecretAndTopUp,
  clientInit,
  clientRegister,
  clientRequestRefund,
  clientTopUp,
  clientWithdraw,
} from '../../contracts/client.ts'
import { ATTACH, randomQueryId } from '../../contracts/common.ts'
import { parseSigned, repackSigned } from '../../contracts/signed.ts'
import { Failure } from '../base/failure.ts'
import type { OutMessage } from '../wallet/sender.ts'
import type { AccountRecord } from './account-store.ts'

const operation = ATTACH.clientOperation

const envelope = (excesses: Address) => ({ queryId: randomQueryId(), excesses })

/**
 * Messages that prove the ownership on chain (protocol 30 §3.3), in one sending. The first carries the StateInit when the contract is not
 * deployed yet; the second sets the secret, so that the next connection needs no message at all, and tops up by `topUp` nanoton if asked to.
 */
export function registerMessages(
  record: AccountRecord,
  options: {
    readonly deploy: boolean
    readonly nonce: bigint
    /** Left out when the contract has it. */
    readonly secret: { readonly hash: Uint8Array; readonly topUp: bigint } | undefined
  },
): OutMessage[] {
  const { contract, owner, proxyContract, proxyKey, params } = record
  const init = options.deploy
    ? { init: clientInit({ owner, proxy: proxyContract, publicKey: proxyKey, params }).init, bounce: false }
    : {}
  const register = { to: contract, value: ATTACH.clientRegister, body: clientRegister(envelope(owner), options.nonce), ...init }
  if (options.secret === undefined) return [register]
  const { hash, topUp } = options.secret
  if (topUp === 0n) return [register, changeSecretMessage(record, hash)]
  const body = clientChangeSecretAndTopUp(envelope(owner), hash, topUp)
  return [register, { to: contract, value: topUp + operation, body }]
}

export function topUpMessage(record: AccountRecord, amount: bigint): OutMessage {
  return { to: record.contract, value: amount + operation, body: clientTopUp(envelope(record.owner), amount) }
}

export function changeSecretMessage(record: AccountRecord, secretHash: Uint8Array): OutMessage {
  return { to: record.contract, value: operation, body: clientChangeSecret(envelope(record.owner), secretHash) }
}

/** The stored signed charge with the own wallet as receiver of the surplus (protocol 30 §5 rule 7). Throws `Failure<'nothing-to-charge'>`. */
export function chargeMessage(record: AccountRecord): OutMessage {
  if (record.signedBoc === null) throw new Failure('nothing-to-charge', 'The proxy has signed nothing yet.')
  return { to: record.contract, value: operation, body: repackSigned(parseSigned(record.signedBoc), record.owner) }
}

/** First call begins to close, the second one after the delay closes by force (protocol 30 §6). */
export function requestRefundMessage(record: AccountRecord): OutMessage {
  return { to: record.contract, value: operation, body: clientRequestRefund(envelope(record.owner)) }
}

export function withdrawMessage(record: AccountRecord): OutMessage {
  return { to: record.contract, value: operation, body: clientWithdraw(envelope(record.owner)) }
}
