import { type Address, type Cell, fromNano, internal, toNano } from '@ton/core'
import { WalletContractV5R1 } from '@ton/ton'
import { Failure } from '../base/failure.ts'
import type { Chain } from '../ton/chain.ts'
import { Outbox, type OutboxTiming, type WalletScheme } from './outbox.ts'
import { sendMode } from './send-mode.ts'
import type { OutMessage, Sender } from './sender.ts'

export interface WalletKeyPair {
  /** 32 bytes */
  readonly publicKey: Uint8Array
  /** 64 bytes, as @ton/crypto has it */
  readonly secretKey: Uint8Array
}

/**
 * Signatures name the network by this number, so that a message signed with the same key for one network is void on another.
 * The local network's is our own; the others are TON's.
 */
const networkIds: Readonly<Record<Chain['kind'], number>> = { mainnet: -239, testnet: -3, local: -2026 }

/** Gas, import of the message, and forwarding of one message without much content. */
const baseFee = toNano('0.01')
const feePerMessage = toNano('0.005')

/** The address that a key has as a W5 wallet on a network of this kind. */
export function w5Address(publicKey: Uint8Array, kind: Chain['kind']): Address {
  return contractOf(publicKey, kind).address
}

/** The number by which a W5 wallet on a network of this kind differs from others of the same key: a signed 32-bit integer in its first data. */
export function w5WalletId(kind: Chain['kind']): number {
  const data = contractOf(new Uint8Array(32), kind).init.data.beginParse()
  // One bit, then the sequence number.
  return data.skip(33).loadInt(32)
}

/** What a send of these messages takes from the wallet at most, before anything returns: values and a generous allowance for fees. nanoton */
export function neededFor(messages: readonly OutMessage[]): bigint {
  return messages.reduce((sum, message) => sum + message.value + feePerMessage, baseFee)
}

/** A W5 wallet whose secret key is not known: its messages carry a worthless signature, for an emulator that does not look at it. */
export function unsignedW5(publicKey: Uint8Array, kind: Chain['kind']): WalletScheme {
  return w5Scheme(contractOf(publicKey, kind), Buffer.alloc(64))
}

/** The user's wallet: W5 (v5r1). Not deployed until its first send. */
export class W5Wallet implements Sender {
  readonly address: Address
  readonly #outbox: Outbox

  constructor(chain: Chain, keyPair: WalletKeyPair, timing: OutboxTiming = {}) {
    const scheme = w5Scheme(contractOf(keyPair.publicKey, chain.kind), Buffer.from(keyPair.secretKey))
    this.address = scheme.address
    this.#outbox = new Outbox(chain, scheme, timing)
  }

  /** @throws Failure with a `SendFailureCode`, or a code of `Chain` when the wallet could not even be read. */
  async send(messages: readonly OutMessage[], last?: () => Promise<void>): Promise<void> {
    await this.#outbox.send(messages, last)
  }

  /** Stops following; sends under way end with `send-unknown`. */
  close(): void {
    this.#outbox.close()
  }
}

function contractOf(publicKey: Uint8Array, kind: Chain['kind']): WalletContractV5R1 {
  return WalletContractV5R1.create({
    publicKey: Buffer.from(publicKey),
    walletId: { networkGlobalId: networkIds[kind], context: { workchain: 0, walletVersion: 'v5r1', subwalletNumber: 0 } },
  })
}

function w5Scheme(contract: WalletContractV5R1, secretKey: Buffer): WalletScheme {
  return {
    address: contract.address,
    init: contract.init,
    seqno: readSeqno,
    check: (state, messages) => requireCovered(state.balance, messages),
    // The contract takes external orders only in modes that ignore errors (+2); what left is checked afterwards.
    body: ({ seqno, validUntilSec, messages }) =>
      contract.createRequest({
        seqno,
        timeout: validUntilSec,
        secretKey,
        actions: messages.map((message) => ({
          type: 'sendMsg' as const,
          mode: sendMode(message) | 2,
          outMsg: internal({
            to: message.to,
            value: message.value,
            body: message.body,
            bounce: message.bounce ?? true,
            ...(message.init === undefined ? {} : { init: message.init }),
          }),
        })),
      }),
  }
}

/** Layout of W5 data: one bit, then the sequence number. */
function readSeqno(data: Cell | null): number {
  if (data === null) return 0
  const slice = data.beginParse()
  if (slice.remainingBits < 33)
    throw new Failure('wallet-unreadable', 'This account is no W5 wallet.', { money: 'Nothing was sent.' })
  slice.skip(1)
  return slice.loadUint(32)
}

/** @throws Failure `balance-too-low` when values and fees certainly do not fit into the balance. */
function requireCovered(balance: bigint, messages: readonly OutMessage[]): void {
  if (messages.some((message) => ((message.mode ?? 0) & 128) !== 0)) return
  const needed = neededFor(messages)
  if (balance >= needed) return
  throw new Failure(
    'balance-too-low',
    `The wallet holds ${fromNano(balance)} TON; this needs about ${fromNano(needed)} TON with fees.`,
    {
      money: 'Nothing was sent.',
      advice: 'Add Toncoin to the wallet, or send less.',
      values: { bound: 'wallet', heldNano: balance.toString(), neededNano: needed.toString() },
    },
  )
}
