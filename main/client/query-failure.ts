import { Failure } from '../base/failure.ts'

export type QueryFailureCode =
  | 'no-connection'
  | 'connection-lost'
  | 'no-worker'
  | 'too-expensive'
  | 'balance-too-low'
  | 'contract-closing'
  | 'proxy-not-ready'
  | 'worker-busy'
  | 'unknown-model'
  | 'invalid-request'
  | 'timeout'
  | 'cancelled'
  | 'refused'
  | 'answer-malformed'
  | 'answer-too-large'
  | 'engine-refused'
  | 'stopped'
  | 'query-failed'

export const paidNothing = 'You paid nothing.'
const mayBeCharged = 'The answer may still be charged if it was finished on the other side; the balance will show it.'

const details = (text: string): string => (text.length > 300 ? `${text.slice(0, 300)}…` : text)

/** What the other side said, as it said it: code of protocol 10 §2 and text. */
export class PeerWords extends Error {
  readonly code: number

  constructor(code: number, text: string) {
    super(details(text))
    this.code = code
  }
}

/** A query that the proxy or the worker refused or gave up, by its code (protocol 10 §2, 50 §3). Such an answer costs nothing. */
export function remoteFailure(code: number, text: string): Failure<QueryFailureCode> {
  const failure = (name: QueryFailureCode, message: string, advice: string, retryable: boolean): Failure<QueryFailureCode> =>
    new Failure(name, message, { advice, retryable, money: paidNothing, cause: new PeerWords(code, text) })

  if (/balance is too low/.test(text))
    return failure(
      'balance-too-low',
      'The balance at this proxy is too low for this request.',
      'Top up, or ask for a shorter answer.',
      false,
    )
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
  if (/too many active queries/.test(text)) return failure('worker-busy', 'The worker is full.', 'Try again in a moment.', true)
  if (/proxy is disabled/.test(text))
    return failure('proxy-not-ready', 'The proxy takes no requests now.', 'Try again later.', true)
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
        cause: new PeerWords(code, text),
      })
    case 602:
      return failure('refused', `The proxy refused this request: ${details(text)}`, 'Try again in a minute.', true)
    default:
      return failure('query-failed', `The answer failed: ${details(text)}`, 'Try again.', true)
  }
}

/** Failures that this computer states itself; what became of the money is not known then. */
export function localFailure(name: QueryFailureCode, message: string, cause?: unknown): Failure<QueryFailureCode> {
  const notSent = name === 'no-connection'
  return new Failure(name, message, {
    advice: 'Try again.',
    retryable: true,
    money: notSent ? paidNothing : mayBeCharged,
    ...(cause === undefined ? {} : { cause }),
  })
}
