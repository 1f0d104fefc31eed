import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defaultIndex } from './package-index.ts'
import { pipIndexes } from './pip.ts'
import { pipEnv } from './testing/tiny-wheel.ts'

let folder: string
let config: string
const signal = new AbortController().signal

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cocoon-desktop-pip-'))
  config = join(folder, 'pip.conf')
})
afterAll(() => rm(folder, { recursive: true }))

function indexes(settings: Record<string, string>, python?: string[]): Promise<readonly string[] | undefined> {
  return pipIndexes({ env: pipEnv(settings), signal, ...(python && { python }) })
}

describe('pipIndexes', () => {
  it('is pip’s default when nothing is set', async () => {
    expect(await indexes({})).toEqual([defaultIndex])
  })

  it('reads the configuration file, its section for downloads before the common one', async () => {
    const lines = ["index-url = https://u:it's%40@a.example/simple", 'extra-index-url = https://b.example/x https://c.example/y']
    await writeFile(config, `[global]\n${lines.join('\n')}\n`)
    const all = ["https://u:it's%40@a.example/simple", 'https://b.example/x', 'https://c.example/y']
    expect(await indexes({ PIP_CONFIG_FILE: config })).toEqual(all)
    await writeFile(config, '[global]\nindex-url = https://a.example/\n[download]\nindex-url = https://d.example/\n')
    expect(await indexes({ PIP_CONFIG_FILE: config })).toEqual(['https://d.example/'])
    expect(await indexes({ PIP_CONFIG_FILE: config, PIP_INDEX_URL: 'https://e.example/' })).toEqual(['https://e.example/'])
  })

  it('leaves it to pip when no index may be used, or the configuration is broken', async () => {
    expect(await indexes({ PIP_NO_INDEX: 'true' }, ['no-such-python'])).toBeUndefined()
    await writeFile(config, '[global]\nno-index = yes\n')
    expect(await indexes({ PIP_CONFIG_FILE: config })).toBeUndefined()
    await writeFile(config, 'this is no configuration')
    expect(await indexes({ PIP_CONFIG_FILE: config })).toBeUndefined()
  })

  it('goes by the environment when there is no pip', async () => {
    const without = join(folder, 'python-without-pip')
    await writeFile(without, '#!/bin/sh\necho "ModuleNotFoundError: No module named \'pip\'" >&2\nexit 1\n')
    await chmod(without, 0o755)
    await writeFile(config, '[global]\nindex-url = https://a.example/\n')
    expect(await indexes({ PIP_CONFIG_FILE: config }, ['no-such-python', without])).toEqual([defaultIndex])
    const set = { PIP_INDEX_URL: 'https://e.example/', PIP_EXTRA_INDEX_URL: ' https://f.example/  https://g.example/ ' }
    expect(await indexes(set, [without])).toEqual(['https://e.example/', 'https://f.example/', 'https://g.example/'])
  })
})
