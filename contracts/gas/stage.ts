import { createHash } from 'node:crypto'
import { type Cell, type StateInit, toNano } from '@ton/core'
import { Executor } from '@ton/sandbox'
import type { ContractInit } from '../cells.ts'
import { clientInit } from '../client.ts'
import { cocoonWalletInit } from '../cocoon-wallet.ts'
import { contractCode } from '../code.ts'
import type { Params } from '../params.ts'
import { proxyInit } from '../proxy.ts'
import { addressOf, type Key, keyOf } from '../random/account.ts'
import { purse } from '../random/cast.ts'
import { keyNamed } from '../random/keys.ts'
import { Ledger, type Step } from '../random/ledger.ts'
import { type KeyManager, rootInit } from '../root.ts'
import { type SignedKind, type SignedPayload, signMessage } from '../signed.ts'
import { workerInit } from '../worker.ts'

/** Terms as on the main network, with delays that do not matter here. */
export const GAS_PARAMS: Params = {
  structVersion: 3,
  paramsVersion: 1,
  uniqueId: 77,
  isTest: false,
  pricePerToken: 20n,
  workerFeePerToken: 15n,
  multipliers: { prompt: 10_000, cached: 1_000, completion: 80_000, reasoning: 80_000 },
  proxyDelaySec: 60,
  clientDelaySec: 30,
  minProxyStake: toNano('1'),
  minClientStake: toNano('15'),
  codes: { proxy: contractCode.proxy, worker: contractCode.worker, client: contractCode.client },
}

const START_SEC = 1_800_000_000

/** One network with one of everything, to send a message to and see what it costs. */
export class Stage {
  readonly ledger: Ledger
  readonly owner = purse('owner').key
  readonly stranger = purse('stranger').key
  readonly signer = keyNamed('proxy')
  readonly root: ContractInit
  readonly proxy: ContractInit
  readonly client: ContractInit
  readonly worker: ContractInit
  readonly wallet: ContractInit
  /** Everything that has run, oldest first. */
  readonly history: Step[] = []
  readonly names: ReadonlyMap<Key, string>

  private constructor(executor: Executor, params: Params) {
    this.ledger = new Ledger(executor, START_SEC)
    const owner = addressOf(this.owner)
    const publicKey = this.signer.publicKey
    // The root has our code whatever the others have: the older generation left none.
    const hasManager = params.structVersion >= 4
    this.root = rootInit(contractCode.root, { owner, params, ...(hasManager ? { keyManager: managerOf(publicKey) } : {}) })
    this.proxy = proxyInit({ owner, publicKey, root: this.root.address, params })
    const member = { owner, proxy: this.proxy.address, publicKey, params }
    this.client = clientInit(member)
    this.worker = workerInit(member)
    this.wallet = cocoonWalletInit(publicKey, owner)
    const contracts = { root: this.root, proxy: this.proxy, client: this.client, worker: this.worker, wallet: this.wallet }
    this.names = new Map(Object.entries(contracts).map(([name, { address }]) => [keyOf(address), name]))
    for (const key of this.names.keys()) this.ledger.open(key)
  }

  static async create(params: Params = GAS_PARAMS): Promise<Stage> {
    executor ??= Executor.create()
    return new Stage(await executor, params)
  }

  /** Sends a message and returns everything that ran because of it, in order. */
  async send(from: Key, to: ContractInit, value: bigint, body: Cell, deploys = true): Promise<Step[]> {
    const init: StateInit | null = deploys ? to.init : null
    this.ledger.send(from, keyOf(to.address), value, body, { init })
    return this.settle()
  }

  async settle(): Promise<Step[]> {
    const steps: Step[] = []
    while (this.ledger.flight.length > 0) {
      const step = await this.ledger.deliver(0)
      if (step !== null) steps.push(step)
    }
    this.history.push(...steps)
    return steps
  }

  /** A message that the proxy's key signed; the surplus goes to the stranger. */
  signed(kind: SignedKind, tokens: bigint): Cell {
    const contract = kind.startsWith('client') ? this.client : kind.startsWith('worker') ? this.worker : this.proxy
    const head = { queryId: 7n, contract: contract.address }
    const isClose = kind === 'proxy-close-request' || kind === 'proxy-close-complete'
    const payload: SignedPayload = isClose ? { kind, ...head } : { kind, ...head, tokens }
    return signMessage(payload, addressOf(this.stranger), this.signer.sign)
  }
}

let executor: Promise<Executor> | undefined

/** A key manager that lists by the key of the stage, with one key listed already. */
function managerOf(publicKey: Buffer): KeyManager {
  const listed = { publicKey: someHash('listed').toString('hex'), type: 1, expiresAtSec: START_SEC + 86_400 }
  return { keys: [listed], publicKey: publicKey.toString('hex'), imageHash: someHash('image').toString('hex'), endpoints: null }
}

/** 32 bytes that stand for a hash. */
export const someHash = (name: string) => createHash('sha256').update(name).digest()
