import { describe, expect, it } from 'vitest'
import type { RunLines } from './line-process.ts'
import { conditionScript, parseConditionLine, windowsConditions } from './windows-conditions.ts'

// All lines here are written by hand in the form of the script. No Windows was at hand: the script itself was only read.

const nothing = { session: { idleMs: null, locked: null }, onBattery: null, metered: null }
const of = (line: string) => parseConditionLine(line) ?? 'no line'

describe('lines of the script', () => {
  it('tell idle, lock, supply and connection', () => {
    expect(of('C|1234|1|1|8|1|0')).toEqual({ session: { idleMs: 1234, locked: false }, onBattery: false, metered: false })
    expect(of('C|0|0|0|1|2|0')).toEqual({ session: { idleMs: 0, locked: true }, onBattery: true, metered: true })
  })

  it.each([
    ['nothing at all', 'C||||||', nothing],
    ['the flags that stand for unknown', 'C||4294967295||||', nothing],
    ['a supply that is not known', 'C|||255|255||', nothing],
    ['no battery, and no mains either', 'C|||0|128||', nothing],
    ['a cost that is not known', 'C|||||0|0', nothing],
    ['a cost without a word on roaming', 'C|||||1|', nothing],
    ['a computer on mains without a battery', 'C|||1|128||', { ...nothing, onBattery: false }],
    ['a variable cost', 'C|||||3|0', { ...nothing, metered: true }],
    ['roaming', 'C|||||1|1', { ...nothing, metered: true }],
  ])('of %s', (_, line, expected) => expect(of(line)).toEqual(expected))

  it('take an input that came between two looks for one that came now', () => {
    const idle = (line: string) => parseConditionLine(line)?.session.idleMs
    expect([idle('C|4294967280|||||'), idle('C|4294967296|||||'), idle('C|86400000|||||')]).toEqual([0, null, 86_400_000])
  })

  it.each([
    '',
    'C',
    'C|1|1|1|1|1',
    'C|1|1|1|1|1|0|',
    'C|1,5|1|1|1|1|0',
    'C|-5|1|1|1|1|0',
    'C|١|1|1|1|1|0',
    'C|12345678901|1|1|1|1|0',
    'C|1|1|1|1|1|True',
    'Add-Type : (0) : не удалось',
    `C|${'1'.repeat(5000)}|1|1|1|1|0`,
  ])('are none: %j', (line) => expect(parseConditionLine(line)).toBeUndefined())
})

describe('conditionScript', () => {
  const text = conditionScript(4711)

  it('writes a line of the form that is read, in no language, and ends with the app', () => {
    expect(text).toContain('"C|$idle|$flags|$supply|$cost"')
    // Two columns each: empty ones keep the number of them.
    for (const column of ["$supply = '|'", "$cost = '|'", '+ "|" +', ' : "|";']) expect(text).toContain(column)
    expect(text).toContain('InvariantCulture')
    expect(text).toContain('while (Get-Process -Id 4711) {')
  })

  it('keeps what ends its C# text at the begin of a line, and fits a command line', () => {
    expect(text.match(/^'@$/gm)).toHaveLength(1)
    expect(text.slice(text.indexOf("@'") + 2, text.indexOf("\n'@"))).not.toContain("'@")
    expect(Buffer.from(text, 'utf16le').toString('base64').length).toBeLessThan(30_000)
  })
})

describe('windowsConditions', () => {
  function scene(firstMs = 60_000) {
    const log: string[] = []
    const now = { ms: 0 }
    let write: (line: string) => void = () => undefined
    let end: () => void = () => undefined
    const run: RunLines = (command, args, onLine, onEnd) => {
      log.push(command, Buffer.from(args.at(-1) ?? '', 'base64').toString('utf16le'))
      ;[write, end] = [onLine, onEnd]
      return () => log.push('ended')
    }
    const sources = windowsConditions({ run, now: () => now.ms, firstMs })
    return { log, now, sources, write: (line: string) => write(line), end: () => end() }
  }

  it('starts one PowerShell with the first question, which waits for its first line', async () => {
    const { log, sources, write } = scene()
    expect(log).toEqual([])
    const answers = Promise.all([sources.onBattery(), sources.metered(), sources.session()])
    write('Add-Type : not allowed')
    write('C|700|1|0|1|2|0')
    expect(await answers).toEqual([true, true, { idleMs: 700, locked: false }])
    write('C|0|0|1|8|1|0')
    expect(await sources.session()).toEqual({ idleMs: 0, locked: true })
    expect(log).toEqual(['powershell.exe', conditionScript(process.pid)])
    sources.close?.()
    expect(log.at(-1)).toBe('ended')
  })

  it('shows nothing that was said long ago, or by one that is lost', async () => {
    const { now, sources, write, end } = scene()
    const first = sources.onBattery()
    write('C|700|1|0|1|2|0')
    expect(await first).toBe(true)
    now.ms = 20_001
    expect([await sources.onBattery(), await sources.session()]).toEqual([null, { idleMs: null, locked: null }])
    write('C|700|1|0|1|2|0')
    expect(await sources.metered()).toBe(true)
    end()
    expect(await sources.metered()).toBeNull()
    sources.close?.()
  })

  it('waits for no PowerShell that says nothing, cannot be started, or was closed', async () => {
    const silent = scene(5)
    expect(await silent.sources.metered()).toBeNull()
    silent.sources.close?.()
    const closed = scene()
    const asked = closed.sources.metered()
    closed.sources.close?.()
    expect(await asked).toBeNull()
    const never = scene()
    never.sources.close?.()
    expect([await never.sources.onBattery(), never.log]).toEqual([null, []])
    const missing = windowsConditions({
      run: (_command, _args, _onLine, onEnd) => {
        onEnd()
        return () => undefined
      },
    })
    expect(await missing.session()).toEqual({ idleMs: null, locked: null })
    missing.close?.()
  })
})
