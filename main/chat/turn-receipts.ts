import type { Turn } from '../../preload/api/chat.ts'
import { mostEarlierReceipts, type Receipt } from '../../preload/api/receipt.ts'

/** Of the answer and of those that stood in its place before, the oldest first. */
export const receiptsOf = ({ earlierReceipts = [], receipt }: Turn): Receipt[] => [
  ...earlierReceipts,
  ...(receipt ? [receipt] : []),
]

/** A turn with more receipts of earlier answers, in the order of the answers: some come later than those of answers after theirs. The newest are kept. */
export const withEarlier = (turn: Turn, late: readonly Receipt[]): Turn => ({
  ...turn,
  earlierReceipts: [...(turn.earlierReceipts ?? []), ...late]
    .sort((one, other) => one.answeredAtMs - other.answeredAtMs)
    .slice(-mostEarlierReceipts),
})
