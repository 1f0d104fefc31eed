import { Address, Cell, type Message, toNano } from '@ton/core'
import { sha256_sync } from '@ton/crypto'
import { Blockchain, type BlockchainSnapshot, type BlockchainTransaction } from '@ton/sandbox'
import type { ContractInit } from './cells.ts'
import { type ClientState, clientInit, parseClientState } from './client.ts'
import { contractCode } from './code.ts'
import type { Params } from './params.ts'
import { type ProxyState, parseProxyState, proxyInit } from './proxy.ts'
import { parseRootState, type RootState, rootInit } from './root.ts'
import { keySigner, type PaymentKind, publicKeyOfSeed, type SignedKind, type SignedPayload, signMessage } from './signed.ts'
import { parseWorkerState, type WorkerState, workerInit } from './worker.ts'

/** The values of the local network. */
export const TEST_PARAMS: Params = {
  structVersion: 3,
  paramsVersion: 1,
  uniqueId: 77,
  isTest: true,
  pricePerToken: 200_000n,
  workerFeePerToken: 150_000n,
  multipliers: { prompt: 10_000, cached: 1_000, completion: 80_000, reasoning: 80_000 },
  proxyDelaySec: 60,
  clientDelaySec: 30,
  minProxyStake: toNano('1'),
  minClientStake: toNano('5'),
  codes: { proxy: contractCode.proxy, worker: contractCode.worker, client: contractCode.client },
}

const START_SEC = 1_800_000_000
const seedOf = (name: string) => new Uint8Array(sha256_sync(name))
/** Addresses without code keep every nanoton that reaches them, so receipts can be compared exactly. */
export const actor = (name: string) => new Address(0, sha256_sync(name))

export interface Sending {
  readonly from: Address
  readonly to: Address
  /** nanoton */
  readonly value: bigint
  readonly body?: Cell
  readonly deploy?: ContractInit
  /** As if the receiver had sent it and `from` had refused it. */
  readonly bounced?: boolean
  /** False: the value stays even where nothing can take it. Default: it comes back. */
  readonly bounce?: boolean
}

/** What one message caused, until nothing was in flight any more. */
export interface Outcome {
  /** Exit code of the first transaction's computation. */
  readonly exitCode: number
  /** Action phase result of the first transaction; 0 is success. */
  readonly actionCode: number
  readonly transactions: readonly BlockchainTransaction[]
  /** Codes of every computation or action phase that failed anywhere in the chain of messages. */
  readonly failures: readonly number[]
  /** Gas used per transaction, in order; 0 where nothing ran. */
  readonly gas: readonly number[]
  /** All fees of all transactions, nanoton. */
  readonly fees: bigint
  /** Values of the messages that arrived at an address, in order. */
  arrivedAt(address: Address): readonly { readonly value: bigint; readonly op: number | null; readonly body: Cell }[]
}

/** A chain with one proxy, a client and a worker of it, none of them deployed yet. */
export interface Testbed {
  readonly chain: Blockchain
  readonly params: Params
  readonly owner: Address
  readonly clientOwner: Address
  readonly workerOwner: Address
  readonly stranger: Address
  /** Receives the surplus in tests that look at payouts to owners. */
  readonly excesses: Address
  /** Of the proxy's key, 32 bytes. */
  readonly proxySeed: Uint8Array
  readonly root: ContractInit
  readonly proxy: ContractInit
  readonly client: ContractInit
  readonly worker: ContractInit
  /** Delivers one internal message and everything that follows; throws unless all Toncoin is accounted for to the nanoton. */
  send(sending: Sending): Promise<Outcome>
  /** The same for an external message, which brings no value. Throws when the account does not accept it. */
  sendExternal(boc: Uint8Array): Promise<Outcome>
  /** A message signed by the proxy's key (or another seed), as the proxy makes it. */
  signed(payload: SignedPayload, seedName?: string): Cell
  /** The same for the payloads that count tokens, for the testbed's own contracts. */
  payment(kind: SignedKind, tokens: bigint, queryId?: bigint): Cell
  /** As `payment`, with another receiver for the surplus. */
  signedTo(excesses: Address, kind: PaymentKind, tokens: bigint): Cell
  balance(address: Address): Promise<bigint>
  data(address: Address): Promise<Cell>
  proxyState(): Promise<ProxyState>
  clientState(): Promise<ClientState>
  workerState(): Promise<WorkerState>
  rootState(): Promise<RootState>
  pass(seconds: number): void
  /** Remembers everything; the result brings it back, as often as it is called. */
  save(): () => Promise<void>
}

// One chain per test file, emptied for each testbed: starting the emulator takes longer than most tests.
let emulator: Promise<{ chain: Blockchain; empty: BlockchainSnapshot }> | undefined

async function startEmulator() {
  const chain = await Blockchain.create()
  // Logs that nobody reads cost a third of the time.
  chain.verbosity = { print: false, blockchainLogs: false, vmLogs: 'none', debugLogs: false }
  return { chain, empty: chain.snapshot() }
}

/** A fresh testbed; the one before it must not be used any more. */
export async function createTestbed(params: Params = TEST_PARAMS): Promise<Testbed> {
  emulator ??= startEmulator()
  const { chain, empty } = await emulator
  await chain.loadFrom(empty)
  chain.now = START_SEC
  const owner = actor('proxy owner')
  const clientOwner = actor('client owner')
  const workerOwner = actor('worker owner')
  const excesses = actor('excesses')
  const publicKey = publicKeyOfSeed(seedOf('proxy key'))
  const root = rootInit(contractCode.root, { owner: actor('root owner'), params })
  const proxy = proxyInit({ owner, publicKey, root: root.address, params })
  const client = clientInit({ owner: clientOwner, proxy: proxy.address, publicKey, params })
  const worker = workerInit({ owner: workerOwner, proxy: proxy.address, publicKey, params })
  const balances = new Map<string, bigint>()

  const balance = async (address: Address) => (await chain.getContract(address)).balance
  const data = async (address: Address) => {
    const { accountState } = await chain.getContract(address)
    if (accountState?.type !== 'active' || !accountState.state.data) throw new Error(`no data at ${address}`)
    return accountState.state.data
  }
  const deliver = async (message: Message | Cell, value: bigint) => {
    const { transactions } = await chain.sendMessage(message)
    const outcome = outcomeOf(transactions)
    let change = 0n
    for (const key of new Set(transactions.map((transaction) => accountOf(transaction).toRawString()))) {
      const now = await balance(Address.parseRaw(key))
      change += now - (balances.get(key) ?? 0n)
      balances.set(key, now)
    }
    if (change + outcome.fees !== value) {
      throw new Error(`${value} nanoton came in, balances changed by ${change}, fees were ${outcome.fees}`)
    }
    return outcome
  }
  const signed = (payload: SignedPayload, seedName = 'proxy key') => signMessage(payload, excesses, keySigner(seedOf(seedName)))
  const contractOf = (kind: SignedKind) =>
    (kind.startsWith('client') ? client : kind.startsWith('worker') ? worker : proxy).address

  return {
    chain,
    params,
    owner,
    clientOwner,
    workerOwner,
    stranger: actor('stranger'),
    excesses,
    proxySeed: seedOf('proxy key'),
    root,
    proxy,
    client,
    worker,
    balance,
    data,
    signed,
    payment: (kind, tokens, queryId = 7n) => {
      const contract = contractOf(kind)
      if (kind === 'proxy-close-complete' || kind === 'proxy-close-request') return signed({ kind, queryId, contract })
      return signed({ kind, queryId, tokens, contract })
    },
    signedTo: (receiver, kind, tokens) =>
      signMessage({ kind, queryId: 7n, tokens, contract: contractOf(kind) }, receiver, keySigner(seedOf('proxy key'))),
    proxyState: async () => parseProxyState(await data(proxy.address)),
    clientState: async () => parseClientState(await data(client.address)),
    workerState: async () => parseWorkerState(await data(worker.address)),
    rootState: async () => parseRootState(await data(root.address)),
    save: () => {
      const saved = chain.snapshot()
      const kept = [...balances]
      return async () => {
        await chain.loadFrom(saved)
        balances.clear()
        for (const [key, value] of kept) balances.set(key, value)
      }
    },
    pass: (seconds) => {
      chain.now = (chain.now ?? START_SEC) + seconds
    },
    send: (sending) => deliver(internalMessage(sending), sending.value),
    sendExternal: (boc) => deliver(Cell.fromBoc(Buffer.from(boc))[0] ?? Cell.EMPTY, 0n),
  }
}

function internalMessage(sending: Sending): Message {
  return {
    info: {
      type: 'internal',
      ihrDisabled: true,
      bounce: sending.bounce ?? sending.bounced !== true,
      bounced: sending.bounced ?? false,
      src: sending.from,
      dest: sending.to,
      value: { coins: sending.value },
      ihrFee: 0n,
      forwardFee: 0n,
      createdAt: 0,
      createdLt: 0n,
    },
    init: sending.deploy?.init ?? null,
    body: sending.body ?? Cell.EMPTY,
  }
}

/** Where it ran. Of its own address a transaction only has the hash, and an owner may live in the masterchain. */
function accountOf({ inMessage }: BlockchainTransaction): Address {
  if (inMessage === undefined || inMessage === null || inMessage.info.type === 'external-out') throw new Error('nothing came in')
  return inMessage.info.dest
}

/** Fees are what transactions cost, and what a message pays on its way to the next account. */
function outcomeOf(transactions: readonly BlockchainTransaction[]): Outcome {
  let fees = 0n
  const gas: number[] = []
  const failures: number[] = []
  for (const transaction of transactions) {
    fees += transaction.totalFees.coins
    for (const message of transaction.outMessages.values()) {
      if (message.info.type === 'internal') fees += message.info.forwardFee
    }
    const { description } = transaction
    if (description.type !== 'generic') throw new Error('a transaction of another kind')
    const { computePhase, actionPhase } = description
    gas.push(computePhase.type === 'vm' ? Number(computePhase.gasUsed) : 0)
    if (computePhase.type === 'vm' && !computePhase.success) failures.push(computePhase.exitCode)
    if (actionPhase && !actionPhase.success) failures.push(actionPhase.resultCode)
  }
  const first = transactions[0]?.description
  if (first?.type !== 'generic') throw new Error('the message was not executed')
  return {
    exitCode: first.computePhase.type === 'vm' ? first.computePhase.exitCode : -1,
    actionCode: first.actionPhase?.resultCode ?? 0,
    transactions,
    failures,
    gas,
    fees,
    arrivedAt: (address) =>
      transactions.flatMap((transaction) => {
        const message = transaction.inMessage
        if (message?.info.type !== 'internal' || !message.info.dest.equals(address)) return []
        const slice = message.body.beginParse()
        const op = slice.remainingBits >= 32 ? slice.loadUint(32) : null
        return [{ value: message.info.value.coins, op, body: message.body }]
      }),
  }
}
