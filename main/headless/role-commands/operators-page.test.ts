import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { clientHelp } from './client.ts'
import { keyManagerHelp } from './key-manager.ts'
import { proxyHelp } from './proxy.ts'
import { exitCodes } from './run-role.ts'
import { workerHelp } from './worker.ts'

const page = readFileSync(new URL('../../../docs/operators.md', import.meta.url), 'utf8')
const rows = page.split('\n').filter((line) => line.startsWith('| `--'))
const optionsOf = (text: string): string[] => [...new Set(text.match(/--[a-z]+(?:-[a-z]+)*/g))]

/** Of the file that reads a command line: what it gives to `parseArgs`. */
const parsedBy = (file: string): string[] =>
  [...readFileSync(new URL(file, import.meta.url), 'utf8').matchAll(/^ +'?([a-z-]+)'?: \{ type: '/gm)].map(
    ([, name]) => `--${name}`,
  )

describe('the page for operators', () => {
  it.each([
    ['client', clientHelp],
    ['worker', workerHelp],
    ['proxy', proxyHelp],
    ['key-manager', keyManagerHelp],
  ])('and the help name every option of %s', (role, help) => {
    const parsed = [...parsedBy(`./${role}.ts`), ...parsedBy('./common.ts')]
    expect(parsed.length).toBeGreaterThan(10)
    const told = rows.filter((row) => row.split(' | ')[1]?.match(new RegExp(`all|${role}`)) !== null).join()
    expect(parsed.filter((option) => !optionsOf(told).includes(option))).toEqual([])
    expect([...parsed, '--help'].filter((option) => option !== '--help' && !optionsOf(help).includes(option))).toEqual([])
    expect(optionsOf(help).filter((option) => !parsed.includes(option))).toEqual([])
  })

  it('names every exit code of a role', () => {
    const line = page.split('\n').find((one) => one.startsWith('A role ends with')) ?? ''
    expect(line.match(/\d/g)?.map(Number)).toEqual(Object.values(exitCodes))
  })
})
