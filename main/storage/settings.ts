import { existsSync, readFileSync, renameSync } from 'node:fs'
import { defaultLimits } from '../../preload/api/limits.ts'
import { type Settings, settings as settingsSchema } from '../../preload/api/system.ts'
import { writeFileAtomic } from '../base/atomic-file.ts'
import type { Logger } from '../base/logger.ts'
import { Signal, type Watchable } from '../base/signal.ts'

const defaults: Settings = {
  theme: 'system',
  language: 'system',
  model: null,
  earningPaused: false,
  openNetworkForbidden: false,
  limits: defaultLimits,
}

export interface SettingsStore extends Watchable<Settings> {
  /**
   * Changes some settings; durable when it returns. Absent and undefined fields stay.
   * @throws Failure `disk-full` or `write-failed`; the settings are then as before.
   */
  change(part: { readonly [K in keyof Settings]?: Settings[K] | undefined }): Settings
}

/**
 * Settings kept as JSON in `path`. A field that is missing or unknown to this version takes its default;
 * a file that is no JSON object is renamed, not deleted.
 */
export function openSettings(path: string, context: { logger: Logger }): SettingsStore {
  const signal = new Signal<Settings>(read(path, context.logger))
  return {
    get value() {
      return signal.value
    },
    values: (abort) => signal.values(abort),
    onChange: (listener) => signal.onChange(listener),
    change: (part) => {
      const given = Object.entries(part).filter(([, value]) => value !== undefined)
      const next = settingsSchema.parse({ ...signal.value, ...Object.fromEntries(given) })
      writeFileAtomic(path, `${JSON.stringify(next, null, 2)}\n`)
      signal.set(next)
      return next
    },
  }
}

function read(path: string, logger: Logger): Settings {
  if (!existsSync(path)) return defaults
  try {
    const found: unknown = JSON.parse(readFileSync(path, 'utf8'))
    if (typeof found !== 'object' || found === null || Array.isArray(found)) throw new TypeError('not an object')
    const fields = Object.entries(found).filter(([name, value]) => settingsSchema.partial().safeParse({ [name]: value }).success)
    return settingsSchema.parse({ ...defaults, ...Object.fromEntries(fields) })
  } catch (thrown) {
    const aside = `${path}.unreadable-${new Date().toISOString().replaceAll(':', '-')}`
    renameSync(path, aside)
    logger.warn('settings could not be read; defaults are used', { path, aside, reason: String(thrown) })
    return defaults
  }
}
