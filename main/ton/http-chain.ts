import { type Address, Cell, type Transaction, type TupleItem, type TupleReader } from '@ton/core'
import { TonClient } from '@ton/ton'
import { asError, Failure } from '../base/failure.ts'
import { type Logger, silentLogger } from '../base/logger.ts'
import { pause } from '../base/pause.ts'
import type { AccountState, Chain } from './chain.ts'
import { shownEndpoint } from './endpoint-place.ts'
import { watchTransactions } from './follow.ts'
import { postByFetch } from './http-post.ts'

export interface HttpChainOptions {
  readonly kind: Chain['kind']
  /** Full address of the JSON-RPC endpoint, e.g. `http://127.0.0.1:4480/api/v2/jsonRPC`. */
  readonly endpoint: string
  /** Where it answers now, asked before each call: for a chain whose port differs between starts. `endpoint`, unless given. */
  readonly endpointNow?: () => string
  /** Pause between looks of `watch`; 250 ms on the local network, 2 s elsewhere by default. */
  readonly pollIntervalMs?: number
  /** How long one call may take. Default 15 s. */
  readonly timeoutMs?: number
  /** How long a read is repeated while the endpoint does not answer. Default 30 s on the local network (a restart), 5 s elsewhere. */
  readonly retryForMs?: number
  readonly apiKey?: string
  /** Closes the chain: a call under way gets a second to end, nothing is repeated, and all that is asked or watched then fails with `chain-closed`. */
  readonly closed?: AbortSignal
  readonly logger?: Logger
}

/** What calls under way get when the chain is closed. */
const closeGraceMs = 1_000

/**
 * A `Chain` over an endpoint that speaks the second version of the toncenter HTTP API. All answers are taken on trust of the
 * endpoint (no proofs), but not on trust of their form: `chain-malformed` for anything that does not parse or that belongs to
 * another account.
 */
export function httpChain(options: HttpChainOptions): Chain {
  const { endpointNow = () => options.endpoint } = options
  const closed = options.closed ?? new AbortController().signal
  const cut = new AbortController()
  closed.addEventListener('abort', () => setTimeout(() => cut.abort(), closeGraceMs).unref(), { once: true })
  const client = new TonClient({
    endpoint: options.endpoint,
    timeout: options.timeoutMs ?? 15_000,
    httpAdapter: async (config) => {
      if (closed.aborted) throw chainClosed()
      return postByFetch({ ...config, url: endpointNow() }, cut.signal)
    },
    ...(options.apiKey === undefined ? {} : { apiKey: options.apiKey }),
  })
  const pollIntervalMs = options.pollIntervalMs ?? (options.kind === 'local' ? 250 : 2000)
  const retryForMs = options.retryForMs ?? (options.kind === 'local' ? 30_000 : 5000)
  const logger = options.logger ?? silentLogger
  const reading = <T>(call: () => Promise<T>): Promise<T> => repeated(() => parsed(call), retryForMs, closed)

  const transactions: Chain['transactions'] = async (address, limit, before) => {
    const list = await reading(() =>
      client.getTransactions(address, {
        limit,
        ...(before === undefined ? {} : { lt: before.lt.toString(), hash: Buffer.from(before.hash).toString('base64') }),
      }),
    )
    requireLinked(address, list, before?.lt)
    return list
  }

  const chain: Chain = {
    kind: options.kind,
    get endpoint() {
      return shownEndpoint(endpointNow())
    },
    account: (address) => reading(() => readAccount(client, address)),
    runGetter: (address, name, args) => reading(() => runGetter(client, address, name, args ?? [])),
    transactions,
    send: (boc) => send(client, boc),
    watch: async function* (address, afterLt, signal) {
      const either = AbortSignal.any([signal, closed])
      yield* watchTransactions({ read: transactions, address, afterLt, signal: either, intervalMs: pollIntervalMs, logger })
      if (!signal.aborted) throw chainClosed()
    },
  }
  return chain
}

async function readAccount(client: TonClient, address: Address): Promise<AccountState> {
  const state = await client.getContractState(address)
  const { lastTransaction } = state
  return {
    status: state.state === 'uninitialized' ? 'uninit' : state.state,
    balance: state.balance,
    code: state.code === null ? null : (Cell.fromBoc(state.code)[0] ?? null),
    data: state.data === null ? null : (Cell.fromBoc(state.data)[0] ?? null),
    last:
      lastTransaction === null
        ? null
        : { lt: BigInt(lastTransaction.lt), hash: new Uint8Array(Buffer.from(lastTransaction.hash, 'base64')) },
    block: { seqno: state.blockId.seqno, timeMs: state.timestampt * 1000 },
  }
}

async function runGetter(client: TonClient, address: Address, name: string, args: TupleItem[]): Promise<TupleReader> {
  const result = await client.runMethodWithError(address, name, args)
  // 1 is the alternative success code of TVM.
  if (result.exit_code === 0 || result.exit_code === 1) return result.stack
  throw new Failure('getter-failed', `The get-method ${name} of ${address.toString()} ended with exit code ${result.exit_code}.`)
}

/** What validators and liteservers say of a message that they have run and that its contract did not take. */
const judged = /cannot apply external message|not accepted|exit\s?code/i

/**
 * @throws Failure `send-refused` when the network judged the message and does not take it: it had no effect. Any other code, also
 *   `chain-refused` (toncenter answers 500 for a timeout behind it too): the message may be executed or not.
 */
async function send(client: TonClient, boc: Uint8Array): Promise<void> {
  try {
    await parsed(() => client.sendFile(Buffer.from(boc)))
  } catch (thrown) {
    if (!(thrown instanceof Failure) || thrown.code !== 'chain-refused' || !judged.test(thrown.message)) throw thrown
    throw new Failure('send-refused', `TON did not take the message. ${thrown.message}`, {
      money: 'Nothing was sent.',
      cause: thrown,
    })
  }
}

const chainClosed = (): Failure<'chain-closed'> =>
  new Failure('chain-closed', 'The chain is not asked any more.', { retryable: true })

/** Repeats a read while there is no answer, with growing pauses, until the chain is closed. Whatever the endpoint did answer is final. */
async function repeated<T>(call: () => Promise<T>, forMs: number, closed: AbortSignal): Promise<T> {
  const endMs = performance.now() + forMs
  for (let waitMs = 100; ; waitMs *= 2) {
    try {
      return await call()
    } catch (thrown) {
      const again = thrown instanceof Failure && (thrown.code === 'chain-unreachable' || thrown.code === 'chain-busy')
      if (!again || performance.now() + waitMs > endMs) throw thrown
      await pause(waitMs, closed)
    }
  }
}

/** Everything that is not a typed failure of the link is an answer that TonClient or the cell parser could not read. */
async function parsed<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (thrown) {
    if (thrown instanceof Failure) throw thrown
    const text = asError(thrown).message
    if (text.startsWith('Received error')) throw new Failure('chain-refused', text.slice(0, 400), { cause: thrown })
    throw new Failure('chain-malformed', `The TON endpoint's answer could not be read: ${text.slice(0, 300)}`, {
      retryable: true,
      cause: thrown,
    })
  }
}

/** Newest first, all of this account, and each the predecessor that the one above it names. */
function requireLinked(address: Address, list: readonly Transaction[], belowLt: bigint | undefined): void {
  const account = BigInt(`0x${address.hash.toString('hex')}`)
  let above: Transaction | undefined
  for (const transaction of list) {
    const linked =
      above === undefined
        ? belowLt === undefined || transaction.lt < belowLt
        : above.prevTransactionLt === transaction.lt && sameHash(above.prevTransactionHash, transaction)
    if (transaction.address !== account || !linked) {
      throw new Failure('chain-malformed', 'The TON endpoint sent transactions that do not follow each other.', {
        retryable: true,
      })
    }
    above = transaction
  }
}

/** True when `hash` (as a number, the way transactions name their predecessor) is that of `transaction`. */
export function sameHash(hash: bigint, transaction: Transaction): boolean {
  return hash === BigInt(`0x${transaction.hash().toString('hex')}`)
}
