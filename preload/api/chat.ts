import { z } from 'zod'
import { openReaders, sealState } from './privacy.ts'
import { mostEarlierReceipts, receipt } from './receipt.ts'
import { id, nano, timeMs, words } from './scalars.ts'
import { turnSeal } from './seal.ts'

/**
 * Where a turn is answered, and thereby who can read it (ui.md §3.1 and §13.2).
 * `practice` is the local network: all roles run on this computer and pay each other test coins. `external` is an engine of another program that the
 * user added: who can read is up to that program, wherever it runs.
 */
export const privacyLevel = z.enum(['computer', 'devices', 'attested', 'open', 'practice', 'external'])
export type PrivacyLevel = z.infer<typeof privacyLevel>

/** Nothing is paid at these levels, whatever happens. */
export const isFree = (level: PrivacyLevel): boolean => level === 'computer' || level === 'devices' || level === 'external'

export const turnError = z.object({
  /** Stable name of the failure, e.g. `engine-crashed`, `no-worker`, `balance-too-low`. */
  code: z.string(),
  /** One sentence for the user: what happened. */
  message: z.string(),
  /** What happened to the money: "You paid nothing." or the amount. */
  money: z.string(),
  words: words.optional(),
  moneyWords: words.optional(),
  /** True when sending the same turn again can help. */
  retryable: z.boolean(),
  /** Technical detail for "Show details"; never contains the conversation. */
  detail: z.string().optional(),
})
export type TurnError = z.infer<typeof turnError>

/** What one answer used and cost. Adjusted tokens are the unit of every counter on wire and chain (protocol 70 §1). */
export const usage = z.object({
  promptTokens: z.number().int().nonnegative(),
  cachedTokens: z.number().int().nonnegative(),
  completionTokens: z.number().int().nonnegative(),
  reasoningTokens: z.number().int().nonnegative(),
  /** Absent for answers that were not paid for. */
  adjustedTokens: z.number().int().nonnegative().optional(),
  cost: nano.optional(),
})
export type Usage = z.infer<typeof usage>

export const turnStatus = z.enum(['waiting', 'streaming', 'done', 'stopped', 'failed'])
export type TurnStatus = z.infer<typeof turnStatus>

/** One question with its answer. */
export const turn = z.object({
  id,
  question: z.string(),
  answer: z.string(),
  status: turnStatus,
  level: privacyLevel,
  model: z.string(),
  /** Host of the engine of another program that the question was for: at level `external`, and at `practice` where the worker serves with one. */
  engine: z.string().optional(),
  createdAtMs: timeMs,
  /** From sending to the first token; absent until it came. */
  firstTokenMs: z.number().nonnegative().optional(),
  /** Generation speed measured over the whole answer. */
  tokensPerSecond: z.number().nonnegative().optional(),
  usage: usage.optional(),
  /** What answers cost that stood here before and were asked for anew; absent when none was paid for. */
  earlierCost: nano.optional(),
  /** Set with status `stopped`: whether generation itself was ended (cancel extension) or only hidden here. */
  stop: z.enum(['ended', 'hidden']).optional(),
  /** Set when the answer was ended by the most tokens that one answer may have, not by the model. */
  cut: z.literal(true).optional(),
  /** Earlier turns that were left out of what the model got, because they no longer fitted; absent when none was. */
  leftOut: z.number().int().positive().optional(),
  error: turnError.optional(),
  /** Of a paid answer; it comes a moment after the answer's end. */
  receipt: receipt.optional(),
  /** Of paid answers that stood here before, the oldest first; absent when there is none. */
  earlierReceipts: z.array(receipt).max(mostEarlierReceipts).optional(),
  /** How the question left for a network, also of an answer that failed; absent at other levels. */
  seal: turnSeal.optional(),
})
export type Turn = z.infer<typeof turn>

export const conversationSummary = z.object({
  id,
  title: z.string(),
  level: privacyLevel,
  /** The widest level ever used in this chat (ui.md §3.2). */
  widestLevel: privacyLevel,
  pinned: z.boolean(),
  updatedAtMs: timeMs,
})
export type ConversationSummary = z.infer<typeof conversationSummary>

export const conversation = conversationSummary.extend({ turns: z.array(turn) })
export type Conversation = z.infer<typeof conversation>

/** What a subscriber of one conversation receives: first a snapshot, then changes. */
export const conversationEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('snapshot'), conversation }),
  /** A turn was added or changed as a whole. */
  z.object({ type: z.literal('turn'), turn }),
  /** Text to append to the answer of a streaming turn. */
  z.object({ type: z.literal('delta'), turnId: id, text: z.string() }),
  z.object({ type: z.literal('summary'), summary: conversationSummary }),
  z.object({ type: z.literal('deleted') }),
])
export type ConversationEvent = z.infer<typeof conversationEvent>

/** State of one level as a possible destination of the next turn. */
export const levelState = z.object({
  level: privacyLevel,
  /** `ready`: sending works now. `starting`: a wait helps. `unavailable`: see reason. */
  state: z.enum(['ready', 'starting', 'unavailable']),
  /** Plain sentence for starting and unavailable. */
  reason: z.string().optional(),
  reasonWords: words.optional(),
  model: z.string().optional(),
  /** The model gave its memory back for want of work; the first question brings it back. */
  asleep: z.boolean().optional(),
  /** Level `devices`: the computer that answers. */
  device: z.object({ name: z.string(), pairedAtMs: timeMs }).optional(),
  /** An engine of another program that answers (as `turn.engine`), and whether messages leave this computer for it. */
  engine: z.object({ name: z.string(), host: z.string(), isLoopback: z.boolean(), isEncrypted: z.boolean() }).optional(),
  /** Estimated cost of a typical answer; absent when free. */
  estimate: nano.optional(),
})
export type LevelState = z.infer<typeof levelState>

/** A level as the page sees it: whether something can be sent, and whether its seal is earned. Both are needed. */
export const levelView = levelState.extend({ seal: sealState })
export type LevelView = z.infer<typeof levelView>

/** What becomes of the messages that are there when more people could read from now on. */
export const along = z.enum(['new-chat', 'send-along'])
export type Along = z.infer<typeof along>

/** The user read and ticked: "I understand that they could read what I send", of whom the page named then. What was said of fewer covers no more. */
const understood = openReaders

/** Of one question; nothing longer is taken. */
export const mostQuestionLetters = 100_000

export const chatCalls = {
  /** `understood` is needed for the Open network (`needs-consent`): who could read, as the user was told it. */
  'chat.create': {
    input: z.strictObject({ level: privacyLevel.optional(), understood: understood.optional() }),
    output: conversationSummary,
  },
  'chat.rename': { input: z.strictObject({ id, title: z.string().trim().min(1).max(120) }), output: conversationSummary },
  'chat.pin': { input: z.strictObject({ id, pinned: z.boolean() }), output: conversationSummary },
  'chat.delete': { input: z.strictObject({ id }), output: z.object({}) },
  /**
   * Moves a chat; the output is the chat at that level, a new one where `along` says so. Fails with `needs-choice` where messages would become
   * readable to more people, or to another engine than read them, and `along` is missing, and with `needs-consent` for the Open network without `understood`.
   */
  'chat.setLevel': {
    input: z.strictObject({ id, level: privacyLevel, along: along.optional(), understood: understood.optional() }),
    output: conversationSummary,
  },
  /**
   * Waits for the seal of the chat's level, then adds a turn and starts to answer it. Fails with `busy` while another turn of the chat runs or waits,
   * with `not-verified` or `not-ready` (nothing was sent), `needs-consent` (also where more could read than the user was told of), `needs-choice` where another engine was chosen since, and `looks-secret` unless `secretsSeen`.
   */
  'chat.send': {
    input: z.strictObject({
      id,
      text: z.string().trim().min(1).max(mostQuestionLetters),
      /** The user saw that it looks like a secret, and sends it all the same. */
      secretsSeen: z.literal(true).optional(),
      /** Made by the page for this sending: sent again after a lost link, it is the same turn, and nothing is asked or paid twice. */
      turnId: z
        .string()
        .regex(/^[A-Za-z0-9_-]{16,64}$/)
        .optional(),
    }),
    output: turn,
  },
  /** What waits for its seal is not sent: its `chat.send` or `chat.retry` fails with `refused`. Does nothing once it was sent. */
  'chat.giveUp': { input: z.strictObject({ id }), output: z.object({}) },
  /** Ends the running turn; what was received stays. */
  'chat.stop': { input: z.strictObject({ id, turnId: id }), output: turn },
  /** Answers the last turn again, at the chat's present level. */
  'chat.retry': { input: z.strictObject({ id, turnId: id, secretsSeen: z.literal(true).optional() }), output: turn },
  /** The receipt of an answer, with those of answers that stood there before, as a file for `cocoon-desktop verify`; each with the newest payment that covers it. */
  'chat.receipt': { input: z.strictObject({ id, turnId: id }), output: z.object({ fileName: z.string(), json: z.string() }) },
  /** Checks the seal of a level now. */
  'chat.checkAgain': { input: z.strictObject({ level: privacyLevel }), output: z.object({}) },
  /** The app came to the front: checks that are aging are made anew. */
  'chat.focused': { input: z.strictObject({}), output: z.object({}) },
  /** What the last check of a level found, with all inputs, as JSON that `cocoon-desktop verify` reads. */
  'chat.evidence': {
    input: z.strictObject({ level: privacyLevel }),
    output: z.object({ fileName: z.string(), json: z.string() }),
  },
  'chat.export': { input: z.strictObject({ id }), output: z.object({ fileName: z.string(), markdown: z.string() }) },
} as const

export const chatStreams = {
  'chat.list': { input: z.strictObject({}), event: z.array(conversationSummary) },
  'chat.conversation': { input: z.strictObject({ id }), event: conversationEvent },
  'chat.levels': { input: z.strictObject({}), event: z.array(levelView) },
} as const
