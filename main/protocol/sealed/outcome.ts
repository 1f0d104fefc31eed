/**
 * What became of the seal of one question: part of its outcome, also when it failed. Plain JSON values, no content and no secret: fit to be
 * shown, stored and exported as evidence.
 */
export type SealOutcome = UnsealedOutcome | DirectOutcome | KeyManagerOutcome

/** Every proxy and worker on the way could read the question, if it left. */
export interface UnsealedOutcome {
  readonly scheme: 'none'
  /**
   * `not-wanted`: the caller asked for no seal, or brought a body that it encrypted itself. `proxy-without`: the proxy, or the network terms, did
   * not offer it. `no-keys`: the proxy knows no worker of this model that offers it within the price limit. `not-sent`: it did not leave this
   * computer, so nobody could read it.
   */
  readonly reason: 'not-wanted' | 'proxy-without' | 'no-keys' | 'not-sent'
}

/** Sealed to one worker, past the proxy (docs/protocol-extensions.md, "Sealed queries"). */
export interface DirectOutcome {
  readonly scheme: 'direct'
  readonly worker: SealedWorker
  /** Bytes of the sealed request as the proxy saw them, padding included. */
  readonly requestBytes: number
  readonly answer: AnswerSeal
  /** Null until the answer has ended whole. */
  readonly usage: UsageEvidence | null
}

/** Sealed with upstream's scheme v1 (protocol 95 §4): the key manager gives the private key to attested proxies and workers alike. */
export interface KeyManagerOutcome {
  readonly scheme: 'v1'
  /** Hex of the receiver's Ed25519 key, as the network's root contract lists it. */
  readonly receiverKey: string
  readonly answer: AnswerSeal
  readonly usage: UsageEvidence | null
}

/** Whom a question was sealed to, and what proved it. Who the owner is was not checked; it may be the proxy's operator too. */
export interface SealedWorker {
  /** Hex of SHA-256 of the key's statement. */
  readonly keyId: string
  /** Wallet that receives the worker's pay, in raw form (`0:` and 64 hex letters). */
  readonly owner: string
  /** How the signing key was proven to be that wallet's: by the address that its code and key give. */
  readonly ownerProof: 'w5' | 'cocoon-wallet'
  /** Full name `NAME@COMMIT:HASH`. */
  readonly model: string
  readonly createdAtMs: number
  readonly expiresAtMs: number
  /** `none`: the worker showed no quote; `not-checked`: it showed one, and nothing here could verify it. */
  readonly attestation:
    | { readonly kind: 'none' | 'not-checked' }
    | { readonly kind: 'fake_tdx' | 'tdx'; readonly imageHash: string }
  /** Hex of `sealed.signedKey`, for others to verify it again. */
  readonly signedKey: string
}

export interface AnswerSeal {
  /**
   * `pending`: nothing has ended yet. `whole`: every part was opened, in order, up to the marker of the end. `refused`: proxy or worker answered
   * with an error. `unread`: the caller left, or the connection was lost. `broken`: what came was not what the worker sealed.
   */
  readonly state: 'pending' | 'whole' | 'refused' | 'unread' | 'broken'
  /** Set where the state is `broken`. */
  readonly reason?: SealBreak
}

/** How a sealed answer betrayed that somebody on the way had touched it. */
export type SealBreak =
  /** It is not sealed, or by nobody who could open the question. */
  | 'not-sealed'
  /** A part does not open: altered, left out, repeated, out of order, or of another answer. */
  | 'altered'
  /** It ended without the marker of the end. */
  | 'truncated'
  /** Something came behind the marker of the end. */
  | 'after-end'
  /** It opens, and is not what a worker may send. */
  | 'malformed'

/** What was billed against what came. A worker may count honestly and a recount still differ a little: see `tolerated`. */
export interface UsageEvidence {
  /** What the question allowed: its bytes before it was sealed, and the highest price factor in thousandths. */
  readonly asked: { readonly queryBytes: number; readonly maxCoefficient: number }
  /** Adjusted tokens that the proxy stated for the answer, decimal. */
  readonly statedTokens: string
  /** What the worker stated inside the seal, where the proxy can neither read nor change it; null in scheme v1. */
  readonly worker: SealedUsage | null
  readonly recount: Recount
  /** Empty where everything adds up. */
  readonly deviations: readonly UsageDeviation[]
}

export interface SealedUsage {
  readonly promptTokens: number
  readonly cachedTokens: number
  readonly completionTokens: number
  readonly reasoningTokens: number
  /** Price factor in thousandths. */
  readonly coefficient: number
  /** Adjusted tokens, decimal. */
  readonly adjustedTokens: string
}

/** Tokens of the answer's text by a count of this side: approximate, as the model's tokenizer is not here. */
export interface Recount {
  /** Pieces of text that came one by one; a worker's engine sends about one token in each. */
  readonly textEvents: number
  /** UTF-8 bytes of text, reasoning included. */
  readonly textBytes: number
  /** Added for letters that stand for bytes of broken text. */
  readonly brokenTokens: number
  /** The larger one of a token for each event and a token for each four bytes with `brokenTokens`. */
  readonly expectedTokens: number
  /** Half more than expected, and 32: above it the billed number is taken for wrong. */
  readonly toleratedTokens: number
  /** Real tokens that the bill is for: of the worker's statement, or by the engine's `usage`; null where nobody said. */
  readonly billedTokens: number | null
}

export type UsageDeviation =
  /** The proxy states more than the worker did. */
  | 'stated-above-worker'
  /** The worker's adjusted tokens do not follow from its real ones, its price factor and the network's terms. */
  | 'adjusted-wrongly'
  /** The worker's price factor is above the limit of the question. */
  | 'coefficient-above-limit'
  /** More answer tokens than the text can have, by the recount and its tolerance. */
  | 'completion-beyond-tolerance'
  /** More prompt tokens than the question has bytes, with 1024 for a chat template. */
  | 'prompt-beyond-tolerance'
