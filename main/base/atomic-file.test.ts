import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { writeFailure, writeFileAtomic } from './atomic-file.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'atomic-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('writeFileAtomic', () => {
  it('replaces a file, for its user alone, and leaves nothing else', () => {
    const path = join(folder, 'deep', 'a.bin')
    writeFileAtomic(path, 'one')
    writeFileAtomic(path, Uint8Array.of(1, 2, 3))
    expect([...readFileSync(path)]).toEqual([1, 2, 3])
    expect(readdirSync(join(folder, 'deep'))).toEqual(['a.bin'])
    if (process.platform !== 'win32') expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  it('keeps the old file and no temporary one when it cannot be done', () => {
    const path = join(folder, 'a')
    writeFileAtomic(path, 'old')
    expect(() => writeFileAtomic(join(path, 'below-a-file'), 'new')).toThrow('could not be written')
    expect(readFileSync(path, 'utf8')).toBe('old')
    expect(readdirSync(folder)).toEqual(['a'])
  })

  it('tells a full disk from other failures', () => {
    expect(writeFailure('a', Object.assign(new Error('x'), { code: 'ENOSPC' })).code).toBe('disk-full')
    expect(writeFailure('a', Object.assign(new Error('x'), { code: 'EACCES' })).code).toBe('write-failed')
  })
})
