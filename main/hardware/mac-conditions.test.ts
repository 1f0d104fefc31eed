import { describe, expect, it } from 'vitest'
import {
  macConditions,
  parseConsoleLocked,
  parseDefaultRoute,
  parseExpensive,
  parseHidIdle,
  parsePmset,
} from './mac-conditions.ts'

// All fixtures here are written by hand, after the manuals and, for ifconfig, after the format strings of network_cmds. No Mac was at hand.

const root = (locked: string): string => `+-o Root  <class IORegistryEntry, id 0x100000100, retain 24>
    {
      "IOConsoleLocked" = ${locked}
      "IOConsoleUsers" = ({"kCGSSessionUserNameKey"="someone","kCGSSessionOnConsoleKey"=Yes,"CGSSessionScreenIsLocked"=Yes})
    }
`
const route = `   route to: default
destination: default
       mask: default
    gateway: 192.168.1.1
  interface: en0
      flags: <UP,GATEWAY,DONE,STATIC,PRCLONING,GLOBAL>
`
const device = (eflags: string, flags = 'UP,BROADCAST,SMART,RUNNING,SIMPLEX,MULTICAST'): string =>
  `en0: flags=8863<${flags}> mtu 1500 index 6\n${eflags}\toptions=400<CHANNEL_IO>\n\tether 00:00:5e:00:53:01\n\tstatus: active\n`
const hotspot = device('\teflags=41008080<TXSTART,EXPENSIVE,ECN_ENABLE,CHANNEL_DRV>\n')
const home = device('\teflags=41008080<TXSTART,NOAUTOIPV6LL,ECN_ENABLE,CHANNEL_DRV>\n')

describe('what tools of macOS say', () => {
  it.each([
    ["Now drawing from 'Battery Power'\n -InternalBattery-0 80%; discharging", true],
    ["Now drawing from 'AC Power'\n", false],
    ["Now drawing from 'UPS Power'\n", true],
    ["Now drawing from 'Solar Power'\n", null],
    ['', null],
  ])('pmset: %j', (text, expected) => expect(parsePmset(text)).toBe(expected))

  it('ioreg: nanoseconds since the last input', () => {
    expect(parseHidIdle('  |   "HIDIdleTime" = 5000000000\n')).toBe(5000)
    expect(parseHidIdle('  |   "HIDIdleTime" = -1\n')).toBeNull()
    expect(parseHidIdle('nothing')).toBeNull()
  })

  it.each([
    [root('Yes'), true],
    [root('No'), false],
    [root('Maybe'), null],
    [root('No').replace(/.*IOConsoleLocked.*\n/, ''), null],
    ['', null],
  ])('ioreg: the lock of the screen, case %#', (text, expected) => expect(parseConsoleLocked(text)).toBe(expected))

  it.each([
    [route, 'en0'],
    [route.replace('en0', 'en0; reboot'), null],
    ['route: writing to routing socket: not in table\n', null],
  ])('route: the interface of the internet, case %#', (text, expected) => expect(parseDefaultRoute(text)).toBe(expected))

  it.each([
    ['a hotspot', hotspot, true],
    ['a home network', home, false],
    ['a system that tells no extended flags', device(''), null],
    ['a tunnel, which may go over a hotspot', device('\teflags=1000<NOAUTOIPV6LL>\n', 'UP,POINTOPOINT,RUNNING,MULTICAST'), null],
    ['a tunnel that has the flag itself', device('\teflags=4000<EXPENSIVE>\n', 'UP,POINTOPOINT,RUNNING,MULTICAST'), true],
    ['nothing', '', null],
  ])('ifconfig: %s', (_, text, expected) => expect(parseExpensive(text)).toBe(expected))
})

describe('macConditions', () => {
  const scene = (answers: Record<string, string>) => {
    const asked: string[] = []
    const run = async (command: string, args: readonly string[]): Promise<string | null> => {
      asked.push([command, ...args].join(' '))
      return answers[[command, ...args].join(' ')] ?? null
    }
    return { asked, ...macConditions(run) }
  }

  it('asks each tool once, and only of the interface that is in use', async () => {
    const { asked, onBattery, metered, session } = scene({
      'pmset -g batt': "Now drawing from 'Battery Power'\n",
      'route -n get default': route,
      'ifconfig -v en0': hotspot,
      'ioreg -c IOHIDSystem -d 4': '"HIDIdleTime" = 1000000\n',
      'ioreg -n Root -d 1 -w 0': root('No'),
    })
    expect([await onBattery(), await metered(), await session()]).toEqual([true, true, { idleMs: 1, locked: false }])
    expect(asked).toHaveLength(5)
  })

  it('claims nothing where a tool fails, and what the others say stays', async () => {
    const nothing = scene({})
    expect([await nothing.onBattery(), await nothing.metered()]).toEqual([null, null])
    expect(nothing.asked).toEqual(['pmset -g batt', 'route -n get default'])
    expect(await nothing.session()).toEqual({ idleMs: null, locked: null })
    expect(await scene({ 'ioreg -n Root -d 1 -w 0': root('Yes') }).session()).toEqual({ idleMs: null, locked: true })
  })
})
