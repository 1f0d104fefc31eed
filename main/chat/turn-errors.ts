import { type ConversationSummary, isFree, type PrivacyLevel, type Turn, type TurnError } from '../../preload/api/chat.ts'
import { exactTon } from '../base/exact-ton.ts'
import { asError, Failure, messageAndAdvice, type Sentence } from '../base/failure.ts'

const paidNothing: Sentence = { text: 'You paid nothing.', words: { code: 'paid-nothing' } }
const mayBePaid: Sentence = {
  text: 'What was generated may still be charged; the chat balance under Wallet shows it.',
  words: { code: 'may-be-charged' },
}
const paid = (cost: bigint): Sentence => ({
  text: `You paid ${exactTon(cost)}.`,
  words: { code: 'paid', values: { costNano: cost.toString() } },
})

/** What is true about the money when nobody told: at a free level nothing was paid, elsewhere only the wallet knows. */
export function unknownMoney(level: PrivacyLevel): Sentence {
  return isFree(level) ? paidNothing : mayBePaid
}

const moneyOf = ({ text, words }: Sentence): Pick<TurnError, 'money' | 'moneyWords'> => ({ money: text, moneyWords: words })

/** The app ended while the answer was running. */
export function interrupted(level: PrivacyLevel): TurnError {
  return {
    code: 'interrupted',
    message: 'The app ended while this was being answered. What had arrived by then was kept.',
    words: { code: 'interrupted' },
    ...moneyOf(unknownMoney(level)),
    retryable: true,
  }
}

/**
 * What a backend threw, for the user. The text of unexpected errors may hold a piece of the conversation, so only their name is told.
 */
export function turnErrorFrom(thrown: unknown, level: PrivacyLevel): TurnError {
  if (thrown instanceof Failure) {
    const cause =
      thrown.cause instanceof Failure ? thrown.cause.code : thrown.cause === undefined ? '' : asError(thrown.cause).name
    return {
      code: thrown.code,
      message: messageAndAdvice(thrown),
      words: thrown.words,
      ...(thrown.money === undefined
        ? moneyOf(unknownMoney(level))
        : { money: thrown.money, ...(thrown.moneyWords && { moneyWords: thrown.moneyWords }) }),
      retryable: thrown.retryable,
      detail: [thrown.code, cause].filter(Boolean).join(': '),
    }
  }
  return {
    code: 'internal',
    message: 'Something in the app itself failed. The log says where.',
    words: { code: 'internal' },
    ...moneyOf(unknownMoney(level)),
    retryable: true,
    detail: asError(thrown).name,
  }
}

/** An answer that ended well, but the disk refused it. */
export function notSaved(thrown: unknown, turn: Turn): TurnError {
  const cost = turn.usage?.cost
  return {
    ...turnErrorFrom(thrown, turn.level),
    message:
      'The answer came, but it could not be saved: it will be gone when the app ends. Free some space on the disk, or copy it.',
    words: { code: 'answer-not-saved' },
    ...(turn.usage !== undefined && moneyOf(cost === undefined ? paidNothing : paid(cost))),
    retryable: true,
  }
}

/** Stands in the transcript for a turn whose seal does not open. */
export function damagedTurn(id: string, chat: ConversationSummary): Turn {
  return {
    id,
    question: '',
    answer: '',
    status: 'failed',
    level: chat.widestLevel,
    model: '',
    createdAtMs: chat.updatedAtMs,
    error: {
      code: 'sealed-tampered',
      message: 'This turn was damaged or changed from outside, so it is not shown.',
      words: { code: 'turn-damaged' },
      money: 'What it cost is not known any more.',
      moneyWords: { code: 'cost-unknown' },
      retryable: false,
    },
  }
}
