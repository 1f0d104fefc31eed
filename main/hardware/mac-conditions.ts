import { type RunOnce, runOnce } from './apple-watch.ts'
import type { ConditionSources } from './conditions.ts'

/** `pmset -g batt`: "Now drawing from 'Battery Power'", "'AC Power'", or "'UPS Power'" of one that is told by USB. */
export function parsePmset(text: string): boolean | null {
  const source = /^Now drawing from '(Battery|AC|UPS) Power'/m.exec(text)?.[1]
  return source === undefined ? null : source !== 'AC'
}

/** `ioreg -c IOHIDSystem`: nanoseconds since the last input of anybody at this computer. */
export function parseHidIdle(text: string): number | null {
  const found = /"HIDIdleTime" = (\d{1,19})/.exec(text)?.[1]
  return found === undefined ? null : Number(found) / 1e6
}

/** `ioreg -n Root -d 1`: the root of the registry says whether the screen that people sit at is locked. */
export function parseConsoleLocked(text: string): boolean | null {
  const found = /^[ |]*"IOConsoleLocked" = (Yes|No)\s*$/m.exec(text)?.[1]
  return found === undefined ? null : found === 'Yes'
}

/** `route -n get default`: the interface that the internet is reached by. */
export function parseDefaultRoute(text: string): string | null {
  return /^\s*interface: ([a-z]{1,12}\d{1,4})\s*$/m.exec(text)?.[1] ?? null
}

/**
 * `ifconfig -v <interface>`: among the extended flags, as network_cmds prints them, is the kernel's word for a path that costs (a phone's hotspot). A
 * tunnel without it says nothing: what it goes over may have it.
 */
export function parseExpensive(text: string): boolean | null {
  const flags = (name: string): readonly string[] | undefined =>
    new RegExp(`(?:^|\\s)${name}=[0-9a-f]{1,16}<([A-Z0-9_,]*)>`).exec(text)?.[1]?.split(',')
  const extended = flags('eflags')
  if (extended === undefined) return null
  if (extended.includes('EXPENSIVE')) return true
  return flags('flags')?.includes('POINTOPOINT') === false ? false : null
}

/** Small programs of the system, a few milliseconds each: nothing that is slow to start, so nothing that stays. */
export function macConditions(run: RunOnce = runOnce): ConditionSources {
  const told = async <T>(command: string, args: readonly string[], parse: (text: string) => T | null): Promise<T | null> => {
    const text = await run(command, args)
    return text === null ? null : parse(text)
  }
  return {
    onBattery: () => told('pmset', ['-g', 'batt'], parsePmset),
    metered: async () => {
      const name = await told('route', ['-n', 'get', 'default'], parseDefaultRoute)
      return name === null ? null : told('ifconfig', ['-v', name], parseExpensive)
    },
    session: async () => {
      const [idleMs, locked] = await Promise.all([
        told('ioreg', ['-c', 'IOHIDSystem', '-d', '4'], parseHidIdle),
        told('ioreg', ['-n', 'Root', '-d', '1', '-w', '0'], parseConsoleLocked),
      ])
      return { idleMs, locked }
    },
  }
}
