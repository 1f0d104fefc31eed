import { type FileHandle, mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { failing, writeWhole } from './whole-writes.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cocoon-desktop-writes-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** The same file on a system that takes few bytes at a time. */
function narrow(file: FileHandle): FileHandle {
  const write = (bytes: Uint8Array, offset: number, length: number, at: number) =>
    file.write(bytes, offset, Math.min(length, 7), at)
  return new Proxy(file, { get: (target, name) => (name === 'write' ? write : Reflect.get(target, name)) })
}

describe('writeWhole', () => {
  it('writes all, however little the system takes at a time', async () => {
    const path = join(folder, 'whole')
    const file = await open(path, 'w')
    await writeWhole(narrow(file), path, Buffer.from('abcdefghijklmnopqrstuvwxyz'), 3)
    await file.close()
    expect((await readFile(path)).toString()).toBe('\0\0\0abcdefghijklmnopqrstuvwxyz')
  })

  it.runIf(process.platform === 'linux')('names a full disk and one that keeps nothing', async () => {
    const file = await open('/dev/full', 'r+')
    await expect(writeWhole(file, 'model', Buffer.from('abc'), 0)).rejects.toMatchObject({ code: 'disk-full' })
    await expect(failing('model', file.datasync())).rejects.toMatchObject({ code: 'write-failed' })
    await file.close()
  })
})
