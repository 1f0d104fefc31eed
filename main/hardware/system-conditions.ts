import type { ConditionSources } from './conditions.ts'
import { unknownSession } from './conditions.ts'
import { linuxConditions } from './linux-conditions.ts'
import { macConditions } from './mac-conditions.ts'
import { windowsConditions } from './windows-conditions.ts'

/** What this system tells by documented means; the rest is honestly unknown. Nothing is started before the first question. */
export function systemConditions(platform = process.platform): ConditionSources {
  if (platform === 'linux') return linuxConditions()
  if (platform === 'darwin') return macConditions()
  if (platform === 'win32') return windowsConditions()
  return { onBattery: () => null, metered: async () => null, session: async () => unknownSession }
}
