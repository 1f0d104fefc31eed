export type Fault =
  /** The worker broke the protocol: absurd usage, an answer that cannot be parsed, parts before the answer. */
  | 'violation'
  /** It answered with an error of its own, was too late or vanished while a request ran. */
  | 'failure'

const firstMs: Record<Fault, number> = { violation: 10_000, failure: 2_000 }
const longestMs: Record<Fault, number> = { violation: 3_600_000, failure: 300_000 }
/** So many failures in a row before a worker is passed over: one bad request must not empty a small network. */
const failuresForgiven = 2

interface Sheet {
  violations: number
  failures: number
  blockedUntilMs: number
  avoidedUntilMs: number
}

/**
 * Keeps failing workers away from requests for a time that doubles with each fault. Keyed by owner and model, so that a
 * reconnect does not clear the sheet. Entries without a fault for a day are dropped.
 */
export class Quarantine {
  readonly #sheets = new Map<string, Sheet>()

  report(key: string, fault: Fault, nowMs: number): void {
    const sheet = this.#sheets.get(key) ?? { violations: 0, failures: 0, blockedUntilMs: 0, avoidedUntilMs: 0 }
    this.#sheets.set(key, sheet)
    if (fault === 'violation') {
      sheet.blockedUntilMs = nowMs + Math.min(firstMs.violation * 2 ** sheet.violations, longestMs.violation)
      sheet.violations += 1
      return
    }
    sheet.failures += 1
    const beyond = sheet.failures - failuresForgiven - 1
    if (beyond >= 0) sheet.avoidedUntilMs = nowMs + Math.min(firstMs.failure * 2 ** beyond, longestMs.failure)
  }

  /** A request that ended well ends a row of failures. Violations are remembered. */
  succeed(key: string): void {
    const sheet = this.#sheets.get(key)
    if (sheet === undefined) return
    sheet.failures = 0
    sheet.avoidedUntilMs = 0
    if (sheet.violations === 0) this.#sheets.delete(key)
  }

  state(key: string, nowMs: number): 'no' | 'last-resort' | 'yes' {
    const sheet = this.#sheets.get(key)
    if (sheet === undefined) return 'no'
    if (sheet.blockedUntilMs > nowMs) return 'yes'
    return sheet.avoidedUntilMs > nowMs ? 'last-resort' : 'no'
  }

  forgetOld(nowMs: number): void {
    const day = 86_400_000
    for (const [key, sheet] of this.#sheets) {
      if (Math.max(sheet.blockedUntilMs, sheet.avoidedUntilMs) + day < nowMs) this.#sheets.delete(key)
    }
  }
}
