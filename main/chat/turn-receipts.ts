import type { Turn } from '../../preload/api/chat.ts'
import { mostEarlierReceipts, type Receipt } from '../../preload/api/receipt.ts'

/** Of the answer and of those that stood in its place before, the oldest first. */
export const receiptsOf = ({ earlierReceipts = [], receipt }: Turn): Receipt[] => [
  ...earlierReceipts,
  ...(receipt ? [receipt] : []),
]

/** A turn with more receipts of earlier answers, of which the newest are kept. */
export const withEarlier = (turn: Turn, late: readonly Receipt[]): Turn => ({
  ...turn,
  earlierReceipts: [...(turn.earlierReceipts ?? []), ...late].slice(-mostEarlierReceipts),
})
