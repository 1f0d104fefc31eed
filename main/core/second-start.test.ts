import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { silentLogger } from '../base/logger.ts'
import { childEntries } from '../child-entries.ts'
import { startCore } from '../core.ts'
import { dataPaths, makeDataDir } from '../storage/files.ts'
import { lockInstance } from '../storage/instance-lock.ts'

const folder = mkdtempSync(join(tmpdir(), 'cocoon-second-start-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function networkFile(chain: { readonly kind: string; readonly endpoints?: readonly string[] }): string {
  const path = join(folder, 'network.json')
  const network = {
    format: 'cocoon-network',
    version: 1,
    name: 'Second',
    kind: chain.kind === 'local' ? 'local' : 'open',
    chain,
    root: 'EQCns7bYSp0igFvS1wpb5wsZjCKCV19MD5AVzI4EyxsnU73k',
    createdAt: '2026-11-22T06:00:00.000Z',
  }
  writeFileSync(path, JSON.stringify(network))
  return path
}

it('beside a running app is not sent to another folder where the network is on the chain of this one', async () => {
  makeDataDir(folder)
  const lock = lockInstance(dataPaths(folder).lock)
  const start = (networkFile?: string) =>
    startCore({
      dataDir: folder,
      shell: 'browser',
      entries: childEntries(new URL('../headless/cli.ts', import.meta.url).href),
      ...(networkFile === undefined ? {} : { networkFile }),
      roots: [],
      logger: silentLogger,
    })
  try {
    const elsewhere = expect.stringContaining('COCOON_DATA_DIR')
    await expect(start()).rejects.toMatchObject({ code: 'already-running', advice: elsewhere })
    const onTestnet = networkFile({ kind: 'testnet', endpoints: ['https://testnet.example/'] })
    await expect(start(onTestnet)).rejects.toMatchObject({ code: 'already-running', advice: elsewhere })
    await expect(start(networkFile({ kind: 'local' }))).rejects.toMatchObject({
      code: 'already-running',
      advice: expect.stringMatching(/^Stop it first: .* opens only with the data folder whose chain has it\.$/),
    })
  } finally {
    lock.release()
  }
})
