import { readFileSync, rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { z } from 'zod'
import { writeFileAtomic } from '../base/atomic-file.ts'
import { asError, Failure } from '../base/failure.ts'

export interface InstanceLock {
  release(): void
}

const usualAdvice = 'Use the running one, or stop it first. Another folder can be chosen with COCOON_DATA_DIR.'

const holder = z.object({ pid: z.number().int().positive(), sinceMs: z.number() })

/**
 * Makes sure that one data folder is used by one core. The lock is SQLite's exclusive file lock, which the operating system drops with the
 * process: nothing stale is left after a kill, and a process number that was given to another program cannot be taken for ours.
 * The file `<path>.json` names the holder, for the message only.
 * @param advice what to do while another one uses the folder
 * @throws Failure `already-running`, `disk-full`, `lock-failed`
 */
export function lockInstance(path: string, advice: string = usualAdvice): InstanceLock {
  const note = `${path}.json`
  const raw = acquire(path, note, advice)
  writeFileAtomic(note, JSON.stringify({ pid: process.pid, sinceMs: Date.now() }))
  return {
    release: () => {
      if (!raw.isOpen) return
      rmSync(note, { force: true })
      raw.close()
    },
  }
}

function acquire(path: string, note: string, advice: string): DatabaseSync {
  const raw = new DatabaseSync(path, { timeout: 0 })
  try {
    raw.exec('BEGIN EXCLUSIVE')
    return raw
  } catch (thrown) {
    raw.close()
    const cause = asError(thrown)
    const code = 'errcode' in cause && typeof cause.errcode === 'number' ? cause.errcode & 0xff : -1
    if (code === 13)
      throw new Failure('disk-full', `The disk is full: the data folder cannot be locked with ${path}.`, {
        advice: 'Free some space and start again. What was saved before is unchanged.',
        retryable: true,
        cause,
      })
    if (code !== 5 && code !== 6)
      throw new Failure('lock-failed', `The data folder cannot be locked with ${path}: ${cause.message}`, {
        advice: 'Delete that file while the app is not running; it holds no data.',
        cause,
      })
    throw new Failure('already-running', `Cocoon is already running with this data folder${describeHolder(note)}.`, {
      advice,
    })
  }
}

function describeHolder(note: string): string {
  try {
    return ` (process ${holder.parse(JSON.parse(readFileSync(note, 'utf8'))).pid})`
  } catch {
    // The holder may be just starting; its number is a courtesy.
    return ''
  }
}
