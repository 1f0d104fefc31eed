import type { Address, Message, Transaction } from '@ton/core'
import { exitCodeSentence } from '../../contracts/common.ts'
import { Failure, retold } from '../base/failure.ts'
import { newestFirst } from '../base/newest-first.ts'
import { pause } from '../base/pause.ts'
import type { Chain } from '../ton/chain.ts'
import type { OutMessage, Sender } from './sender.ts'

/** One message with its purpose in words, e.g. "Deploy the network contract". */
export interface Order {
  readonly title: string
  readonly message: OutMessage
}

export interface OrderTiming {
  /** Pause between looks at the chain. Default 200 ms on the local network, 1.5 s elsewhere. */
  readonly pollMs?: number
  /** How long the answers of the contracts are waited for. Default 20 s on the local network, 180 s elsewhere. */
  readonly waitMs?: number
  /** Unix milliseconds. */
  readonly now?: () => number
  /** Called right before the wallet sends; what it throws ends the work, and this wallet has then sent nothing. */
  readonly beforeSend?: () => Promise<void>
}

/** A message of ours that has not arrived after so long is not on its way any more. */
const underWayMs = 600_000

/**
 * Gives 1 to 4 orders to a wallet in one external message and waits until each arrived and was executed. Orders that the wallet sent
 * already and that are still on their way are not sent again, the others are; that is recognized by destination and body, so bodies must
 * carry a query id that is the same for the same purpose (see `ton/root-orders.ts`).
 * @returns one transaction an order, in which its destination took it
 * @throws Failure of the wallet (`SendFailureCode`), `order-refused` when a contract refused, `order-unconfirmed` when no answer was seen.
 */
export async function carryOut(
  chain: Chain,
  sender: Sender,
  orders: readonly Order[],
  timing: OrderTiming = {},
): Promise<Transaction[]> {
  const now = timing.now ?? Date.now
  const since = await unsent(() => Promise.all(orders.map(({ message }) => newestLt(chain, message.to))))
  const sentLts = await sendMissing(chain, sender, orders, { ...timing, now })
  return Promise.all(
    orders.map((order, index) => taken(chain, sender.address, order, sentLts[index] ?? since[index] ?? 0n, { ...timing, now })),
  )
}

/** Sends what is not on its way. @returns for each order the logical time of the wallet's former message, if there is one */
async function sendMissing(
  chain: Chain,
  sender: Sender,
  orders: readonly Order[],
  { beforeSend, now }: OrderTiming & { now: () => number },
): Promise<Array<bigint | undefined>> {
  const look = () => underWay(chain, sender.address, orders, now())
  let sentLts = await unsent(look)
  for (;;) {
    const missing = orders.filter((_, index) => sentLts[index] === undefined)
    if (missing.length === 0) return sentLts
    try {
      await sender.send(
        missing.map(({ message }) => message),
        () => unsent(() => requireStillMissing(look, missing.length, beforeSend)),
      )
      return sentLts
    } catch (thrown) {
      if (!(thrown instanceof Failure)) throw thrown
      // Another run of the same command may have been quicker: then its message is the one that took the place of ours.
      const overtaken = thrown.code === 'send-superseded' || thrown.code === 'send-refused'
      const before = missing.length
      if (overtaken) sentLts = await look()
      const left = sentLts.filter((lt) => lt === undefined).length
      if (!overtaken || left === before)
        throw left === orders.length ? thrown : partlySent(thrown, orders.length - left, orders.length)
    }
  }
}

async function requireStillMissing(
  look: () => Promise<Array<bigint | undefined>>,
  missing: number,
  beforeSend: OrderTiming['beforeSend'],
): Promise<void> {
  await beforeSend?.()
  if ((await look()).filter((lt) => lt === undefined).length === missing) return
  throw new Failure('send-superseded', 'Another message of this wallet does the same.', { money: nothingSent, retryable: true })
}

const nothingSent = 'Nothing was sent.'

/** Work before anything is handed over: its failures say so. */
async function unsent<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    if (!(thrown instanceof Failure) || thrown.money !== undefined) throw thrown
    throw retold(thrown, { money: nothingSent })
  }
}

function partlySent(failure: Failure, sent: number, all: number): Failure {
  return retold(failure, { money: `${sent} of ${all} messages had left the wallet before. ${failure.money ?? ''}`.trim() })
}

async function newestLt(chain: Chain, address: Address): Promise<bigint> {
  return (await chain.account(address)).last?.lt ?? 0n
}

/**
 * For each order the logical time of the wallet's transaction that sent it a short time ago and whose outcome is not known to be a
 * refusal; undefined where there is none.
 */
export async function underWay(
  chain: Chain,
  wallet: Address,
  orders: readonly Order[],
  nowMs: number = Date.now(),
): Promise<Array<bigint | undefined>> {
  const sent = orders.some(isRecognizable) ? await sentSince(chain, wallet, nowMs - underWayMs) : []
  return Promise.all(
    orders.map(async (order) => {
      if (!isRecognizable(order)) return undefined
      // Each message stands for one order, also where two orders are alike.
      const index = sent.findIndex(({ out }) => isMessageOf(order, out))
      const [found] = index < 0 ? [] : sent.splice(index, 1)
      if (found === undefined) return undefined
      const outcome = await findTaken(chain, wallet, order, found.lt)
      return outcome !== undefined && refusalOf(outcome) !== undefined ? undefined : found.lt
    }),
  )
}

/** Messages that the wallet sent since then, newest first. */
async function sentSince(chain: Chain, wallet: Address, sinceMs: number): Promise<Array<{ lt: bigint; out: Message }>> {
  const sent: Array<{ lt: bigint; out: Message }> = []
  for await (const { lt, now, outMessages } of newestFirst(chain, wallet)) {
    if (now * 1000 < sinceMs) break
    for (const out of outMessages.values()) sent.push({ lt, out })
  }
  return sent
}

function isMessageOf({ message }: Order, { info, body, init }: Message): boolean {
  return (
    info.type === 'internal' &&
    info.dest.equals(message.to) &&
    body.equals(message.body) &&
    (init === null || init === undefined) === (message.init === undefined)
  )
}

/** An operation with a query id, or the deployment of one contract: no other purpose looks the same. */
function isRecognizable({ message }: Order): boolean {
  return message.init !== undefined || message.body.bits.length >= 96
}

async function taken(
  chain: Chain,
  from: Address,
  order: Order,
  afterLt: bigint,
  timing: OrderTiming & { now: () => number },
): Promise<Transaction> {
  const pollMs = timing.pollMs ?? (chain.kind === 'local' ? 200 : 1500)
  const endMs = timing.now() + (timing.waitMs ?? (chain.kind === 'local' ? 20_000 : 180_000))
  for (;;) {
    const found = await findTaken(chain, from, order, afterLt).catch(whileUnreachable)
    if (found !== undefined) return requireTaken(order, found)
    if (timing.now() > endMs) {
      throw new Failure('order-unconfirmed', `${order.title}: the wallet sent it, but the answer on chain was not seen yet.`, {
        money: 'The message left the wallet. What the contract made of it is not known yet.',
        advice: 'Run the same command again later: it looks at the chain first and sends nothing twice.',
        retryable: true,
      })
    }
    await pause(pollMs)
  }
}

/** No answer of the endpoint says nothing about the order; the wait goes on. */
function whileUnreachable(thrown: unknown): undefined {
  if (thrown instanceof Failure) return undefined
  throw thrown
}

/** The transaction above `afterLt` in which the destination got this very message of the wallet. */
async function findTaken(chain: Chain, from: Address, { message }: Order, afterLt: bigint): Promise<Transaction | undefined> {
  for await (const transaction of newestFirst(chain, message.to, { afterLt })) {
    const { inMessage } = transaction
    if (inMessage?.info.type !== 'internal' || !inMessage.info.src.equals(from)) continue
    if (!inMessage.info.bounced && inMessage.body.equals(message.body)) return transaction
  }
  return undefined
}

function requireTaken(order: Order, transaction: Transaction): Transaction {
  const refusal = refusalOf(transaction)
  if (refusal === undefined) return transaction
  throw new Failure('order-refused', `${order.title}: the contract refused. ${refusal}`, {
    money: 'The attached value came back to the wallet, less the fees.',
  })
}

/** Why the destination did not carry the order out; undefined when it did. */
export function refusalOf(transaction: Transaction): string | undefined {
  const { description } = transaction
  if (description.type !== 'generic') return 'It was not executed.'
  const { computePhase, actionPhase } = description
  if (computePhase.type === 'skipped') {
    // Plain money to an account arrives whatever is or is not there, unless it asks to come back.
    const { inMessage } = transaction
    const arrived = inMessage?.info.type === 'internal' && !inMessage.info.bounce && !inMessage.init
    return arrived ? undefined : 'There is no contract at this address, or the value did not pay for its work.'
  }
  if (!computePhase.success) return exitCodeSentence(computePhase.exitCode)
  if (actionPhase && !actionPhase.success) return exitCodeSentence(actionPhase.resultCode)
  return undefined
}
