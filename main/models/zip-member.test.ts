import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { takeZipMember } from './zip-member.ts'

let folder: string
let archive: string
const signal = new AbortController().signal
/** Longer than the pieces in which it is read, and partly compressible. */
const long = Buffer.from(Array.from({ length: 3_000_000 }, (_, at) => (at * at * 7) % 251))

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cocoon-desktop-zip-'))
  archive = join(folder, 'a.zip')
  await writeFile(join(folder, 'long'), long)
  const make = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w') as archive:
    archive.write(sys.argv[2], 'in/deflated', zipfile.ZIP_DEFLATED)
    archive.write(sys.argv[2], 'in/stored', zipfile.ZIP_STORED)
    archive.write(sys.argv[2], 'in/bzip2', zipfile.ZIP_BZIP2)
    archive.writestr('in/empty', '')
    archive.comment = b'a comment of some length'
`
  execFileSync('python3', ['-c', make, archive, join(folder, 'long')])
})
afterAll(() => rm(folder, { recursive: true }))

async function damaged(change: (bytes: Buffer) => Buffer): Promise<string> {
  const path = join(folder, 'damaged.zip')
  await writeFile(path, change(await readFile(archive)))
  return path
}

/** Where the entry of a member begins in the archive's directory. */
function entryOf(bytes: Buffer, member: string): number {
  return bytes.lastIndexOf(member) - 46
}

describe('takeZipMember', () => {
  it.each(['in/deflated', 'in/stored'])('takes %s', async (member) => {
    const target = join(folder, 'taken')
    await takeZipMember(archive, member, target, signal)
    expect((await readFile(target)).equals(long)).toBe(true)
  })

  it.each<[string, string, (bytes: Buffer) => Buffer]>([
    ['a member that is not there', 'in/def', (bytes) => bytes],
    ['an empty member', 'in/empty', (bytes) => bytes],
    ['another way of packing', 'in/bzip2', (bytes) => bytes],
    ['what is no archive', 'in/stored', () => Buffer.from('<html>Please log in</html>')],
    ['an empty file', 'in/stored', () => Buffer.alloc(0)],
    ['an archive cut at its end', 'in/stored', (bytes) => bytes.subarray(0, -60)],
    ['an archive cut at its beginning', 'in/deflated', (bytes) => bytes.subarray(100)],
    ['damaged deflate data', 'in/deflated', (bytes) => bytes.fill(0xff, 41, 60)],
    [
      'a member longer than announced',
      'in/deflated',
      (bytes) => {
        bytes.writeUInt32LE(long.length - 1, entryOf(bytes, 'in/deflated') + 24)
        return bytes
      },
    ],
    [
      'a member that reaches past the end',
      'in/stored',
      (bytes) => {
        bytes.writeUInt32LE(0xf000_0000, entryOf(bytes, 'in/stored') + 20)
        return bytes
      },
    ],
    [
      'a member that lies past the end',
      'in/stored',
      (bytes) => {
        bytes.writeUInt32LE(bytes.length - 5, entryOf(bytes, 'in/stored') + 42)
        return bytes
      },
    ],
  ])('refuses %s', async (_, member, change) => {
    await expect(takeZipMember(await damaged(change), member, join(folder, 'taken'), signal)).rejects.toThrow(Error)
  })

  it('says that the target cannot be written', async () => {
    const target = join(folder, 'no-such-folder', 'taken')
    await expect(takeZipMember(archive, 'in/stored', target, signal)).rejects.toMatchObject({ code: 'write-failed' })
  })

  it('stops when it is told to', async () => {
    const abort = new AbortController()
    abort.abort(new Error('stopped here'))
    await expect(takeZipMember(archive, 'in/deflated', join(folder, 'taken'), abort.signal)).rejects.toThrow('stopped here')
  })
})
