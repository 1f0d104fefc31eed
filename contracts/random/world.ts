import { type Address, Cell, internal, SendMode } from '@ton/core'
import type { Executor } from '@ton/sandbox'
import { contractInit } from '../cells.ts'
import { cocoonWalletBody, type WalletTransfer } from '../cocoon-wallet.ts'
import { type SignedPayload, signedPayloadCell } from '../signed.ts'
import { addressOf, type Key, keyOf } from './account.ts'
import { Books } from './books.ts'
import {
  type Actor,
  type Cast,
  type Contract,
  clientContract,
  type Operator,
  proxyContract,
  purse,
  workerContract,
} from './cast.ts'
import { dataOf, judge, judgeFrozen, type Model, Violation } from './judge.ts'
import { externalParcel, internalParcel, Ledger, type Step } from './ledger.ts'
import type { ClientModel, ProxyModel, Terms, WorkerModel } from './model-layout.ts'
import type { RootModel } from './model-root.ts'
import type { WalletModel } from './model-wallet.ts'
import { observe } from './observe.ts'

export const START_SEC = 1_800_000_000
const WALLET_FUNDS = 100_000_000_000_000n

/** Hold every step against the model and everything else against the books, or watch the books alone. */
export type Watch = 'model' | 'books'

/** What an operator's key signed, delivered or not. */
export interface SignedEntry {
  readonly payload: SignedPayload
  readonly cell: Cell
  readonly signature: Uint8Array
  /** The contract that it is for. */
  readonly contract: Key
  /** The operator meant it: the right key, for its own contract. */
  readonly isTrue: boolean
}

export interface SendOptions {
  readonly deploy?: Contract | undefined
  readonly bounce?: boolean
  /** Who is named as receiver of the surplus. */
  readonly excesses?: Actor | undefined
}

/** Everything there is: the chain, what the model makes of it, and who knows what. */
export class World {
  readonly cast: Cast
  readonly ledger: Ledger
  readonly root: Contract
  contracts = new Map<Key, Contract>()
  models = new Map<Key, Model>()
  books = new Books()
  signed: SignedEntry[] = []
  /** Root contracts that a full upgrade may put in place, by the hash of their data. */
  drafts = new Map<string, RootModel>()
  /** Every set of terms that the root contract has had, oldest first. */
  terms: readonly Terms[]
  readonly codes: { readonly root: Cell }
  /** Client contracts that an honest operator will sign no more charges for, workers no more payouts. */
  finished = new Set<Key>()
  /** How often each contract ended a message how; forks count along. */
  seen = new Map<string, number>()

  private readonly watch: Watch

  private constructor(
    cast: Cast,
    ledger: Ledger,
    root: Contract,
    codes: { readonly root: Cell },
    terms: readonly Terms[],
    watch: Watch,
  ) {
    this.watch = watch
    this.cast = cast
    this.ledger = ledger
    this.root = root
    this.codes = codes
    this.terms = terms
  }

  /** A root contract that is deployed, wallets with money, and nothing else. */
  static async create(executor: Executor, cast: Cast, rootModel: RootModel, watch: Watch): Promise<World> {
    const ledger = new Ledger(executor, START_SEC)
    const made = contractInit(rootModel.code, dataOf(rootModel))
    const init = made.init
    const root: Contract = {
      kind: 'root',
      key: keyOf(made.address),
      init,
      fresh: rootModel,
      proxy: null,
      owner: null,
      operator: null,
    }
    const world = new World(cast, ledger, root, { root: rootModel.code }, [rootModel.terms], watch)
    const bank = purse('bank')
    world.open(root)
    for (const actor of [...cast.clients, ...cast.workers]) {
      if (actor.kind === 'node') world.open(actor.contract)
      if (actor.kind === 'ordinary') ledger.open(actor.key)
      if (actor.kind === 'purse') continue
      ledger.push(internalParcel(bank.key, actor.key, WALLET_FUNDS, Cell.EMPTY, { bounce: false }))
      ledger.purses.set(bank.key, { sent: ledger.purse(bank.key).sent + WALLET_FUNDS, received: 0n })
    }
    const [owner] = cast.rootOwners
    if (owner === undefined) throw new RangeError('a network needs an owner')
    await world.send(owner, root.key, 1_000_000_000n, Cell.EMPTY, { deploy: root })
    await world.drain()
    return world
  }

  /** The same world, going its own way from here. */
  fork(): World {
    const copy = new World(this.cast, this.ledger.fork(), this.root, this.codes, this.terms, this.watch)
    copy.contracts = new Map(this.contracts)
    copy.models = new Map(this.models)
    copy.books = this.books.fork()
    copy.signed = [...this.signed]
    copy.drafts = new Map(this.drafts)
    copy.finished = new Set(this.finished)
    copy.seen = this.seen
    return copy
  }

  open(contract: Contract): Contract {
    if (!this.contracts.has(contract.key)) {
      this.contracts.set(contract.key, contract)
      this.ledger.open(contract.key)
      this.books.open(contract)
    }
    return contract
  }

  proxyOf(operator: Operator, terms: Terms): Contract {
    return this.open(proxyContract(terms, addressOf(this.root.key), operator))
  }

  clientOf(owner: Actor, proxy: Contract): Contract {
    return this.open(clientContract((proxy.fresh as ProxyModel).terms, proxy, owner))
  }

  workerOf(owner: Actor, proxy: Contract): Contract {
    return this.open(workerContract((proxy.fresh as ProxyModel).terms, proxy, owner))
  }

  ofKind(kind: Model['kind']): Contract[] {
    return [...this.contracts.values()].filter((contract) => contract.kind === kind)
  }

  deployed(kind: Model['kind']): Contract[] {
    return this.ofKind(kind).filter((contract) => this.models.has(contract.key))
  }

  /** The contract as it is, or as it would be deployed. */
  model(contract: Contract): Model {
    return this.models.get(contract.key) ?? contract.fresh
  }

  client(contract: Contract): ClientModel {
    const model = this.model(contract)
    if (model.kind !== 'client') throw new TypeError(`${contract.key} is no client`)
    return model
  }

  worker(contract: Contract): WorkerModel {
    const model = this.model(contract)
    if (model.kind !== 'worker') throw new TypeError(`${contract.key} is no worker`)
    return model
  }

  proxy(key: Key): ProxyModel {
    const contract = this.contracts.get(key)
    const model = contract === undefined ? undefined : this.model(contract)
    if (model?.kind !== 'proxy') throw new TypeError(`${key} is no proxy`)
    return model
  }

  get rootModel(): RootModel {
    const model = this.model(this.root)
    if (model.kind !== 'root') throw new TypeError('the root is no root')
    return model
  }

  held(key: Key): bigint {
    return this.ledger.account(key).balance
  }

  /** Signs with the operator's key, and keeps it. */
  sign(operator: Operator, payload: SignedPayload): SignedEntry {
    const cell = signedPayloadCell(payload)
    const contract = keyOf(payload.contract)
    const isTrue = this.contracts.get(contract)?.operator?.pair === operator.pair
    const entry = { payload, cell, signature: operator.pair.sign(cell.hash()), contract, isTrue }
    this.signed.push(entry)
    const isForClient = payload.kind.startsWith('client')
    const book = isForClient ? this.books.clients.get(contract) : this.books.workers.get(contract)
    const total = payload.tokens ?? 0n
    if (isTrue && book !== undefined && total > book.signed) book.signed = total
    return entry
  }

  /** Sends a message; from a wallet by an order that is carried out at once. */
  async send(from: Actor, to: Key, value: bigint, body: Cell, options: SendOptions = {}) {
    const { deploy, bounce = true, excesses } = options
    if (excesses !== undefined && excesses.key !== from.key) this.books.gift(excesses.key, value)
    const init = deploy?.init ?? null
    if (from.kind === 'purse') return this.ledger.send(from.key, to, value, body, { init, bounce })
    const message = internal({ to: addressOf(to), value, bounce, body, ...(init === null ? {} : { init }) })
    if (from.kind === 'node') return this.order(from, [{ message }])
    const deployed = this.ledger.account(from.key).status === 'active'
    const order = await from.wallet.createTransfer({
      seqno: this.ordinarySeqno(from),
      messages: [message],
      sendMode: SendMode.PAY_GAS_SEPARATELY,
      timeout: this.ledger.nowSec + 60,
      signer: async (cell) => Buffer.from(from.pair.sign(cell.hash())),
    })
    await this.external(externalParcel(from.key, order, deployed ? null : from.wallet.init))
  }

  /** An order to a node's wallet, by its own key or another. */
  async order(
    from: Extract<Actor, { kind: 'node' }>,
    transfers: WalletTransfer[],
    wrong: { seqno?: number; validUntilSec?: number; signer?: Actor & { kind: 'node' } } = {},
  ): Promise<Step | null> {
    const deployed = this.models.has(from.key)
    const { seqno } = this.model(from.contract) as WalletModel
    const validUntilSec = Math.min(wrong.validUntilSec ?? this.ledger.nowSec + 3600, 2 ** 32 - 1)
    const order = { seqno: wrong.seqno ?? seqno, validUntilSec, transfers }
    const body = cocoonWalletBody(order, (wrong.signer ?? from).pair.sign)
    return this.external(externalParcel(from.key, body, deployed ? null : from.contract.init))
  }

  private ordinarySeqno(from: Extract<Actor, { kind: 'ordinary' }>): number {
    const { data } = this.ledger.account(from.key)
    // Data of a W5 wallet begin with one bit of signature mode and the seqno.
    return data === null ? 0 : ((data.data.readUInt32BE(0) << 1) | (data.data.readUInt8(4) >> 7)) >>> 0
  }

  /** Outer messages do not wait: their order among themselves is the sender's business. */
  private async external(parcel: ReturnType<typeof externalParcel>): Promise<Step | null> {
    this.ledger.push(parcel)
    return this.deliver(this.ledger.flight.length - 1)
  }

  /** Delivers one message and holds what it did against the model. */
  async deliver(index: number): Promise<Step | null> {
    const step = await this.ledger.deliver(index)
    if (step === null) return null
    const contract = this.contracts.get(step.parcel.to)
    if (contract === undefined) return step
    const known = this.models.get(contract.key)
    const before = known ?? (step.parcel.init ? contract.fresh : null)
    if (before === null) {
      if (step.skipped === null) throw new Violation(`${contract.kind} ${contract.key} ran without being deployed`)
      return step
    }
    if (known !== undefined && step.after.status !== 'active') {
      judgeFrozen(known, step)
      this.books.note(contract, step, known, known, false)
      return step
    }
    const { next, done, how } = this.settle(contract, before, step)
    this.seen.set(how, (this.seen.get(how) ?? 0) + 1)
    if (step.after.status === 'active') this.models.set(contract.key, next)
    this.books.note(contract, step, before, step.after.status === 'active' ? next : before, done)
    if (contract === this.root) this.noteTerms()
    return step
  }

  /** What the contract is afterwards: as the model says, or as the chain says where only the books are watched. */
  private settle(contract: Contract, before: Model, step: Step) {
    if (this.watch === 'books' && contract.kind !== 'root' && contract.kind !== 'wallet') {
      return { ...observe(before, step), how: `${contract.kind} observed` }
    }
    const { next, verdict } = judge(before, step, this.drafts)
    const refusal = step.skipped ?? (step.exitCode || `action ${step.actionCode}`)
    const how = `${contract.kind} ${verdict.kind === 'refused' ? refusal : verdict.kind}`
    return { next, done: verdict.kind === 'done', how }
  }

  private noteTerms() {
    const { terms } = this.rootModel
    if (!this.terms.includes(terms)) this.terms = [...this.terms, terms]
  }

  /** Delivers until nothing is in flight, always the oldest first unless `choose` says otherwise. */
  async drain(choose: (possible: readonly number[]) => number = () => 0) {
    for (let count = 0; this.ledger.flight.length > 0; count += 1) {
      if (count > 2_000) throw new Violation('messages without end')
      await this.deliver(choose(this.ledger.deliverable()))
    }
  }

  pass(seconds: number) {
    this.ledger.nowSec += seconds
  }

  address(actor: Actor): Address {
    return addressOf(actor.key)
  }
}
