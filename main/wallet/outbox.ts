import { type Address, beginCell, type Cell, external, fromNano, type StateInit, storeMessage, type Transaction } from '@ton/core'
import { exitCodeSentence } from '../../contracts/common.ts'
import { asError, Failure } from '../base/failure.ts'
import { pause } from '../base/pause.ts'
import type { AccountState, Chain } from '../ton/chain.ts'
import { findExecution } from './execution.ts'
import type { OutMessage } from './sender.ts'

/** What becomes of a send when it fails; `send-unknown` is the only one that leaves the money's fate open. */
export type SendFailureCode =
  | 'balance-too-low'
  | 'wallet-below-minimum'
  | 'wallet-blocked'
  | 'wallet-frozen'
  | 'wallet-unreadable'
  | 'send-refused'
  | 'send-expired'
  | 'send-superseded'
  | 'send-failed'
  | 'send-incomplete'
  | 'send-unknown'

/** The kind of wallet: how it is made, read and signed for. */
export interface WalletScheme {
  readonly address: Address
  readonly init: Required<Pick<StateInit, 'code' | 'data'>>
  /** Sequence number that the next message needs. `data` is null for a wallet that is not deployed. */
  seqno(data: Cell | null): number
  /** Throws a Failure when the wallet's own rules forbid the send now. */
  check(state: AccountState, messages: readonly OutMessage[]): void
  /** Signed body of the external message. */
  body(order: { seqno: number; validUntilSec: number; messages: readonly OutMessage[] }): Cell
}

export interface OutboxTiming {
  /** Pause between looks at the chain. Default 250 ms on the local network, 1.5 s elsewhere. */
  readonly pollMs?: number
  /** The same message is handed over again after this time (protocol 60 §8). Default 30 s. */
  readonly resendMs?: number
  /** How long the network may take to execute a message before it becomes void. Default 300 s. */
  readonly validForMs?: number
  /** Unix milliseconds. */
  readonly now?: () => number
}

/** After the end of validity: room for clocks that differ, and for an endpoint that is behind. */
const graceMs = 60_000
/** Without a readable endpoint the answer after validity and grace is "unknown". */
const blindMs = 60_000

const nothingSent = 'Nothing was sent.'

/** Sends of one wallet, one after the other, each followed until its fate on chain is known. */
export class Outbox {
  readonly #chain: Chain
  readonly #scheme: WalletScheme
  readonly #timing: Required<OutboxTiming>
  readonly #closing = new AbortController()
  #last: Promise<unknown> = Promise.resolve()

  constructor(chain: Chain, scheme: WalletScheme, timing: OutboxTiming = {}) {
    this.#chain = chain
    this.#scheme = scheme
    this.#timing = {
      pollMs: timing.pollMs ?? (chain.kind === 'local' ? 250 : 1500),
      resendMs: timing.resendMs ?? 30_000,
      validForMs: timing.validForMs ?? 300_000,
      now: timing.now ?? Date.now,
    }
  }

  /** As `Sender.send`. A send that was still followed when `close` was called ends with `send-unknown`. */
  send(messages: readonly OutMessage[], last?: () => Promise<void>): Promise<Transaction> {
    if (messages.length < 1 || messages.length > 4) {
      return Promise.reject(new RangeError(`A wallet sends 1 to 4 messages at once, not ${messages.length}.`))
    }
    const result = this.#last.then(() => this.#sendOne(messages, last))
    this.#last = result.catch(() => undefined)
    return result
  }

  close(): void {
    this.#closing.abort()
  }

  async #sendOne(messages: readonly OutMessage[], last?: () => Promise<void>): Promise<Transaction> {
    const order = await this.#prepare(messages)
    await last?.()
    let answered = true
    try {
      await this.#chain.send(order.boc)
    } catch (thrown) {
      if (!(thrown instanceof Failure)) throw thrown
      if (thrown.code === 'send-refused') throw refused(thrown)
      // It may have arrived all the same. From here on only the chain can tell.
      answered = false
    }
    return this.#follow(order, messages.length, answered)
  }

  async #prepare(messages: readonly OutMessage[]): Promise<Order> {
    if (this.#closing.signal.aborted) throw new Failure('send-refused', 'The wallet is closed.', { money: nothingSent })
    const { address, init } = this.#scheme
    let state: AccountState
    try {
      state = await this.#chain.account(address)
    } catch (thrown) {
      const error = asError(thrown)
      const code = error instanceof Failure ? error.code : 'chain-malformed'
      throw new Failure(code, error.message, { money: nothingSent, retryable: true, cause: thrown })
    }
    if (state.status === 'frozen') {
      throw new Failure('wallet-frozen', 'TON has frozen this wallet because it owed storage fees.', { money: nothingSent })
    }
    this.#scheme.check(state, messages)
    const deployed = state.status === 'active'
    const seqno = this.#scheme.seqno(deployed ? state.data : null)
    const validUntilMs = this.#timing.now() + this.#timing.validForMs
    const body = this.#scheme.body({ seqno, validUntilSec: Math.floor(validUntilMs / 1000), messages })
    const message = external({ to: address, body, ...(deployed ? {} : { init }) })
    return {
      seqno,
      validUntilMs,
      bodyHash: body.hash(),
      afterLt: state.last?.lt ?? 0n,
      boc: new Uint8Array(beginCell().store(storeMessage(message)).endCell().toBoc()),
    }
  }

  async #follow(order: Order, messageCount: number, answered: boolean): Promise<Transaction> {
    const { now, resendMs, pollMs } = this.#timing
    let handedOverMs = answered ? now() : now() - resendMs + Math.min(resendMs, 2000)
    for (;;) {
      const lookedMs = now()
      const fate = await this.#look(order)
      if (fate.kind === 'executed') return requireSent(fate.transaction, messageCount)
      if (fate.kind === 'superseded') {
        throw new Failure('send-superseded', 'Another message of this wallet was executed in its place.', {
          money: nothingSent,
          advice: 'The wallet is used elsewhere too. Look at its transactions, then try again.',
          retryable: true,
        })
      }
      if (fate.kind === 'absent' && lookedMs > order.validUntilMs + graceMs) {
        throw new Failure('send-expired', 'TON did not execute the message before it became void.', {
          money: nothingSent,
          retryable: true,
        })
      }
      if (this.#closing.signal.aborted || lookedMs > order.validUntilMs + graceMs + blindMs) throw unknown(order)
      if (lookedMs - handedOverMs >= resendMs && lookedMs < order.validUntilMs) {
        handedOverMs = lookedMs
        // A refusal now says little: the first copy may be the reason for it.
        await this.#chain.send(order.boc).catch(() => undefined)
      }
      await pause(pollMs, this.#closing.signal)
    }
  }

  async #look(order: Order): Promise<Fate> {
    try {
      const found = await findExecution(this.#chain, this.#scheme.address, order.bodyHash, order.afterLt)
      if (found.transaction !== undefined) return { kind: 'executed', transaction: found.transaction }
      if (!found.otherSend) return { kind: 'absent' }
      const state = await this.#chain.account(this.#scheme.address)
      return { kind: this.#scheme.seqno(state.data) > order.seqno ? 'superseded' : 'absent' }
    } catch (thrown) {
      if (thrown instanceof Failure) return { kind: 'unreadable' }
      throw thrown
    }
  }
}

interface Order {
  readonly seqno: number
  readonly validUntilMs: number
  readonly bodyHash: Uint8Array
  /** The wallet's newest transaction before the send. */
  readonly afterLt: bigint
  readonly boc: Uint8Array
}

type Fate =
  | { readonly kind: 'executed'; readonly transaction: Transaction }
  | { readonly kind: 'superseded' | 'absent' | 'unreadable' }

/** The wallet took the message; whether each transfer left is written in the transaction. */
function requireSent(transaction: Transaction, messageCount: number): Transaction {
  const sent = transaction.outMessagesCount
  if (sent === messageCount) return transaction
  const fee = `TON kept a fee of ${fromNano(transaction.totalFees.coins)} TON.`
  if (sent > 0) {
    throw new Failure('send-incomplete', `TON sent ${sent} of ${messageCount} transfers; the wallet could not cover the rest.`, {
      money: `${sent} of ${messageCount} transfers were sent, the rest stayed in the wallet. ${fee}`,
    })
  }
  const { description } = transaction
  const action = description.type === 'generic' ? description.actionPhase : undefined
  const why = action ? ` (action code ${action.resultCode})` : ''
  throw new Failure('send-failed', `TON executed the message, but the transfer did not leave the wallet${why}.`, {
    money: `The money stayed in the wallet. ${fee}`,
    advice: 'Check the balance: amount and fees have to fit in.',
  })
}

function refused(failure: Failure): Failure {
  const code = exitCodeIn(failure.message)
  return new Failure('send-refused', code === undefined ? failure.message : `The wallet refused the message: ${sentence(code)}`, {
    money: nothingSent,
    retryable: true,
    cause: failure,
  })
}

/** Endpoints write `Exit code 133.` or `exitcode=133`. */
function exitCodeIn(text: string): number | undefined {
  const match = /exit\s?code\s?[=:]?\s?(-?\d{1,6})/i.exec(text)
  return match === null ? undefined : Number(match[1])
}

/** Codes of the W5 wallet; the Cocoon wallet's are in `contracts/common.ts`. */
const w5Sentences: Readonly<Record<number, string>> = {
  132: 'Signatures are switched off in it.',
  133: 'It expects another sequence number.',
  134: 'The message is for another wallet.',
  135: 'The signature is wrong.',
  136: 'The message has expired.',
}

function sentence(code: number): string {
  return w5Sentences[code] ?? exitCodeSentence(code)
}

function unknown(order: Order): Failure {
  const until = new Date(order.validUntilMs).toISOString()
  return new Failure('send-unknown', 'It could not be seen whether TON executed the message.', {
    money: `It is not known whether the transfer was made. It cannot happen any more after ${until}.`,
    advice: 'Look at the transactions of the wallet before you send again.',
  })
}
