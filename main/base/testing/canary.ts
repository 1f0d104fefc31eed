import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Whether a program that crashes may leave its core dump in the folder that it ran in, however large. Elsewhere one has a place of its own, goes to a program
 * of the system, or is not allowed.
 */
export const leavesDumpsHere = (): boolean =>
  process.platform === 'linux' &&
  readFileSync('/proc/sys/kernel/core_pattern', 'utf8').trim().split(/[%.]/)[0] === 'core' &&
  spawnSync('sh', ['-c', 'ulimit -c unlimited'], { stdio: 'ignore' }).status === 0

/** A word that occurs nowhere else, to be put into questions. */
export const newCanary = (): string => `canary${Date.now().toString(36)}${Math.random().toString(36).slice(2, 12)}`

/** Ways that a text may be written: as it is, in UTF-16, by the escapes of JSON, and each of the first in hex, or in base64 at any of the three places that it can begin at. */
function spellings(canary: string): Map<string, Buffer> {
  const found = new Map<string, Buffer>()
  const escaped = Array.from({ length: canary.length }, (_, at) => canary.charCodeAt(at).toString(16).padStart(4, '0'))
  found.set('json', Buffer.from(escaped.map((code) => `\\u${code}`).join('')))
  found.set('JSON', Buffer.from(escaped.map((code) => `\\u${code.toUpperCase()}`).join('')))
  for (const [name, bytes] of [
    ['utf-8', Buffer.from(canary)],
    ['utf-16le', Buffer.from(canary, 'utf16le')],
    ['utf-16be', Buffer.from(canary, 'utf16le').swap16()],
  ] as const) {
    found.set(name, bytes)
    found.set(`${name} hex`, Buffer.from(bytes.toString('hex')))
    found.set(`${name} HEX`, Buffer.from(bytes.toString('hex').toUpperCase()))
    for (const shift of [0, 1, 2]) {
      const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64')
      // Letters that also hold bits of what stands before or behind it are left away.
      const inner = text.slice(Math.ceil((shift * 8) / 6), Math.floor(((shift + bytes.length) * 8) / 6))
      found.set(`${name} base64+${shift}`, Buffer.from(inner))
      found.set(`${name} base64url+${shift}`, Buffer.from(inner.replaceAll('+', '-').replaceAll('/', '_')))
    }
  }
  return found
}

/** Where a canary stands in bytes, by spelling. */
export function spelledIn(bytes: Buffer, canary: string): string[] {
  return [...spellings(canary)].filter(([, wanted]) => bytes.includes(wanted)).map(([name]) => name)
}

/** Undefined for a file that went away after its folder was listed: the app is running. */
function bytesOf(path: string): Buffer | undefined {
  try {
    if (statSync(path).size > 256 << 20) throw new Error(`${path} is too large to be searched.`)
    return readFileSync(path)
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return undefined
    throw thrown
  }
}

/** Every file below a folder that holds a canary in some spelling, and how many files were read. Model files are left out: they are not written to. */
export function canaryBelow(folder: string, canary: string): { found: string[]; files: number } {
  const found: string[] = []
  let files = 0
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (!entry.isFile() || path.endsWith('.gguf')) continue
    const bytes = bytesOf(path)
    if (bytes === undefined) continue
    files++
    const spelled = spelledIn(bytes, canary)
    if (spelled.length > 0) found.push(`${path}: ${spelled.join(', ')}`)
  }
  return { found, files }
}
