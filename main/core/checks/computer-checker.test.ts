import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Signal } from '../../base/signal.ts'
import { objection } from '../../chat/privacy/judge.ts'
import type { EngineState } from '../../inference/engine.ts'
import { computerChecker } from './computer-checker.ts'

async function rowsOf(pid: number | undefined, platform?: NodeJS.Platform) {
  const checker = computerChecker({
    engine: { state: new Signal<EngineState>({ status: 'no-model' }), pid, wake: async () => undefined },
    library: { verify: () => Promise.reject(new Error('no model is held')) },
    model: () => undefined,
    dataDir: 'somewhere',
    vault: 'a file',
    byPassword: false,
    ...(platform && { platform }),
  })
  // Which file is held is not of interest here, and not waited for.
  return (await checker.check('c1', AbortSignal.abort())).rows
}
const result = (rows: Awaited<ReturnType<typeof rowsOf>>) =>
  Object.fromEntries(rows.map((row) => [row.id, row.by === undefined ? row.result : `${row.result}, ${row.by}`]))

describe.runIf(process.platform === 'linux')('the process of the engine', () => {
  it('is passed when it is a child of this app that holds no socket', async () => {
    const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], { stdio: ['pipe', 'ignore', 'inherit'] })
    onTestFinished(() => void child.kill('SIGKILL'))
    await once(child, 'spawn')
    const rows = await rowsOf(child.pid)
    expect(result(rows)).toMatchObject({ process: 'passed, here', network: 'passed, here' })
    expect(objection('computer', rows)).toBeNull()
  })

  it.each([
    ['nobody knows', undefined],
    ['has ended', 2 ** 30],
  ])('is failed with its network when it is one that %s', async (_, pid) => {
    const rows = await rowsOf(pid)
    expect(result(rows)).toMatchObject({ process: 'failed, here', network: 'failed, here' })
    expect(objection('computer', rows)).toMatchObject({ words: { code: 'check-process-unseen' } })
  })
})

it('is not looked at on other systems, and the rows say so', async () => {
  expect(result(await rowsOf(process.pid, 'darwin'))).toMatchObject({ process: 'passed, version', network: 'not-checked' })
})

it('the weakness of a key that lies beside the data has words of its own', async () => {
  const words = async (byPassword: boolean) => {
    const checker = computerChecker({
      engine: { state: new Signal<EngineState>({ status: 'no-model' }), pid: undefined, wake: async () => undefined },
      library: { verify: () => Promise.reject(new Error('no model is held')) },
      model: () => undefined,
      dataDir: 'somewhere',
      vault: 'a file',
      byPassword,
    })
    const { rows } = await checker.check('c1', AbortSignal.abort())
    return rows.find(({ id }) => id === 'storage')?.sentence.words
  }
  expect(await words(false)).toEqual({ code: 'check-storage-key-file', values: { folder: 'somewhere' } })
  expect(await words(true)).toEqual({ code: 'check-storage-password', values: { folder: 'somewhere' } })
})
