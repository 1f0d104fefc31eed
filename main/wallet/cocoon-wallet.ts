import { type Address, type Cell, fromNano, internal, toNano } from '@ton/core'
import { LayoutError } from '../../contracts/cells.ts'
import { cocoonWalletBody, cocoonWalletInit, parseCocoonWalletState, WALLET_MINIMUM } from '../../contracts/cocoon-wallet.ts'
import { keySigner } from '../../contracts/signed.ts'
import { Failure } from '../base/failure.ts'
import type { AccountState, Chain } from '../ton/chain.ts'
import { Outbox, type OutboxTiming, type WalletScheme } from './outbox.ts'
import { sendMode } from './send-mode.ts'
import type { OutMessage, Sender } from './sender.ts'
import type { WalletKeyPair } from './w5-wallet.ts'

const fee = toNano('0.02')
const nothingSent = 'Nothing was sent.'

/**
 * A node's wallet (protocol 60 §8): the node key may spend what is above 2 TON, the owner may take everything back.
 * The contract's messages do not name the network, so a node key must be used on one network only.
 */
export class CocoonWallet implements Sender {
  readonly address: Address
  /** Who may withdraw everything. */
  readonly owner: Address
  readonly #outbox: Outbox

  constructor(chain: Chain, keyPair: WalletKeyPair, owner: Address, timing: OutboxTiming = {}) {
    const scheme = cocoonScheme(keyPair, owner)
    this.address = scheme.address
    this.owner = owner
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

function cocoonScheme(keyPair: WalletKeyPair, owner: Address): WalletScheme {
  const { address, init } = cocoonWalletInit(keyPair.publicKey, owner)
  const signer = keySigner(keyPair.secretKey)
  return {
    address,
    init,
    seqno: (data) => (data === null ? 0 : readState(data).seqno),
    check: (state, messages) => requireAllowed(state, messages),
    body: ({ seqno, validUntilSec, messages }) =>
      cocoonWalletBody(
        {
          seqno,
          validUntilSec,
          transfers: messages.map((message) => ({
            mode: sendMode(message),
            message: internal({
              to: message.to,
              value: message.value,
              body: message.body,
              bounce: message.bounce ?? true,
              ...(message.init === undefined ? {} : { init: message.init }),
            }),
          })),
        },
        signer,
      ),
  }
}

/** The contract's own conditions, checked before anything is signed: exit codes 1035 and 1031, and the sum. */
function requireAllowed(state: AccountState, messages: readonly OutMessage[]): void {
  if (state.balance < WALLET_MINIMUM) {
    throw new Failure(
      'wallet-below-minimum',
      `The node wallet holds ${fromNano(state.balance)} TON; it sends nothing below ${fromNano(WALLET_MINIMUM)} TON.`,
      {
        money: nothingSent,
        advice: 'Add Toncoin to the node wallet. Its owner can take all of it back at any time.',
        values: { heldNano: state.balance.toString(), leastNano: WALLET_MINIMUM.toString() },
      },
    )
  }
  if (state.status === 'active' && state.data !== null && readState(state.data).blocked) {
    throw new Failure('wallet-blocked', 'The owner of the node wallet has blocked it.', { money: nothingSent })
  }
  if (messages.some((message) => ((message.mode ?? 0) & 128) !== 0)) return
  const needed = messages.reduce((sum, message) => sum + message.value, fee)
  if (state.balance < needed) {
    throw new Failure(
      'balance-too-low',
      `The node wallet holds ${fromNano(state.balance)} TON; this needs about ${fromNano(needed)} TON with fees.`,
      {
        money: nothingSent,
        advice: 'Add Toncoin to the node wallet.',
        values: { bound: 'nodeWallet', heldNano: state.balance.toString(), neededNano: needed.toString() },
      },
    )
  }
}

function readState(data: Cell): ReturnType<typeof parseCocoonWalletState> {
  try {
    return parseCocoonWalletState(data)
  } catch (thrown) {
    if (!(thrown instanceof LayoutError)) throw thrown
    throw new Failure('wallet-unreadable', 'This account is no Cocoon wallet.', { money: nothingSent, cause: thrown })
  }
}
