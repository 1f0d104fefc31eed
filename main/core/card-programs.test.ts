import { expect, it } from 'vitest'
import { defaultLimits } from '../../preload/api/limits.ts'
import { noMemory, type PauseMemory, pauseOf } from '../earnings/pause-rule.ts'
import { readConditions } from '../hardware/conditions.ts'
import { watchSysfs } from '../hardware/sysfs-watch.ts'
import { fakeProc, fdinfo } from '../hardware/testing/fake-proc.ts'

/** Written by hand after the kernel's documentation: no such cards were at hand. By seconds of work until a second of the clock. */
const cards: ReadonlyArray<readonly [string, string, (worked: number, at: number) => readonly string[]]> = [
  ['an AMD card', 'amdgpu', (worked) => [`drm-engine-gfx:\t${worked * 1e9} ns`]],
  ['an Intel card under i915', 'i915', (worked) => [`drm-engine-render:\t${worked * 1e9} ns`]],
  ['an Intel card under xe', 'xe', (worked, at) => [`drm-cycles-rcs:\t${worked * 2e7}`, `drm-total-cycles-rcs:\t${at * 2e7}`]],
]

it.each(cards)('a game on %s under Linux is a reason to pause, the desktop and ourselves are not', async (_, driver, lines) => {
  const proc = fakeProc()
  const pciId = '0000:03:00.0'
  const ours = 30
  proc.write('sys/class/drm/card0/device/uevent', `DRIVER=${driver}\nPCI_SLOT_NAME=${pciId}\n`)
  let atSeconds = 0
  const gpus = watchSysfs({ root: proc.root, ourPids: () => new Set([ours]), now: () => atSeconds * 1000 })
  const sources = { onBattery: () => null, metered: async () => null, session: async () => ({ idleMs: null, locked: null }) }
  let memory: PauseMemory = noMemory
  const shares = [
    [10, 'kwin_wayland', 0.9],
    [20, 'game.x86_64', 0.5],
    [ours, 'cocoon', 1],
  ] as const
  const judged: Array<readonly [readonly string[], string | null]> = []
  for (; atSeconds < 4; atSeconds++) {
    for (const [pid, name, share] of shares) {
      const told = ['drm-resident-vram0:\t9 MiB', ...lines(share * atSeconds, atSeconds)]
      proc.program(pid, name, { 9: ['/dev/dri/renderD128', fdinfo(driver, pciId, pid, told)] })
    }
    const facts = { ...(await readConditions(sources, gpus, (pid) => pid === ours)), lastHours: null }
    const pause = pauseOf(facts, { ...defaultLimits, whenNotPaying: false }, memory, new Date(atSeconds * 1000))
    memory = pause.memory
    judged.push([pause.reasons, pause.program])
  }
  // The first telling of a share is no proof, the next one is.
  const quiet = [[], null]
  expect(judged).toEqual([quiet, quiet, [['game'], 'game.x86_64'], [['game'], 'game.x86_64']])
})
