import type { PrivacyLevel } from '../../../preload/api/chat.ts'
import type { CheckRow, EvidenceItem } from '../../../preload/api/privacy.ts'
import type { Watchable } from '../../base/signal.ts'

/** What a checker found out about one connection. */
export interface Findings {
  /** In the order of the sheet. A row that the level needs and that is missing counts as failed (judge.ts). */
  readonly rows: readonly CheckRow[]
  readonly evidence: readonly EvidenceItem[]
  /**
   * All inputs of the checks as JSON, for "Save as JSON": raw quotes, collateral, certificates, lists. Public data only: never keys, questions or
   * answers. Left out where there is nothing that a third party could verify again.
   */
  readonly inputs?: unknown
}

/** Checks one level. Made by whoever knows its connections; driven by `SealKeeper`. */
export interface LevelChecker {
  readonly level: PrivacyLevel
  /**
   * Name of the connection that the next turn would use; null while there is none. It is another name for every new connection, also to the same
   * peer, e.g. address and a count: a seal is earned for one connection and for no other.
   */
  readonly connection: Watchable<string | null>
  /**
   * Brings back a connection that rests until something is asked, e.g. an engine that sleeps; nothing else. Called before each permit, when the seal
   * is judged. Resolves when `signal` aborts. Throws `Failure` when it does not come back.
   */
  wake?(signal: AbortSignal): Promise<void>
  /**
   * Checks the connection of that name. A check that fails is a row with `failed`, not a rejection. Rejects with `Failure` when the checks could not be
   * made, e.g. because the connection is gone: the seal is Not verified then, too. Ends soon after `signal` aborts.
   */
  check(connection: string, signal: AbortSignal): Promise<Findings>
}
