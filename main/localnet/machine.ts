import { randomBytes } from 'node:crypto'
import {
  type Address,
  beginCell,
  Cell,
  getMethodId,
  loadMessage,
  loadTransaction,
  type Message,
  parseTuple,
  type ShardAccount,
  storeMessage,
  storeShardAccount,
  type TupleItem,
} from '@ton/core'
import { createEmptyShardAccount, defaultConfig, Executor } from '@ton/sandbox'
import { asError, Failure } from '../base/failure.ts'
import { accountKey, type Block, type Head, type Ledger, parseShardAccount, type StoredTransaction } from './ledger.ts'

/** Distance of logical times between transactions, as on the real chain. */
const ltStep = 1_000_000n
/** One external message may cause at most so many transactions; more is refused as a whole. */
const longestCascade = 1000
const getterGasLimit = 10_000_000n

export interface GenesisBalance {
  readonly address: Address
  /** nanoton */
  readonly balance: bigint
}

export interface GetterResult {
  readonly exitCode: number
  readonly gasUsed: number
  readonly stack: TupleItem[]
}

/**
 * The TON Virtual Machine over a ledger. An external message runs with everything it causes, is stored, and only then reported;
 * nothing is kept in memory that is not on disk.
 */
export class Machine {
  readonly #executor: Executor
  readonly #ledger: Ledger
  readonly #config: string
  readonly #nowSeconds: () => number
  #running: Promise<unknown> = Promise.resolve()

  private constructor(executor: Executor, ledger: Ledger, config: string, nowSeconds: () => number) {
    this.#executor = executor
    this.#ledger = ledger
    this.#config = config
    this.#nowSeconds = nowSeconds
  }

  /** Goes on with the ledger's chain, or makes one with `genesis` balances (`created`). */
  static async open(
    ledger: Ledger,
    genesis: readonly GenesisBalance[],
    nowSeconds: () => number,
  ): Promise<{ machine: Machine; created: boolean }> {
    let config = ledger.meta('config')
    const created = config === undefined
    if (config === undefined) {
      config = defaultConfig
      const accounts = new Map(genesis.map((one) => [accountKey(one.address), toBytes(withBalance(one))]))
      ledger.create(config, { seqno: 1, lt: ltStep, now: nowSeconds() }, accounts)
    }
    return { machine: new Machine(await Executor.create(), ledger, config, nowSeconds), created }
  }

  get head(): Head {
    return this.#ledger.head
  }

  account(address: Address): ShardAccount | undefined {
    const stored = this.#ledger.account(accountKey(address))
    return stored === undefined ? undefined : parseShardAccount(stored)
  }

  transactions(address: Address, limit: number, fromLt?: bigint): StoredTransaction[] {
    return this.#ledger.transactions(accountKey(address), limit, fromLt)
  }

  /**
   * Executes an external message and all that follows from it. Resolves when the result is on disk.
   * @throws Failure `message-malformed`, or `message-not-accepted` when the contract refuses it; neither changes anything.
   */
  send(boc: Uint8Array): Promise<Block> {
    const result = this.#running.then(() => this.#execute(parseExternal(boc)))
    this.#running = result.catch(() => undefined)
    return result
  }

  /** Resolves when no message is being executed. */
  async idle(): Promise<void> {
    await this.#running
  }

  /** Runs a get-method on the newest state. Exit code -13 stands for an account without code. */
  async runGetter(address: Address, method: string | number, stack: TupleItem[]): Promise<GetterResult> {
    const account = this.account(address)?.account
    const state = account?.storage.state
    if (account === undefined || account === null || state?.type !== 'active' || !state.state.code || !state.state.data) {
      return { exitCode: -13, gasUsed: 0, stack: [] }
    }
    const { output } = await this.#executor.runGetMethod({
      code: state.state.code,
      data: state.state.data,
      methodId: typeof method === 'number' ? method : getMethodId(method),
      stack,
      config: this.#config,
      verbosity: 'short',
      address,
      unixTime: this.#time(),
      balance: account.storage.balance.coins,
      randomSeed: randomBytes(32),
      gasLimit: getterGasLimit,
      debugEnabled: false,
    })
    if (!output.success) throw new Failure('getter-broken', `The emulator could not run the get-method: ${output.error}`)
    return {
      exitCode: output.vm_exit_code,
      gasUsed: Number(output.gas_used),
      stack: output.stack === '' ? [] : parseTuple(Cell.fromBase64(output.stack)),
    }
  }

  /** Never runs backwards, whatever the computer's clock does. */
  #time(): number {
    return Math.max(this.#nowSeconds(), this.#ledger.head.now)
  }

  async #execute(external: { message: Message; cell: Cell }): Promise<Block> {
    const now = this.#time()
    const changed = new Map<string, Uint8Array>()
    const transactions: Array<StoredTransaction & { account: string }> = []
    const queue: Message[] = [external.message]
    let cell: Cell | undefined = external.cell
    let { lt } = this.#ledger.head
    for (let message = queue.shift(); message !== undefined; message = queue.shift()) {
      if (transactions.length >= longestCascade) {
        throw notExecuted(`It causes more than ${longestCascade} transactions`, undefined)
      }
      // The virtual machine runs in this thread; other requests get their turn between transactions.
      if (transactions.length % 8 === 7) await new Promise(setImmediate)
      lt += ltStep
      const { dest } = message.info
      if (message.info.type === 'external-out' || dest === null || dest === undefined || !('workChain' in dest)) continue
      const account = accountKey(dest)
      const before = changed.get(account) ?? this.#ledger.account(account) ?? toBytes(createEmptyShardAccount(dest))
      const { result } = await this.#executor.runTransaction({
        config: this.#config,
        libs: null,
        verbosity: 'short',
        shardAccount: Buffer.from(before).toString('base64'),
        now,
        lt,
        randomSeed: randomBytes(32),
        ignoreChksig: false,
        debugEnabled: false,
        message: cell ?? beginCell().store(storeMessage(message)).endCell(),
      })
      cell = undefined
      if (!result.success) throw notExecuted(result.error, result.vmResults?.vmExitCode)
      const executed = Cell.fromBase64(result.transaction)
      const transaction = loadTransaction(executed.beginParse())
      changed.set(account, Buffer.from(result.shardAccount, 'base64'))
      transactions.push({ account, lt: transaction.lt, hash: executed.hash(), boc: Buffer.from(result.transaction, 'base64') })
      for (const out of transaction.outMessages.values()) if (out.info.type === 'internal') queue.push(out)
    }
    const block: Block = { head: { seqno: this.#ledger.head.seqno + 1, lt, now }, accounts: changed, transactions }
    this.#ledger.append(block)
    return block
  }
}

function parseExternal(boc: Uint8Array): { message: Message; cell: Cell } {
  let message: Message
  let cell: Cell | undefined
  try {
    const cells = Cell.fromBoc(Buffer.from(boc))
    cell = cells[0]
    if (cell === undefined || cells.length !== 1) throw new Error('a bag of cells with one root is needed')
    message = loadMessage(cell.beginParse())
  } catch (thrown) {
    throw new Failure('message-malformed', `This is no message: ${asError(thrown).message}`, { cause: thrown })
  }
  if (message.info.type !== 'external-in') throw new Failure('message-malformed', 'Only external messages are taken.')
  return { message, cell }
}

function notExecuted(error: string, exitCode: number | undefined): Failure {
  const code = exitCode === undefined ? '' : ` Exit code ${exitCode}.`
  return new Failure('message-not-accepted', `cannot apply external message to current state: ${error.slice(0, 200)}.${code}`)
}

function withBalance(genesis: GenesisBalance): ShardAccount {
  const shard = createEmptyShardAccount(genesis.address)
  if (shard.account) shard.account.storage.balance = { coins: genesis.balance }
  return shard
}

function toBytes(account: ShardAccount): Uint8Array {
  return beginCell().store(storeShardAccount(account)).endCell().toBoc()
}
