import type { PrivacyLevel } from '../../../preload/api/chat.ts'
import type { CheckRow } from '../../../preload/api/privacy.ts'
import { Signal } from '../../base/signal.ts'
import type { Findings, LevelChecker } from '../privacy/checker.ts'
import { neededRows } from '../privacy/judge.ts'

export const row = (id: string, result: CheckRow['result'] = 'passed'): CheckRow => ({
  id,
  result,
  ...(result !== 'not-checked' && { by: 'here' }),
  statement: { text: id },
  sentence: { text: `${id} ${result}` },
})

/** Everything that a level needs, passed. */
export const goodFindings = (level: PrivacyLevel): Findings => ({ rows: neededRows[level].map((id) => row(id)), evidence: [] })

/** A checker whose checks a test ends one by one. */
export class ControlledChecker implements LevelChecker {
  readonly level: PrivacyLevel
  readonly connection: Signal<string | null>
  readonly checks: Array<{
    connection: string
    signal: AbortSignal
    pass(findings?: Findings): void
    fail(error: unknown): void
  }> = []

  constructor(level: PrivacyLevel, connection: string | null = 'c1') {
    this.level = level
    this.connection = new Signal(connection)
  }

  check(connection: string, signal: AbortSignal): Promise<Findings> {
    const { promise, resolve, reject } = Promise.withResolvers<Findings>()
    this.checks.push({ connection, signal, pass: (findings = goodFindings(this.level)) => resolve(findings), fail: reject })
    return promise
  }
}
