import { exactTon } from '../base/exact-ton.ts'
import { Failure, type Sentence } from '../base/failure.ts'
import { pinRefusals, sealedQuery } from '../protocol/sealed/direct/refusals.ts'
import type { Funds } from './budget.ts'

export type QueryFailureCode =
  | 'no-connection'
  | 'connection-lost'
  | 'no-worker'
  | 'too-expensive'
  | 'balance-too-low'
  | 'above-credit'
  | 'contract-closing'
  | 'proxy-not-ready'
  | 'worker-busy'
  | 'unknown-model'
  | 'unknown-key'
  | 'invalid-request'
  | 'timeout'
  | 'cancelled'
  | 'refused'
  | 'answer-malformed'
  | 'answer-too-large'
  | 'engine-refused'
  | 'stopped'
  | 'query-failed'
  /** The connection is not the one that was to be used. Nothing was sent. */
  | 'connection-changed'
  /** No worker is known that the question could be sealed to as it was asked to be. Nothing was sent. */
  | 'seal-unavailable'
  /** The worker whose key was used is gone, or has a new one. */
  | 'worker-gone'
  /** The worker or the proxy did not take the sealed question. */
  | 'seal-refused'
  /** What came as the answer is not what the worker sealed: somebody on the way touched it. */
  | 'seal-broken'

export const paidNothing: Sentence = { text: 'You paid nothing.', words: { code: 'paid-nothing' } }
const mayBeCharged: Sentence = {
  text: 'The answer may still be charged if it was finished on the other side; the balance will show it.',
  words: { code: 'may-be-charged' },
}

const details = (text: string): string => (text.length > 300 ? `${text.slice(0, 300)}…` : text)

/** What the other side said, as it said it: code of protocol 10 §2 and text. */
export class PeerWords extends Error {
  readonly code: number

  constructor(code: number, text: string) {
    super(details(text))
    this.code = code
  }
}

/** What a request needs at its proxy, and what there is. */
export interface Reservation {
  /** nanoton that the proxy reserves for it (protocol 50 §3) */
  readonly needed: bigint
  readonly funds: Funds | undefined
}

/** A query that the proxy or the worker refused or gave up, by its code (protocol 10 §2, 50 §3). Such an answer costs nothing. */
export function remoteFailure(code: number, text: string, reservation?: Reservation): Failure<QueryFailureCode> {
  const cause = new PeerWords(code, text)
  const failure = (name: QueryFailureCode, message: string, advice: string, retryable: boolean): Failure<QueryFailureCode> =>
    new Failure(name, message, { advice, retryable, money: paidNothing, cause, values: { said: details(text) } })

  if (/balance is too low/.test(text)) return shortage(reservation, cause)
  if (/client is clos/.test(text))
    return failure(
      'contract-closing',
      'The account at this proxy is being closed.',
      'Wait until it is closed, then connect again.',
      false,
    )
  if (/can run this query with coefficient/.test(text))
    return failure(
      'too-expensive',
      'Every free worker asks more than your limit.',
      'Raise the price limit, or wait for a cheaper worker.',
      true,
    )
  if (/no (ready )?workers/.test(text))
    return failure('no-worker', 'No worker is free for this model now.', 'Try again in a moment.', true)
  if (/unknown model/.test(text))
    return failure('unknown-model', 'This proxy has no worker with that model.', 'Choose another model.', false)
  if (/unknown (public|private) key/.test(text))
    return failure(
      'unknown-key',
      'The proxy or the worker does not know the key that the question was encrypted for.',
      'Encrypt it for another key of the network, or try again in a moment.',
      true,
    )
  if (/too many active queries/.test(text)) return failure('worker-busy', 'The worker is full.', 'Try again in a moment.', true)
  if (/proxy is disabled/.test(text))
    return failure('proxy-not-ready', 'The proxy takes no requests now.', 'Try again later.', true)
  if (text.includes(sealedQuery)) return sealFailure(text, cause, failure)
  switch (code) {
    case 621:
      return failure(
        'invalid-request',
        `The network refused this request: ${details(text)}`,
        'Change the request and send it again.',
        false,
      )
    case 651:
      return failure('proxy-not-ready', `The network is not ready: ${details(text)}`, 'Try again in a moment.', true)
    case 652:
      return failure('timeout', 'The answer took too long and was given up.', 'Try again, or allow more time.', true)
    case 653:
      // The other side gives up readers that are too slow; what was generated until then may be charged.
      return new Failure('cancelled', 'The answer was cancelled by the other side.', {
        advice: 'Try again.',
        retryable: true,
        money: mayBeCharged,
        cause,
      })
    case 602:
      return failure('refused', `The proxy refused this request: ${details(text)}`, 'Try again in a minute.', true)
    default:
      return failure('query-failed', `The answer failed: ${details(text)}`, 'Try again.', true)
  }
}

function sealFailure(
  text: string,
  cause: PeerWords,
  failure: (name: QueryFailureCode, message: string, advice: string, retryable: boolean) => Failure<QueryFailureCode>,
): Failure<QueryFailureCode> {
  if (text.includes(pinRefusals.gone))
    return failure('worker-gone', 'The worker that the question was sealed to is not there any more.', 'Try again.', true)
  if (text.includes(pinRefusals.full))
    return new Failure('worker-busy', 'Every worker that the question could be sealed to is full.', {
      advice: 'Try again in a moment, or choose another model. It was not sent to others instead, where the proxy could read it.',
      retryable: true,
      money: paidNothing,
      cause,
      words: { code: 'sealing-workers-busy' },
    })
  return failure('seal-refused', `The sealed question was not taken: ${details(text)}`, 'Try again.', true)
}

/** Too little money for the reservation: with the figures that this computer knows itself, and what helps. */
function shortage(reservation: Reservation | undefined, cause: Error): Failure<QueryFailureCode> {
  const common = { money: paidNothing, cause }
  const funds = reservation?.funds
  if (reservation === undefined || funds === undefined || funds.free >= reservation.needed)
    return new Failure('balance-too-low', 'The balance at this proxy is too low for this request.', {
      ...common,
      advice: 'Try again in a moment, or shorten the text.',
      retryable: true,
      values: { bound: 'unknown' },
    })
  const { needed } = reservation
  if (needed > funds.most)
    return new Failure(
      'above-credit',
      `The proxy has to reserve ${exactTon(needed)} for a question of this length, and the stake lets it reserve ${exactTon(funds.most)}.`,
      {
        ...common,
        advice: 'Shorten the text, or start a new chat.',
        values: { neededNano: needed.toString(), mostNano: funds.most.toString() },
      },
    )
  const missing = needed - funds.free
  return new Failure(
    'balance-too-low',
    `The proxy has to reserve ${exactTon(needed)} for this question, and ${exactTon(funds.free)} are free now.`,
    {
      ...common,
      advice:
        funds.boundBy === 'balance'
          ? `${exactTon(missing)} more on the chat balance would do. Or shorten the text.`
          : 'Earlier answers are charged on chain now, which frees the rest: try again in a moment. Or shorten the text.',
      retryable: true,
      values: {
        bound: funds.boundBy,
        neededNano: needed.toString(),
        freeNano: funds.free.toString(),
        missingNano: missing.toString(),
      },
    },
  )
}

/** Failures that this computer states itself; what became of the money is not known then. */
export function localFailure(name: QueryFailureCode, message: string, cause?: unknown): Failure<QueryFailureCode> {
  const notSent = name === 'no-connection' || name === 'seal-unavailable' || name === 'connection-changed'
  return new Failure(name, message, {
    advice: 'Try again.',
    retryable: true,
    money: notSent ? paidNothing : mayBeCharged,
    ...(cause === undefined ? {} : { cause }),
  })
}
