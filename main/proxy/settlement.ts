import type { Address, Cell } from '@ton/core'
import { ATTACH, randomQueryId } from '../../contracts/common.ts'
import { stateCommitMemo } from '../../contracts/proxy.ts'
import { type HashSigner, type PaymentKind, signMessage } from '../../contracts/signed.ts'
import { asError, Failure } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import type { OutMessage, Sender } from '../wallet/sender.ts'
import { type Account, isRefunded } from './account.ts'
import { type ProxyIdentity, peerContract } from './addresses.ts'
import type { Ledger } from './ledger.ts'
import type { PaymentDesk } from './payment-desk.ts'

export interface SettlementTerms {
  /** Charge a client once it owes this much, nanoton. */
  readonly chargeNano: bigint
  /** Pay a worker out once it has earned this much, nanoton. */
  readonly payoutNano: bigint
  /** Pay the commission out once so much of it is there, nanoton; left out = only when it is asked for. */
  readonly withdrawNano?: bigint
  /** How long after a change the chain commit is sent, ms; asked anew each time. */
  readonly chainCommitDelayMs: () => number
  /** How often the terms are looked at, ms. */
  readonly tickMs: number
  /** A message whose effect was not seen for so long is sent again, ms; twice as long after each that had none that lasts. */
  readonly resendMs: number
}

/** A payout costs fees that are lost with each that its receiver cannot take: at last it is tried every 8 hours or so. */
const mostDoublings = 8

/** Values of 50 §1 and §5 for networks with real coins. */
export const usualTerms: SettlementTerms = {
  chargeNano: 1_000_000_000n,
  payoutNano: 10_000_000_000n,
  withdrawNano: 10_000_000_000n,
  chainCommitDelayMs: () => 30_000 + Math.random() * 30_000,
  tickMs: 2_000,
  resendMs: 120_000,
}

export interface SettlementOptions {
  readonly identity: ProxyIdentity
  readonly contract: Address
  readonly ledger: Ledger
  readonly desk: PaymentDesk
  readonly sender: Sender
  readonly signer: HashSigner
  readonly terms: SettlementTerms
  readonly logger: Logger
  readonly now: () => number
  /**
   * True for the contract of former params: nobody uses it any more, so every client is refunded and every worker paid
   * whatever it has earned (50 §7).
   */
  readonly winding: () => boolean
}

interface Sent {
  readonly kind: PaymentKind
  readonly atMs: number
  readonly tokens: bigint
  /** Messages of this kind before it, in a row, without an effect that lasted. */
  readonly refusals: number
  /** The contract has said that it settled so much. It may take that back: then the proxy contract did not pay. */
  seen: boolean
}

/** Sends what the proxy owes the chain: commit memos, charges, payouts and refunds (50 §5, §6). */
export class Settlement {
  readonly #o: SettlementOptions
  /** Totals that were asked for, by account: a wish stands until the contract has settled so much, whatever fails on the way. */
  readonly #wanted = new Map<string, bigint[]>()
  readonly #sent = new Map<string, Sent>()
  #memo: { seqno: number; atMs: number } | undefined
  #memoDueMs: number | undefined
  #failures = 0
  #notBeforeMs = 0
  #busy = false

  constructor(options: SettlementOptions) {
    this.#o = options
  }

  /** Charge this client or pay this worker for all that is counted by now, below the threshold too, as soon as that is final. */
  want(account: Account): void {
    // A wish that is under way is not put off by a newer one, which follows it.
    const [first = account.max] = this.#wanted.get(account.key) ?? []
    this.#wanted.set(account.key, first < account.max ? [first, account.max] : [first])
    this.#memoDueMs = 0
  }

  /** A memo was seen on chain: the next one need not wait for it. */
  memoSeen(): void {
    this.#memo = undefined
  }

  /** One look. Never throws; a wallet that cannot send is asked again after a growing pause, a disk that cannot write at the next look. */
  async tick(): Promise<void> {
    const { now, sender, logger } = this.#o
    if (this.#busy || now() < this.#notBeforeMs) return
    this.#busy = true
    try {
      const messages = this.#dueOnDisk()
      for (let at = 0; at < messages.length; at += 4) await sender.send(messages.slice(at, at + 4))
      this.#failures = 0
    } catch (thrown) {
      this.#failures += 1
      // Sent twice does no harm: contracts refuse a total that is not larger.
      this.#memo = undefined
      this.#sent.clear()
      if (this.#wanted.size > 0) this.#memoDueMs = 0
      this.#notBeforeMs = now() + Math.min(5_000 * 2 ** (this.#failures - 1), 300_000)
      logger.warn('the wallet could not send', { error: asError(thrown).message, failures: this.#failures })
    } finally {
      this.#busy = false
    }
  }

  /** Nothing is sent while the disk refuses the counts behind it. */
  #dueOnDisk(): OutMessage[] {
    let memo: OutMessage | undefined
    try {
      memo = this.#memoDue()
    } catch (thrown) {
      if (!(thrown instanceof Failure)) throw thrown
      this.#o.logger.debug('a chain commit waits for the disk', { error: thrown.message })
      return []
    }
    const messages = [...this.#o.ledger.accounts].map((account) => this.#accountDue(account)).filter((m) => m !== undefined)
    return memo === undefined ? messages : [memo, ...messages]
  }

  #memoDue(): OutMessage | undefined {
    const { ledger, terms, now, contract, desk } = this.#o
    if (!ledger.chainBehind) {
      this.#memoDueMs = undefined
      return undefined
    }
    this.#memoDueMs ??= now() + terms.chainCommitDelayMs()
    if (now() < this.#memoDueMs) return undefined
    if (this.#memo !== undefined && now() - this.#memo.atMs < terms.resendMs) return undefined
    desk.commitNow()
    const commit = ledger.prepareChainCommit()
    if (commit === undefined) return undefined
    this.#memo = { seqno: commit.seqno, atMs: now() }
    this.#memoDueMs = undefined
    const body = stateCommitMemo({ queryId: randomQueryId(), seqno: commit.seqno, sessionHash: commit.session })
    // The contract ignores the memo; with 1 nanoton it could not even compute, so nothing may bounce.
    return { to: contract, value: ATTACH.stateCommit, body, mode: 1, bounce: false }
  }

  #accountDue(account: Account): OutMessage | undefined {
    const order = account.kind === 'client' ? this.#clientOrder(account) : this.#workerOrder(account)
    if (order === undefined) return undefined
    const { terms, now, logger } = this.#o
    const sent = this.#sent.get(account.key)
    const atMs = now()
    let refusals = 0
    if (sent !== undefined) {
      const isSame = order.kind === sent.kind
      const isSettled = sent.seen && account.settled >= sent.tokens
      if (!isSettled || (isSame && order.tokens <= sent.tokens)) {
        const waitMs = terms.resendMs * 2 ** (isSame ? Math.min(sent.refusals, mostDoublings) : 0)
        if (atMs - sent.atMs < waitMs) return undefined
        if (isSame) refusals = sent.refusals + 1
      } else if (isSame && atMs - sent.atMs < terms.resendMs) {
        // It may be taken back yet.
        refusals = sent.refusals
      }
    }
    this.#sent.set(account.key, { kind: order.kind, atMs, tokens: order.tokens, refusals, seen: false })
    logger.info(order.kind, { contract: account.contract.toString(), tokens: order.tokens })
    return this.#message(account, order.kind, order.tokens)
  }

  #clientOrder(account: Account): { kind: PaymentKind; tokens: bigint } | undefined {
    const { identity, terms } = this.#o
    const { client } = account
    if (client === undefined) return undefined
    this.#forgetDone(account, 'client-charge', client.used)
    if (isRefunded(client)) {
      this.#wanted.delete(account.key)
      return undefined
    }
    const final = account.running === 0 && account.chain === account.max
    // A contract that was closed by force keeps what the stake did not cover, until it is granted.
    if (client.state !== 'normal' || this.#o.winding()) {
      return final ? { kind: 'client-grant-refund', tokens: account.max } : undefined
    }
    const owed = (account.chain - client.used) * identity.params.pricePerToken
    if (owed <= 0n || (owed < terms.chargeNano && !this.#isDue(account))) return undefined
    return { kind: 'client-charge', tokens: account.chain }
  }

  #workerOrder(account: Account): { kind: PaymentKind; tokens: bigint } | undefined {
    const { identity, terms } = this.#o
    const paid = account.worker?.tokens ?? 0n
    this.#forgetDone(account, 'worker-payout', paid)
    if (account.worker?.state === 'closed') {
      this.#wanted.delete(account.key)
      return undefined
    }
    const owed = (account.chain - paid) * identity.params.workerFeePerToken
    if (owed <= 0n) return undefined
    if (owed < terms.payoutNano && !this.#isDue(account) && !this.#o.winding()) return undefined
    return { kind: 'worker-payout', tokens: account.chain }
  }

  /** Asked for, and what was asked for is final: one message settles all of it. So is what was settled and then taken back. */
  #isDue(account: Account): boolean {
    const sent = this.#sent.get(account.key)
    if (sent?.seen === true && account.settled < sent.tokens) return true
    const [wanted] = this.#wanted.get(account.key) ?? []
    return wanted !== undefined && account.chain >= wanted
  }

  /** The effect of the last message was seen, so the next one need not wait. */
  #forgetDone(account: Account, kind: PaymentKind, settled: bigint): void {
    const sent = this.#sent.get(account.key)
    if (sent?.kind === kind && sent.tokens <= settled) sent.seen = true
    const open = this.#wanted.get(account.key)?.filter((wanted) => wanted > settled)
    if (open?.length === 0) this.#wanted.delete(account.key)
    else if (open !== undefined) this.#wanted.set(account.key, open)
  }

  #message(account: Account, kind: PaymentKind, tokens: bigint): OutMessage {
    const { identity, contract, sender, signer } = this.#o
    const payload = { kind, queryId: randomQueryId(), contract: account.contract, tokens }
    const body: Cell = signMessage(payload, sender.address, signer)
    const { init } = peerContract(identity, contract, account.kind, account.owner)
    const value = account.kind === 'client' ? ATTACH.clientOperation : ATTACH.workerPayout
    return { to: account.contract, value, body, init, bounce: true }
  }
}
