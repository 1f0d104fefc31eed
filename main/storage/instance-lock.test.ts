import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { lockInstance } from './instance-lock.ts'

let folder: string
let path: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lock-'))
  path = join(folder, 'core.lock')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('lockInstance', () => {
  it('is held by one at a time and can be taken again after release', () => {
    const first = lockInstance(path)
    expect(() => lockInstance(path)).toThrow(`process ${process.pid}`)
    first.release()
    lockInstance(path).release()
  })

  it('is not taken by a process number in the note alone', () => {
    // A note of a crashed core whose number now belongs to a living process: this one.
    writeFileSync(`${path}.json`, JSON.stringify({ pid: process.pid, sinceMs: 0 }))
    lockInstance(path).release()
  })

  it('holds against another process, and falls when that is killed', async () => {
    const script = join(folder, 'holder.mts')
    writeFileSync(
      script,
      `import { lockInstance } from '${new URL('./instance-lock.ts', import.meta.url).href}'
lockInstance(${JSON.stringify(path)})
console.log('held')
setInterval(() => 0, 1000)`,
    )
    const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(child.stdout, 'data')
    expect(() => lockInstance(path)).toThrow(`already running with this data folder (process ${child.pid})`)
    child.kill('SIGKILL')
    await once(child, 'exit')
    lockInstance(path).release()
  })

  it('says what to do about a lock file that is something else', () => {
    writeFileSync(path, Buffer.alloc(4_096, 'garbage '))
    expect(() => lockInstance(path)).toThrow('cannot be locked')
  })
})
