import { join } from 'node:path'
import { type RunOnce, runOnce } from './apple-watch.ts'
import { type ConditionSources, type Session, unknownSession } from './conditions.ts'
import { listFolder, readNumber, readText } from './sysfs.ts'

/**
 * Whether the computer runs on its battery, by the files of the kernel (ABI documentation, class/power_supply). Null without any supply: most desktops
 * tell of none.
 */
export function onBatteryLinux(root = '/'): boolean | null {
  const base = join(root, 'sys/class/power_supply')
  let plugged: boolean | null = null
  let discharging: boolean | null = null
  for (const name of listFolder(base)) {
    const folder = join(base, name)
    const kind = readText(join(folder, 'type'))
    // The battery of a mouse says nothing about the computer.
    if (readText(join(folder, 'scope')) === 'Device') continue
    if (kind === 'Mains' || kind === 'USB') {
      const online = readNumber(join(folder, 'online'))
      if (online !== null) plugged = (plugged ?? false) || online === 1
    }
    if (kind === 'Battery') discharging = (discharging ?? false) || readText(join(folder, 'status')) === 'Discharging'
  }
  if (plugged !== null && discharging !== null) return !plugged && discharging
  return discharging
}

/** `nmcli -t -f GENERAL.METERED device show`: one line a device, e.g. `GENERAL.METERED:yes (guessed)`. */
export function parseMetered(text: string): boolean | null {
  const words = [...text.matchAll(/^GENERAL\.METERED:(yes|no|unknown)/gm)].map(([, word]) => word)
  if (words.includes('yes')) return true
  return words.includes('no') ? false : null
}

/**
 * `loginctl show-session <id> -p IdleHint -p IdleSinceHint -p LockedHint`: the time is in microseconds since 1970 and counts while the hint says
 * yes. A desktop that never sets the hint looks busy for ever, which pauses rather than disturbs.
 */
export function parseSession(text: string, nowMs: number): Session {
  const value = (key: string): string | undefined => new RegExp(`^${key}=(.*)$`, 'm').exec(text)?.[1]
  const [idle, since, locked] = [value('IdleHint'), value('IdleSinceHint'), value('LockedHint')]
  const sinceMs = /^\d{1,17}$/.test(since ?? '') ? Number(since) / 1000 : null
  const idleMs = idle === 'no' ? 0 : idle === 'yes' && sinceMs !== null ? Math.max(0, nowMs - sinceMs) : null
  return { idleMs, locked: locked === 'yes' ? true : locked === 'no' ? false : null }
}

export function linuxConditions(run: RunOnce = runOnce, root = '/'): ConditionSources {
  return {
    onBattery: () => onBatteryLinux(root),
    metered: async () => {
      const text = await run('nmcli', ['-t', '-f', 'GENERAL.METERED', 'device', 'show'])
      return text === null ? null : parseMetered(text)
    },
    session: async () => {
      const fields = ['-p', 'IdleHint', '-p', 'IdleSinceHint', '-p', 'LockedHint']
      const text = await run('loginctl', ['show-session', 'auto', ...fields])
      return text === null ? unknownSession : parseSession(text, Date.now())
    },
  }
}
