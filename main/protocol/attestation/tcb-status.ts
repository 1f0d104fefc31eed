import { AttestationError, type TcbErrorCode } from './attestation-error.ts'
import type { TcbLevel } from './signed-collateral.ts'

/** Everything but up to date is refused (10 §9.1), each state with a reason of its own. */
const reasons: Readonly<Record<string, readonly [TcbErrorCode, string]>> = {
  SWHardeningNeeded: ['tcb-hardening-needed', 'needs its software hardened against known attacks'],
  ConfigurationNeeded: ['tcb-configuration-needed', 'needs a safer configuration'],
  ConfigurationAndSWHardeningNeeded: [
    'tcb-configuration-and-hardening-needed',
    'needs a safer configuration and its software hardened against known attacks',
  ],
  OutOfDate: ['tcb-out-of-date', 'lacks security updates'],
  OutOfDateConfigurationNeeded: [
    'tcb-out-of-date-and-configuration-needed',
    'lacks security updates and needs a safer configuration',
  ],
  Revoked: ['tcb-revoked', 'was revoked by Intel'],
}

/**
 * @param what as the beginning of a sentence
 * @throws AttestationError one of `tcb-…`
 */
export function requireUpToDate(what: string, { tcbStatus, advisoryIDs }: TcbLevel): void {
  if (tcbStatus === 'UpToDate') return
  const [code, sentence] = reasons[tcbStatus] ?? (['tcb-status-unknown', `is in the unknown state ${tcbStatus}`] as const)
  const advisories = advisoryIDs.length === 0 ? '' : ` (${advisoryIDs.join(', ')})`
  throw new AttestationError(code, `${what} of the peer ${sentence}${advisories}`)
}
