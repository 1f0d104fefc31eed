import type { Address, Message } from '@ton/core'
import { type ClientState as ContractState, parseClientMessage, parseClientState } from '../../contracts/client.ts'
import { parseProxyState } from '../../contracts/proxy.ts'
import { exactTon } from '../base/exact-ton.ts'
import { asError, Failure } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import { newestFirst } from '../base/newest-first.ts'
import { pause } from '../base/pause.ts'
import type { Chain } from '../ton/chain.ts'
import type { OutMessage, Sender } from '../wallet/sender.ts'
import type { Account } from './account.ts'
import {
  changeSecretMessage,
  chargeMessage,
  registerMessages,
  requestRefundMessage,
  topUpMessage,
  withdrawMessage,
} from './account-actions.ts'
import type { AccountRecord, AccountStore } from './account-store.ts'
import { pendingCharge } from './budget.ts'
import { EmptyContracts, payableNow } from './owed-refund.ts'

/** How long a message may take to show in the contract's state. */
const confirmLimitMs = 90_000
const confirmEveryMs = 500
/** A maintenance message that had no effect is not repeated before this. */
const maintenancePauseMs = 600_000

const sameBytes = (one: Uint8Array, other: Uint8Array): boolean => Buffer.from(one).equals(other)

/** A forced close may leave what the proxy's stake did not cover (protocol 30 §6). */
const isEmptied = (state: ContractState): boolean => state.state === 'closed' && state.balance === 0n

/** A message to the contract, and how its effect shows. */
type Action = [
  message: (record: AccountRecord) => OutMessage,
  done: (before: ContractState | undefined, now: ContractState) => boolean,
]

const topUpOf = (amount: bigint): Action => [
  (record) => topUpMessage(record, amount),
  (before, now) => now.balance > (before?.balance ?? 0n),
]

/** nanoton on the contract that no answer has used yet */
const unspent = ({ maxTokens, signedTokens, dbTokens, params }: AccountRecord, chain: ContractState): bigint =>
  chain.balance - pendingCharge({ chain, signedTokens, committedTokens: dbTokens, maxTokens }, params.pricePerToken)

/** Whether the money that opens this account has left the wallet: then it may still be on its way to the contract. */
async function hasPaid(chain: Chain, wallet: Address, { contract, openingAfterLt }: AccountRecord): Promise<boolean> {
  const isOpening = ({ info, body }: Message): boolean =>
    info.type === 'internal' && info.dest.equals(contract) && parseClientMessage(body)?.kind === 'change-secret-and-top-up'
  for await (const { outMessages } of newestFirst(chain, wallet, { afterLt: openingAfterLt }))
    if (outMessages.values().some(isOpening)) return true
  return false
}

/** The owner's actions on client contracts (protocol 30 §5, §6). Each waits until the chain shows its effect. One at a time. */
export class AccountKeeper {
  readonly #money: { readonly chain: Chain; readonly wallet: Sender } | undefined
  readonly #store: AccountStore
  readonly #logger: Logger
  readonly #onRead: (contract: Address, state: ContractState | undefined) => void
  readonly #maintainedAt = new Map<string, number>()
  /** Charges under way, by contract. */
  readonly #charging = new Map<string, Promise<void>>()
  readonly #empty = new EmptyContracts()
  #queue: Promise<unknown> = Promise.resolve()

  /** @param onRead told each state that was read on chain: whoever shows the account should know no older one */
  constructor(
    money: { readonly chain: Chain; readonly wallet: Sender } | undefined,
    store: AccountStore,
    logger: Logger,
    onRead: (contract: Address, state: ContractState | undefined) => void,
  ) {
    this.#money = money
    this.#store = store
    this.#logger = logger
    this.#onRead = onRead
  }

  /** Every client contract ever used on the network of that root contract, oldest first. */
  list(network: Address): readonly AccountRecord[] {
    return this.#store.ofNetwork(network.toString())
  }

  /** State on chain; undefined while the contract is not deployed. One that is closed and empty is remembered as done. */
  async read(contract: Address): Promise<ContractState | undefined> {
    const { chain } = this.#needMoney()
    const { data } = await chain.account(contract)
    const state = data === null ? undefined : parseClientState(data)
    const isDone = state !== undefined && this.#empty.saw(contract.toString(), state, chain.kind, Date.now())
    const record = isDone ? this.#store.find(contract) : undefined
    if (record?.closed === false) this.#store.save({ ...record, closed: true })
    this.#onRead(contract, state)
    return state
  }

  /** Notes the agreement to open this account with `topUp` nanoton on it; `register` sends them. */
  async agree(account: Account, topUp: bigint): Promise<void> {
    const { chain, wallet } = this.#needMoney()
    const { last } = await chain.account(wallet.address)
    account.agree({ topUp, afterLt: last?.lt ?? 0n })
  }

  /**
   * Registers the owner with the proxy; deploys, sets the secret and puts on the balance what was agreed, as far as that is not done yet. The
   * messages leave when it returns.
   */
  async register(account: Account, options: { readonly nonce: bigint; readonly secretHash: Uint8Array }): Promise<void> {
    await this.#alone(async ({ chain, wallet }) => {
      const { record } = account
      const { nonce, secretHash } = options
      const state = await this.read(record.contract)
      // The message that sets the secret brings the money.
      const isOpen = state !== undefined && sameBytes(state.secretHash, secretHash)
      const isPaid = isOpen || record.openingTopUp === 0n || (await hasPaid(chain, wallet.address, record))
      const secret = isOpen ? undefined : { hash: secretHash, topUp: isPaid ? 0n : record.openingTopUp }
      await wallet.send(registerMessages(record, { nonce, deploy: state === undefined, secret }))
      account.opened()
    })
  }

  /** Puts `amount` nanoton on the balance. */
  async topUp(contract: Address, amount: bigint): Promise<void> {
    await this.#alone(({ wallet }) => this.#send(wallet, contract, ...topUpOf(amount)))
  }

  /**
   * Puts `amount` nanoton on the balance if less than `least` nanoton of it are unspent on chain at this moment. Nothing is sent to a contract that
   * is not open.
   */
  async fill(contract: Address, { least, amount }: { readonly least: bigint; readonly amount: bigint }): Promise<void> {
    await this.#alone(async ({ wallet }) => {
      const state = await this.read(contract)
      if (state?.state !== 'normal' || unspent(this.#record(contract), state) >= least) return
      await this.#send(wallet, contract, ...topUpOf(amount))
    })
  }

  /**
   * Sends the stored signed charge, so that the stake's credit becomes free again; whoever asks while one is under way waits for that one.
   * Throws `Failure<'nothing-to-charge'>`.
   */
  charge(contract: Address): Promise<void> {
    const name = contract.toString()
    const running = this.#charging.get(name)
    if (running !== undefined) return running
    const charge = this.#alone(({ wallet }) => this.#charge(wallet, contract)).finally(() => this.#charging.delete(name))
    this.#charging.set(name, charge)
    return charge
  }

  async #charge(wallet: Sender, contract: Address): Promise<void> {
    const { signedTokens } = this.#record(contract)
    const state = await this.read(contract)
    if (state === undefined || signedTokens <= state.tokensUsed)
      throw new Failure('nothing-to-charge', 'Everything that was signed is already charged.')
    await this.#send(wallet, contract, chargeMessage, (_before, now) => now.tokensUsed >= signedTokens)
  }

  /** Pays what the balance holds above the stake back to the owner. */
  async withdraw(contract: Address): Promise<void> {
    await this.#act(contract, withdrawMessage, (before, now) => now.balance < (before?.balance ?? 0n))
  }

  /**
   * Begins to close, or closes by force when the waiting time is over. After the first call the proxy normally grants the refund by itself
   * and the contract ends as `closed` with everything paid out; a forced close pays at most the proxy's own stake (protocol 30 §6). What a
   * closed contract still owes is asked for again where something would come. Throws `Failure` with `account-closed`, `refund-owed` or
   * `refund-too-early`: nothing was sent.
   */
  requestRefund(contract: Address): Promise<ContractState> {
    return this.#alone(({ wallet }) => this.#requestRefund(wallet, contract))
  }

  async #requestRefund(wallet: Sender, contract: Address): Promise<ContractState> {
    const state = await this.read(contract)
    if (state === undefined || isEmptied(state))
      throw new Failure('account-closed', 'This account is closed; nothing is left in it.', { money: 'Nothing was sent.' })
    if (state.state === 'closed' && (await this.payable(contract, state)) === 0n)
      throw new Failure(
        'refund-owed',
        `This account is closed, and ${exactTon(state.balance)} of it are still owed: the proxy's stake did not cover them.`,
        {
          advice: 'They come when the proxy grants the refund, and are asked for again when its stake covers them.',
          money: 'Nothing was sent.',
          values: { owedNano: state.balance.toString() },
        },
      )
    if (state.state === 'closing' && state.unlockAtSec * 1000 >= Date.now())
      throw new Failure('refund-too-early', 'The waiting time is not over yet.', {
        advice: `Try again after ${new Date(state.unlockAtSec * 1000).toISOString()}, or wait for the proxy's refund.`,
        money: 'Nothing was sent.',
        values: { afterMs: state.unlockAtSec * 1000 },
      })
    return await this.#send(
      wallet,
      contract,
      requestRefundMessage,
      (before, now) => now.state !== before?.state || now.balance !== before.balance,
    )
  }

  /** nanoton that would come if a closed contract was asked now for what it owes; 0 where that is not worth the message. */
  async payable(contract: Address, state: ContractState): Promise<bigint> {
    const { data, balance } = await this.#needMoney().chain.account(this.#record(contract).proxyContract)
    const proxy = data === null ? undefined : parseProxyState(data)
    return payableNow(state, proxy, balance, Math.floor(Date.now() / 1000))
  }

  /** What a live account needs from time to time: the own secret in the contract, and charges that free the credit (protocol 30 §5). */
  async maintain(account: Account, secretHash: Uint8Array): Promise<void> {
    const { record, chain } = account
    if (this.#money === undefined || !record.consented || chain === undefined || chain.state !== 'normal') return
    const name = record.contract.toString()
    if (Date.now() - (this.#maintainedAt.get(name) ?? 0) < maintenancePauseMs) return
    try {
      if (!sameBytes(chain.secretHash, secretHash)) {
        this.#maintainedAt.set(name, Date.now())
        const changed = (_before: unknown, now: ContractState): boolean => sameBytes(now.secretHash, secretHash)
        await this.#act(record.contract, (one) => changeSecretMessage(one, secretHash), changed)
      } else if (account.wantsCharge) {
        this.#maintainedAt.set(name, Date.now())
        await this.charge(record.contract)
        this.#maintainedAt.delete(name)
      }
    } catch (thrown) {
      this.#logger.warn('account maintenance failed', { reason: asError(thrown).message })
    }
  }

  #record(contract: Address): AccountRecord {
    const record = this.#store.find(contract)
    if (record === undefined) throw new Failure('account-unknown', 'There is no such account.')
    return record
  }

  /** As `#send`, when no other action is under way. */
  #act(contract: Address, ...action: Action): Promise<ContractState> {
    return this.#alone(({ wallet }) => this.#send(wallet, contract, ...action))
  }

  /** Sends one message and waits until `done` holds on chain; returns that state. */
  async #send(wallet: Sender, contract: Address, ...[message, done]: Action): Promise<ContractState> {
    const before = await this.read(contract)
    await wallet.send([message(this.#record(contract))])
    const limit = Date.now() + confirmLimitMs
    do {
      const now = await this.read(contract)
      if (now !== undefined && done(before, now)) return now
      await pause(confirmEveryMs)
    } while (Date.now() < limit)
    throw new Failure('not-confirmed', 'The message was sent, but the contract does not show its effect yet.', {
      advice: 'Look at the account again in a few minutes before you repeat it.',
      money: 'The wallet has paid the message; unused value comes back by itself.',
    })
  }

  async #alone<T>(action: (money: { readonly chain: Chain; readonly wallet: Sender }) => Promise<T>): Promise<T> {
    const money = this.#needMoney()
    const result = this.#queue.then(() => action(money))
    this.#queue = result.catch(() => undefined)
    return result
  }

  #needMoney(): { readonly chain: Chain; readonly wallet: Sender } {
    if (this.#money === undefined) throw new Failure('no-blockchain', 'This network has no blockchain.')
    return this.#money
  }
}
