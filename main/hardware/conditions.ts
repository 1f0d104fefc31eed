import { join } from 'node:path'
import { type RunOnce, runOnce } from './apple-watch.ts'
import type { GpuProcess, GpuWatch } from './gpu-reading.ts'
import { listFolder, readNumber, readText } from './sysfs.ts'

/** What the computer is doing besides us. Null is what its system does not tell. */
export interface Conditions {
  /** Of the hottest card. */
  readonly gpuTemperatureC: number | null
  /** Programs of others on the cards. */
  readonly gpuPrograms: readonly GpuProcess[] | null
  /** Since the last key or movement of the user. */
  readonly idleMs: number | null
  readonly locked: boolean | null
  readonly onBattery: boolean | null
  /** The connection to the internet is paid by volume. */
  readonly metered: boolean | null
}

/** One source each, so that every state can be brought about in a test. */
export interface ConditionSources {
  readonly onBattery: () => boolean | null | Promise<boolean | null>
  readonly metered: () => Promise<boolean | null>
  readonly session: () => Promise<Session>
}

export interface Session {
  readonly idleMs: number | null
  readonly locked: boolean | null
}

const unknownSession: Session = { idleMs: null, locked: null }

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
  return { idleMs, locked: locked === undefined ? null : locked === 'yes' }
}

/** `pmset -g batt` of macOS: "Now drawing from 'Battery Power'" or "'AC Power'". */
export function parsePmset(text: string): boolean | null {
  const source = /^Now drawing from '(Battery|AC) Power'/m.exec(text)?.[1]
  return source === undefined ? null : source === 'Battery'
}

/** `ioreg -c IOHIDSystem` of macOS: nanoseconds since the last input. */
export function parseHidIdle(text: string): number | null {
  const found = /"HIDIdleTime" = (\d{1,19})/.exec(text)?.[1]
  return found === undefined ? null : Number(found) / 1e6
}

/** What the system tells by documented means; the rest is honestly unknown. */
export function systemConditions(platform = process.platform, run: RunOnce = runOnce, root = '/'): ConditionSources {
  if (platform === 'linux')
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
  if (platform === 'darwin')
    return {
      onBattery: async () => {
        const text = await run('pmset', ['-g', 'batt'])
        return text === null ? null : parsePmset(text)
      },
      metered: async () => null,
      session: async () => {
        const text = await run('ioreg', ['-c', 'IOHIDSystem', '-d', '4'])
        return { idleMs: text === null ? null : parseHidIdle(text), locked: null }
      },
    }
  return { onBattery: () => null, metered: async () => null, session: async () => unknownSession }
}

/** Everything at this moment. @param isOurs whether a process belongs to this app */
export async function readConditions(
  sources: ConditionSources,
  gpus: Pick<GpuWatch, 'read' | 'processes'>,
  isOurs: (pid: number) => boolean,
): Promise<Conditions> {
  const [onBattery, metered, session] = await Promise.all([sources.onBattery(), sources.metered(), sources.session()])
  const temperatures = gpus.read().flatMap(({ temperatureC }) => (temperatureC === null ? [] : [temperatureC]))
  return {
    gpuTemperatureC: temperatures.length === 0 ? null : Math.max(...temperatures),
    gpuPrograms: gpus.processes()?.filter(({ pid }) => !isOurs(pid)) ?? null,
    ...session,
    onBattery,
    metered,
  }
}
